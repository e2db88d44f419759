//! Rows in, bytes out: the bytes of the header and of a page's rows as they stand in the file. Pure.
//! RFC 4180 quoting where a cell needs it, LF at the end of each record.

use crate::rows::{self, ListRef};
use crate::subscriber::Subscriber;

/// The header record.
pub(crate) fn header() -> Vec<u8> {
    record(rows::header())
}

/// One record per subscriber.
pub(crate) fn rows<'a>(
    list: &'a ListRef,
    subscribers: impl Iterator<Item = &'a Subscriber<'a>>,
) -> Vec<u8> {
    let mut writer = writer();
    for subscriber in subscribers {
        // Writing into memory cannot fail.
        let _ = writer.write_record(rows::cells(list, subscriber).map(Text));
    }
    writer.into_inner().unwrap_or_default()
}

fn record(cells: Vec<&str>) -> Vec<u8> {
    let mut writer = writer();
    // Writing into memory cannot fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::with_capacity(16 * 1024))
}

struct Text<'a>(std::borrow::Cow<'a, str>);

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_quoted_where_needed_and_end_in_lf() {
        let list = ListRef {
            id: 3,
            name: "News, daily".into(),
        };
        let json =
            r#"{"id":1,"email":"a@example.com","name":"O\"Neil\r\nJr","status":"subscribed"}"#;
        let one = Subscriber::parse(json).unwrap();
        let text = String::from_utf8(rows(&list, [&one].into_iter())).unwrap();
        assert_eq!(
            text,
            format!(
                "3,\"News, daily\",1,a@example.com,\"O\"\"Neil\r\nJr\",subscribed{}\n",
                ",".repeat(22)
            )
        );
    }

    #[test]
    fn the_header_has_as_many_cells_as_a_row() {
        let commas = |bytes: &[u8]| bytes.iter().filter(|b| **b == b',').count();
        let list = ListRef {
            id: 3,
            name: "x".into(),
        };
        let one = Subscriber::parse(r#"{"id":1}"#).unwrap();
        assert_eq!(commas(&header()), commas(&rows(&list, [&one].into_iter())));
    }
}
