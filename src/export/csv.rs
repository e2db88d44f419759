//! CSV as in RFC 4180 with LF; with `--excel` a byte order mark, CRLF and no cell that a spreadsheet runs as a formula.

use super::format::Exporter;
use crate::rows::{Column, ListRef, Rows};
use crate::subscriber::Subscriber;
use std::borrow::Cow;

/// Tells a spreadsheet that the file is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The initial capacity for the records of one page; a full page has about 40 KiB.
const PAGE_CAPACITY: usize = 64 * 1024;

/// The word of plain csv in the ledger.
const CSV: &str = "csv";
/// The word of csv for spreadsheets in the ledger.
const EXCEL: &str = "excel";

/// The delimiter unless another one is chosen; a word in the ledger without a delimiter means this one.
const COMMA: u8 = b',';

/// The options that only csv has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CsvOptions {
    /// For spreadsheets.
    pub(crate) excel: bool,
    /// The character between cells; ASCII.
    pub(crate) delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> CsvOptions {
        CsvOptions {
            excel: false,
            delimiter: COMMA,
        }
    }
}

impl CsvOptions {
    /// Returns the options remembered by that word, if it is one of csv.
    pub(super) fn from_word(word: &str) -> Option<CsvOptions> {
        let (kind, delimiter) = match word.split_once('-') {
            None => (word, COMMA),
            Some((kind, code)) => (kind, code.parse().ok()?),
        };
        let excel = match kind {
            CSV => false,
            EXCEL => true,
            _ => return None,
        };
        Some(CsvOptions { excel, delimiter })
    }
}

/// Writes csv with these options and columns.
pub(super) struct Csv<'a> {
    options: CsvOptions,
    columns: &'a [Column],
}

impl Exporter for Csv<'_> {
    /// `csv`, or with another delimiter than a comma its code: `csv-59`.
    fn word(&self) -> String {
        let kind = if self.options.excel { EXCEL } else { CSV };
        match self.options.delimiter {
            COMMA => kind.to_owned(),
            other => format!("{kind}-{other}"),
        }
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn header(&self) -> Vec<u8> {
        let names = self.columns.iter().map(Column::name);
        match self.options.excel {
            true => {
                let safe = |name| without_formula(name, self.options.delimiter);
                [BYTE_ORDER_MARK, &self.records([names.map(safe)])].concat()
            }
            false => self.records([names]),
        }
    }

    fn rows(&self, list: &ListRef, subscribers: &[Subscriber<'_>]) -> Vec<u8> {
        let rows = Rows::new(self.columns, list);
        let rows = subscribers.iter().map(|one| rows.cells(*one));
        match self.options.excel {
            true => {
                let delimiter = self.options.delimiter;
                let safe = |cell| without_formula(cell, delimiter);
                self.records(rows.map(|cells| cells.map(safe)))
            }
            false => self.records(rows),
        }
    }
}

impl<'c> Csv<'c> {
    pub(super) fn new(options: CsvOptions, columns: &'c [Column]) -> Csv<'c> {
        Csv { options, columns }
    }

    fn records<'a>(
        &self,
        rows: impl IntoIterator<Item = impl Iterator<Item = Cow<'a, str>>>,
    ) -> Vec<u8> {
        let terminator = match self.options.excel {
            true => csv::Terminator::CRLF,
            false => csv::Terminator::Any(b'\n'),
        };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.options.delimiter)
            .terminator(terminator)
            .from_writer(Vec::with_capacity(PAGE_CAPACITY));
        // Reused for all rows: saves an allocation per row, and the writer has a faster path for byte records.
        let mut record = csv::ByteRecord::new();
        for cells in rows {
            record.clear();
            cells.for_each(|cell| record.push_field(cell.as_bytes()));
            // Writing into memory cannot fail.
            let _ = writer.write_byte_record(&record);
        }
        writer.into_inner().unwrap_or_default()
    }
}

/// What a spreadsheet may take for the end of a cell in another locale, besides a comma in a file with another delimiter.
/// There the quotes around a cell do not count, because they do not follow such a separator.
const SEPARATORS: [char; 5] = [';', '\t', '|', '\r', '\n'];

/// Puts an apostrophe before what a spreadsheet would run as a formula (OWASP, 'CSV Injection'): a cell, or a part of one
/// behind a separator, that starts with = + - @, also full-width, or a cell that starts with white space other than a
/// blank. Removes NUL characters, which some programs skip. A signed number, or a phone number of digits and blanks, stays
/// unchanged, since it contains nothing to calculate.
fn without_formula(cell: Cow<'_, str>, delimiter: u8) -> Cow<'_, str> {
    let is_separator = |c: char| SEPARATORS.contains(&c) || (c == ',' && delimiter != COMMA);
    let is_plain = |c: char| c.is_alphanumeric() || c == ' ';
    if cell.starts_with(is_plain) && !cell.contains(|c| c == '\0' || is_separator(c)) {
        return cell;
    }
    let cell = match cell.contains('\0') {
        true => Cow::Owned(cell.replace('\0', "")),
        false => cell,
    };
    let mut safe = String::with_capacity(cell.len() + 8);
    if cell.starts_with(['\t', '\r', '\n']) {
        safe.push('\'');
    }
    for (n, part) in cell.split_inclusive(is_separator).enumerate() {
        let text = part.strip_suffix(is_separator).unwrap_or(part);
        // Behind a separator, a quote and the one that doubles it are not part of the text.
        let text = if n > 0 {
            text.trim_start_matches('"')
        } else {
            text
        };
        if is_formula(text) {
            safe.push('\'');
        }
        safe.push_str(part);
    }
    match safe == cell {
        true => cell,
        false => Cow::Owned(safe),
    }
}

/// Whether a part of a cell would be run.
fn is_formula(part: &str) -> bool {
    let mut characters = part.chars();
    match characters.next() {
        Some('=' | '@' | '＝' | '＋' | '－' | '＠') => true,
        Some('+' | '-') => {
            let rest = characters.as_str();
            let points = rest.matches('.').count();
            let only_digits = rest
                .chars()
                .all(|c| c.is_ascii_digit() || c == ' ' || c == '.');
            !(only_digits && points <= 1 && rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::render;
    use super::super::{Format, Layout};
    use super::*;

    const EXCEL_OPTIONS: CsvOptions = CsvOptions {
        excel: true,
        delimiter: COMMA,
    };

    #[test]
    fn records_are_quoted_where_needed_and_end_in_lf() {
        let json =
            r#"{"id":1,"email":"a@example.com","name":"O\"Neil\r\nJr","status":"subscribed"}"#;
        assert_eq!(
            render(&Layout::new(Format::Csv, CsvOptions::default(), None), json),
            format!(
                "3,\"News, daily\",1,a@example.com,\"O\"\"Neil\r\nJr\",subscribed{}\n",
                ",".repeat(22)
            )
        );
    }

    #[test]
    fn another_delimiter_is_quoted_and_a_comma_is_not() {
        let columns = ["list_name", "name", "tags"].map(|name| Column::from_name(name).unwrap());
        for (delimiter, rows) in [
            (b';', "News, daily;\"a;b\tc\";x,y\n"),
            (b'\t', "News, daily\t\"a;b\tc\"\tx,y\n"),
        ] {
            let options = CsvOptions {
                delimiter,
                ..CsvOptions::default()
            };
            let layout = Layout::new(Format::Csv, options, Some(columns.to_vec()));
            let json = r#"{"id":1,"name":"a;b\tc","tags":["x","y"]}"#;
            assert_eq!(render(&layout, json), rows);
            let word = layout.word();
            assert_eq!(word, format!("csv-{delimiter}"));
            assert_eq!(CsvOptions::from_word(&word), Some(options));
        }
        for word in ["csv-", "csv-999", "excel-x", "other-59"] {
            assert_eq!(CsvOptions::from_word(word), None, "{word}");
        }
    }

    #[test]
    fn the_header_has_as_many_cells_as_a_row() {
        let commas = |bytes: &[u8]| bytes.iter().filter(|b| **b == b',').count();
        let layout = Layout::new(Format::Csv, CsvOptions::default(), None);
        // The name of the list contains one more.
        assert_eq!(
            commas(&layout.header()) + 1,
            commas(render(&layout, r#"{"id":1}"#).as_bytes())
        );
    }

    #[test]
    fn excel_adds_a_byte_order_mark_crlf_and_disarms_formulas() {
        let columns = vec![
            Column::from_name("name").unwrap(),
            Column::from_name("longitude").unwrap(),
        ];
        let layout = Layout::new(Format::Csv, EXCEL_OPTIONS, Some(columns));
        assert_eq!(layout.header(), b"\xEF\xBB\xBFname,longitude\r\n");
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
            ("\nx", "'\nx"),
            ("\t=x", "'\t'=x"),
            ("x;=cmd|'/c calc'!A0", "x;'=cmd|'/c calc'!A0"),
            ("x\t+1+1", "x\t'+1+1"),
            ("x|@a", "x|'@a"),
            ("- one\n- two\r\n=3", "'- one\n'- two\r\n'=3"),
            ("x;\"\"=1+1", "x;'\"\"=1+1"),
            ("\"=1+1", "\"=1+1"),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("x;＠a", "x;'＠a"),
            ("\0=1", "'=1"),
            ("=\u{0}1", "'=1"),
            ("a\0b", "ab"),
            ("x; y", "x; y"),
            ("x;-71.0589;+1 555", "x;-71.0589;+1 555"),
            ("{\"a\":\"=1\"}", "{\"a\":\"=1\"}"),
            ("-", "'-"),
            ("+a", "'+a"),
            ("+1 555 0100", "+1 555 0100"),
            ("+15550100", "+15550100"),
            ("-71.0589", "-71.0589"),
            ("1+1", "1+1"),
            (" =x", " =x"),
            ("", ""),
        ] {
            assert_eq!(without_formula(cell.into(), COMMA), safe, "{cell}");
        }
        let cell = "x,=1+1";
        assert_eq!(without_formula(cell.into(), COMMA), cell);
        assert_eq!(without_formula(cell.into(), b';'), "x,'=1+1");
    }
}
