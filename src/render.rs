//! Rows in, bytes out: the bytes of the header and of a page's rows as they stand in the file. Pure.

use crate::layout::{Format, Layout};
use crate::rows::{self, ListRef, without_blanks};
use crate::subscriber::Subscriber;
use std::borrow::Cow;

/// Tells a spreadsheet that the file is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the file begins with: the header record; nothing in jsonl.
pub(crate) fn header(layout: &Layout) -> Vec<u8> {
    let names = layout.columns.iter().map(|column| column.name());
    match layout.format {
        Format::Csv => records(layout.format, [names]),
        Format::Excel => [BYTE_ORDER_MARK, &records(layout.format, [names])].concat(),
        Format::Jsonl => Vec::new(),
    }
}

/// One record per subscriber.
pub(crate) fn rows(layout: &Layout, list: &ListRef, subscribers: &[Subscriber<'_>]) -> Vec<u8> {
    match layout.format {
        Format::Jsonl => {
            let mut lines = String::new();
            for subscriber in subscribers {
                without_blanks(subscriber.json(), &mut lines);
                lines.push('\n');
            }
            lines.into_bytes()
        }
        Format::Csv => {
            let cells = subscribers
                .iter()
                .map(|one| rows::cells(&layout.columns, list, *one));
            records(layout.format, cells)
        }
        Format::Excel => {
            let cells = subscribers
                .iter()
                .map(|one| rows::cells(&layout.columns, list, *one).map(harmless));
            records(layout.format, cells)
        }
    }
}

/// CSV records: quoted where a cell needs it, LF or CRLF at the end.
fn records<'a>(
    format: Format,
    rows: impl IntoIterator<Item = impl Iterator<Item = Cow<'a, str>>>,
) -> Vec<u8> {
    let terminator = match format {
        Format::Excel => csv::Terminator::CRLF,
        _ => csv::Terminator::Any(b'\n'),
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(terminator)
        .from_writer(Vec::with_capacity(64 * 1024));
    // One record for all rows: nothing is allocated for each, and the writer has a shorter way for those.
    let mut record = csv::ByteRecord::new();
    for cells in rows {
        record.clear();
        for cell in cells {
            record.push_field(cell.as_bytes());
        }
        // Writing into memory cannot fail.
        let _ = writer.write_byte_record(&record);
    }
    writer.into_inner().unwrap_or_default()
}

/// Puts an apostrophe before a cell that a spreadsheet would run as a formula: one that begins with = + - @, a tab
/// or a carriage return (OWASP, 'CSV Injection'). A number with a sign, also with blanks in it as in a phone number,
/// stays as it is: nothing in it can be calculated.
fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    let mut characters = cell.chars();
    match characters.next() {
        Some('=' | '@' | '\t' | '\r') => {}
        Some('+' | '-') => {
            let rest = characters.as_str();
            let points = rest.matches('.').count();
            let only_digits = rest
                .chars()
                .all(|c| c.is_ascii_digit() || c == ' ' || c == '.');
            if only_digits && points <= 1 && rest.starts_with(|c: char| c.is_ascii_digit()) {
                return cell;
            }
        }
        _ => return cell,
    }
    Cow::Owned(format!("'{cell}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Column;
    use crate::subscriber::Entry;

    fn list() -> ListRef {
        ListRef {
            id: 3,
            name: "News, daily".into(),
        }
    }

    fn render(layout: &Layout, json: &str) -> String {
        let entry = Entry::parse(json).unwrap();
        String::from_utf8(rows(layout, &list(), &[Subscriber::new(json, &entry)])).unwrap()
    }

    #[test]
    fn records_are_quoted_where_needed_and_end_in_lf() {
        let json =
            r#"{"id":1,"email":"a@example.com","name":"O\"Neil\r\nJr","status":"subscribed"}"#;
        assert_eq!(
            render(&Layout::new(Format::Csv, None), json),
            format!(
                "3,\"News, daily\",1,a@example.com,\"O\"\"Neil\r\nJr\",subscribed{}\n",
                ",".repeat(22)
            )
        );
    }

    #[test]
    fn the_header_has_as_many_cells_as_a_row() {
        let commas = |bytes: &[u8]| bytes.iter().filter(|b| **b == b',').count();
        let layout = Layout::new(Format::Csv, None);
        // The list's name holds one more.
        assert_eq!(
            commas(&header(&layout)) + 1,
            commas(render(&layout, r#"{"id":1}"#).as_bytes())
        );
    }

    #[test]
    fn jsonl_is_the_object_as_it_came_on_one_line() {
        let json = "{ \"id\": 1,\n \"latitude\": 40.10, \"x\": {\"b\": \" \\n \", \"a\": 12345678901234567890} }";
        let layout = Layout::new(Format::Jsonl, None);
        assert_eq!(header(&layout), b"");
        assert_eq!(
            render(&layout, json),
            "{\"id\":1,\"latitude\":40.10,\"x\":{\"b\":\" \\n \",\"a\":12345678901234567890}}\n"
        );
    }

    #[test]
    fn a_spreadsheet_gets_a_mark_crlf_and_no_formulas() {
        let columns = vec![
            Column::from_name("name").unwrap(),
            Column::from_name("longitude").unwrap(),
        ];
        let layout = Layout::new(Format::Excel, Some(columns));
        assert_eq!(header(&layout), b"\xEF\xBB\xBFname,longitude\r\n");
        assert_eq!(
            render(&layout, r#"{"id":1,"name":"=1+1","longitude":-71.05}"#),
            "'=1+1,-71.05\r\n"
        );
        for (cell, safe) in [
            ("=cmd|x", "'=cmd|x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1+1", "'+1+1"),
            ("-2-3", "'-2-3"),
            ("+1-555-0100", "'+1-555-0100"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("-", "'-"),
            ("+a", "'+a"),
            ("+1 555 0100", "+1 555 0100"),
            ("+15550100", "+15550100"),
            ("-71.0589", "-71.0589"),
            ("1+1", "1+1"),
            (" =x", " =x"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell.into()), safe, "{cell}");
        }
    }
}
