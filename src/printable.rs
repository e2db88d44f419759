//! Text from elsewhere, made fit for people to read on a terminal or in a log. Pure.

/// Returns at most `limit` characters of a foreign text, with a blank for each control character: it can neither
/// start a line of its own, control a terminal, nor change the direction of the text after it.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .map(|c| if is_printable(c) { c } else { ' ' })
        .take(limit)
        .collect()
}

/// False for control characters, for line and paragraph separators and for those that set the direction of text.
pub(crate) fn is_printable(c: char) -> bool {
    let sets_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !sets_direction && !matches!(c, '\u{2028}' | '\u{2029}')
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
            ("a\u{202e}b\u{2028}c", "a b c"),
            ("0123456789", "0123456"),
        ] {
            assert_eq!(printable(text, 7), shown);
        }
    }
}
