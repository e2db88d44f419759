//! JSON lines: one object per line with all fields as received from the API.

use super::format::Exporter;
use crate::json::push_compact;
use crate::rows::ListRef;
use crate::subscriber::Subscriber;

/// Has neither columns nor options.
pub(super) struct Jsonl;

impl Exporter for Jsonl {
    fn word(&self) -> String {
        "jsonl".to_owned()
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    fn has_columns(&self) -> bool {
        false
    }

    fn header(&self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&self, _: &ListRef, subscribers: &[Subscriber<'_>]) -> Vec<u8> {
        let mut lines = String::new();
        for subscriber in subscribers {
            push_compact(subscriber.json(), &mut lines);
            lines.push('\n');
        }
        lines.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::render;
    use super::super::{CsvOptions, Format, Layout};

    #[test]
    fn jsonl_keeps_the_object_as_received_on_one_line() {
        let json = "{ \"id\": 1,\n \"latitude\": 40.10, \"x\": {\"b\": \" \\n \", \"a\": 12345678901234567890} }";
        let layout = Layout::new(Format::Jsonl, CsvOptions::default(), None);
        assert_eq!(layout.header(), b"");
        assert_eq!(
            render(&layout, json),
            "{\"id\":1,\"latitude\":40.10,\"x\":{\"b\":\" \\n \",\"a\":12345678901234567890}}\n"
        );
    }
}
