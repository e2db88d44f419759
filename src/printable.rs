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

/// At most `limit` characters, cut between words; `…` tells that there was more. A long word, such as a path, is cut.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(limit).collect();
    let last = kept.pop().unwrap_or(' ');
    let end = kept
        .rfind(char::is_whitespace)
        .filter(|end| !last.is_whitespace() && *end > kept.len() / 2);
    kept.truncate(end.unwrap_or(kept.len()));
    format!("{}…", kept.trim_end_matches([' ', ':', ',', ';']))
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
    fn a_text_is_shortened_between_words() {
        for (text, shown) in [
            ("0123456789", "0123456789"),
            ("cannot read it", "cannot…"),
            ("cannot: read", "cannot…"),
            ("cannot re d", "cannot re…"),
            ("/a/long/path of", "/a/long/p…"),
            ("ä ööööööööööö", "ä ööööööö…"),
        ] {
            assert_eq!(shortened(text, 10), shown, "{text}");
        }
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
