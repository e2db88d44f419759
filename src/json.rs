//! JSON without loss: objects as pairs in their original order, values as the raw text received. Pure.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The pairs of an object, borrowed from its text; duplicate keys are kept.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(String, &'a RawValue)>);

/// The pairs of an object, owned; serialized in the order received.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnPairs(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

impl Serialize for OwnPairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Returns a JSON value as text: strings decoded, null as an empty text, any other value as received.
pub(crate) fn raw_text(json: &str) -> Cow<'_, str> {
    let Some(inside) = json.strip_prefix('"').and_then(|j| j.strip_suffix('"')) else {
        return Cow::Borrowed(if json == "null" { "" } else { json });
    };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    match serde_json::from_str::<String>(json) {
        Ok(decoded) => Cow::Owned(decoded),
        // A lone surrogate ("\ud83d") is valid JSON but not valid UTF-8: keep the escape as received.
        Err(_) => Cow::Borrowed(inside),
    }
}

/// Returns `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Appends `json` to `out` without the white space between its tokens.
pub(crate) fn push_compact(json: &str, out: &mut String) {
    let (mut in_string, mut escaped) = (false, false);
    // The offset of the first byte not copied yet. White space is ASCII, so each cut is at a character boundary.
    let mut from = 0;
    for (i, byte) in json.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            out.push_str(&json[from..i]);
            from = i + 1;
        } else {
            in_string = byte == b'"';
        }
    }
    out.push_str(&json[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_decoded_and_digits_kept() {
        for (json, expected) in [
            (r#""a\"b\u00e9""#, "a\"bé"),
            (r#""""#, ""),
            ("null", ""),
            ("40.10", "40.10"),
            ("12345678901234567890", "12345678901234567890"),
            ("true", "true"),
            (r#""\ud83d""#, r"\ud83d"),
        ] {
            assert_eq!(raw_text(json), expected);
        }
    }
}
