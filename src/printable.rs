//! Text from elsewhere, made fit for people to read on a terminal or in a log. Pure.

/// Returns at most `limit` characters of a foreign text, with a blank for each control character: it can neither
/// start a line of its own nor control a terminal.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_bounded_line() {
        for (text, shown) in [
            ("News", "News"),
            ("a\r\nNext: b", "a  Next"),
            ("\u{1b}[2J\u{9b}é", " [2J é"),
            ("0123456789", "0123456"),
        ] {
            assert_eq!(printable(text, 7), shown);
        }
    }
}
