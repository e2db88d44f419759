//! Text from elsewhere, made fit for people to read on a terminal or in a log. Pure.

/// Returns at most `limit` characters of a foreign text, with a blank for each control character: it can neither
/// start a line of its own, control a terminal, nor change the direction of the text after it.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .map(|c| if is_printable(c) { c } else { ' ' })
        .take(limit)
        .collect()
}

/// As [`printable`], for a text of several lines, which stay.
pub(crate) fn printable_lines(text: &str) -> String {
    let keep = |c: char| if c == '\n' || is_printable(c) { c } else { ' ' };
    text.chars().map(keep).collect()
}

/// JSON in which the characters that are not printable are escaped: the same data, which a terminal can show.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => text.push(c),
            c if is_printable(c) => text.push(c),
            // All of them are in the first plane, so one escape is enough.
            c => text.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    text
}

/// False for control characters, for line and paragraph separators and for those that set the direction of text.
pub(crate) fn is_printable(c: char) -> bool {
    let sets_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
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
        assert_eq!(printable_lines("a\u{1b}\n\u{61c}b\r\n"), "a \n b \n");
    }

    #[test]
    fn escaped_json_is_the_same_data() {
        let value = serde_json::json!({"name": "a\u{9b}\u{202e}\u{7f}\n\u{1b}é\u{2028}👩"});
        let text = escaped(&format!("{value:#}\n"));
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
