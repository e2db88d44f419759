//! Reads the entries of a page in one pass. Fields are byte ranges of the page's text, because owned values would cost
//! an allocation each, 26 per row, and borrowed ones cannot be stored beside the text they borrow from.

use super::feed::Feed;
use super::fields::{FIELDS, ID, SUBSCRIBED_AT, UNSUBSCRIBED_AT};
use super::{Entry, EventTime, RowKey, Span};
use crate::json::raw_text;
use foldhash::fast::FixedState;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;

/// Entries for which room is reserved at once.
const FULL_PAGE: usize = 100;

impl Entry {
    /// Reads one JSON object, as a row of the arrivals. Returns `None` for any other JSON, and for an object whose id is
    /// not an integer or an integer as a string.
    pub(crate) fn parse(text: &str) -> Option<Entry> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut reader = Reader::new(text, Feed::Arrivals);
        let entry = OneEntry(&mut reader).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(entry).filter(|entry| entry.has_id)
    }

    /// An entry that cannot be exported, with a key by which its position can be recognized.
    fn without_id(text: &str, at: EventTime) -> Entry {
        let hash = FixedState::with_seed(0).hash_one(text);
        Entry {
            key: RowKey {
                id: -1 - (hash >> 1) as i64,
                at,
            },
            has_id: false,
            json: Span::default(),
            fields: [Span::default(); FIELDS.len()],
        }
    }
}

/// Reads an array of entries within that text, as rows of that feed.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a>(pub(crate) &'a str, pub(crate) Feed);

impl<'de> DeserializeSeed<'de> for Entries<'de> {
    type Value = Vec<Entry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'de> {
    type Value = Vec<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut reader = Reader::new(self.0, self.1);
        let mut entries = Vec::with_capacity(FULL_PAGE);
        while let Some(entry) = array.next_element_seed(OneEntry(&mut reader))? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// State shared by all entries of one text.
struct Reader<'a> {
    text: &'a str,
    feed: Feed,
    /// The keys of the previous entry with their indexes in [`FIELDS`]. AWeber keeps the order of keys, so a key is
    /// nearly always at the same index as before.
    order: Vec<(Cow<'a, str>, Option<usize>)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, feed: Feed) -> Reader<'a> {
        Reader {
            text,
            feed,
            order: Vec::new(),
        }
    }

    /// Returns the index in [`FIELDS`] of the key that is number `i` in its object; `None` for an unknown key.
    fn field(&mut self, i: usize, key: Cow<'a, str>) -> Option<usize> {
        if let Some((known, field)) = self.order.get(i)
            && *known == key
        {
            return *field;
        }
        let field = FIELDS.iter().position(|field| field.name == key);
        self.order.truncate(i);
        self.order.push((key, field));
        field
    }

    /// Returns the span of `part`, which must be a slice of the text.
    fn span_of(&self, part: &str) -> Span {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        Span {
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }
}

/// Reads one object; any other value is an entry without an id.
struct OneEntry<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for OneEntry<'_, 'de> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneEntry<'_, 'de> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an id")
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(odd("null"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entry, E> {
        Ok(odd(&value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Entry, E> {
        Ok(odd(&value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Entry, E> {
        Ok(odd(&value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Entry, E> {
        Ok(odd(&value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Entry, E> {
        Ok(odd(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Entry, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(odd("[]"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut fields = [Span::default(); FIELDS.len()];
        let (mut id, mut subscribed_at, mut unsubscribed_at) = (None, "null", "null");
        // Raw JSON is always a slice of the text, even if the key has escapes; a decoded key would not locate the object.
        let Some(first_key) = map.next_key::<&RawValue>()?.map(RawValue::get) else {
            return Ok(odd("{}"));
        };
        let first = reader.span_of(first_key).start as usize;
        let mut last = first;
        let mut i = 0;
        let mut key = Some(raw_text(first_key));
        while let Some(name) = key {
            let raw = map.next_value::<&RawValue>()?.get();
            let span = reader.span_of(raw);
            last = span.end as usize;
            if let Some(field) = reader.field(i, name) {
                fields[field] = span;
                match field {
                    ID => id = Some(raw),
                    SUBSCRIBED_AT => subscribed_at = raw,
                    UNSUBSCRIBED_AT => unsubscribed_at = raw,
                    _ => {}
                }
            }
            i += 1;
            key = map.next_key::<Key<'_>>()?.map(|Key(name)| name);
        }
        // Only white space is between the braces and the first key or the last value.
        let open = reader
            .text
            .get(..first)
            .and_then(|text| text.bytes().rposition(|byte| byte == b'{'));
        let close = reader
            .text
            .get(last..)
            .and_then(|text| text.bytes().position(|byte| byte == b'}'));
        let at = match (reader.feed, raw_text(unsubscribed_at)) {
            (Feed::Departures, left) if !left.is_empty() => EventTime::read(&left),
            _ => EventTime::read(&raw_text(subscribed_at)),
        };
        let id = id.and_then(|id| raw_text(id).parse().ok());
        let (Some(open), Some(close), Some(id)) = (open, close, id) else {
            let text = reader.text.get(first..last).unwrap_or_default();
            return Ok(Entry::without_id(text, at));
        };
        Ok(Entry {
            key: RowKey { id, at },
            has_id: true,
            json: Span {
                start: open as u32,
                end: (last + close + 1) as u32,
            },
            fields,
        })
    }
}

/// The entry for a value that is not an object.
fn odd(value: &str) -> Entry {
    Entry::without_id(value, EventTime::read(""))
}

/// A key, borrowed unless it contains escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(v)))
            }

            fn visit_str<E>(self, v: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Subscriber;
    use super::*;

    #[test]
    fn only_an_id_is_required_and_it_may_be_a_string() {
        for (json, id) in [
            (r#"{"id":7}"#, Some(7)),
            (r#"{"id":"7"}"#, Some(7)),
            (r#"{"id":1,"id":2}"#, Some(2)),
            (r#"{"\u0069d":7}"#, Some(7)),
            (r#"{"id":null}"#, None),
            (r#"{"id":"x"}"#, None),
            (r#"{"email":"a@b"}"#, None),
            ("{}", None),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(Entry::parse(json).map(|entry| entry.key.id), id, "{json}");
        }
    }

    #[test]
    fn an_entry_without_an_id_keeps_its_place_and_is_recognized() {
        let text =
            r#"[{"id":1},{"email":"a@b"},null,{},{"id":2.5},[7],{"id":"3"},{"email":"a@b"}]"#;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let entries = Entries(text, Feed::Arrivals)
            .deserialize(&mut deserializer)
            .unwrap();
        let has_id: Vec<bool> = entries.iter().map(|entry| entry.has_id).collect();
        assert_eq!(
            has_id,
            [true, false, false, false, false, false, true, false]
        );
        let odd = entries.iter().filter(|entry| !entry.has_id);
        assert!(odd.clone().all(|entry| entry.key.id < 0));
        assert_eq!(entries[1].key, entries[7].key);
        let different: std::collections::HashSet<i64> = odd.map(|entry| entry.key.id).collect();
        assert_eq!(different.len(), 5);
    }

    #[test]
    fn a_row_key_holds_the_instant_or_the_text() {
        let key = |json: &str| Entry::parse(json).unwrap().key.at;
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":"2025-11-21T10:31:53.202963-05:00"}"#),
            key(r#"{"id":1,"subscribed_at":"2025-11-21 15:31:53+00:00"}"#)
        );
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":"2025-11-21T10:31:53"}"#),
            EventTime::Text("2025-11-21T10:31:53".into())
        );
        assert_eq!(key(r#"{"id":1}"#), key(r#"{"id":1,"subscribed_at":null}"#));
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":17}"#),
            EventTime::Text("17".into())
        );
    }

    #[test]
    fn a_departure_has_the_time_of_leaving_or_else_of_subscribing() {
        let key = |json: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            let entries = Entries(json, Feed::Departures).deserialize(&mut deserializer);
            entries.unwrap().remove(0).key.at
        };
        let (came, left) = ("2025-11-21T10:31:53Z", "2026-01-02T00:00:00Z");
        for (unsubscribed_at, expected) in [
            (format!("\"{left}\""), left),
            ("null".to_owned(), came),
            ("\"\"".to_owned(), came),
        ] {
            let json = format!(
                r#"[{{"unsubscribed_at":{unsubscribed_at},"subscribed_at":"{came}","id":1}}]"#
            );
            assert_eq!(key(&json), EventTime::read(expected), "{json}");
        }
        let absent = format!(r#"[{{"subscribed_at":"{came}","id":1}}]"#);
        assert_eq!(key(&absent), EventTime::read(came));
    }

    #[test]
    fn spans_cover_objects_and_fields() {
        let objects = [
            r#"{"id":1,"email":"a@b","x":{"id":9}}"#,
            "{ \n\"id\" : \"2\" , \"{\":\"}\" }",
            r#"{"\u0069d":3,"email":"é","email":"last"}"#,
            r#"{"email":null,"id":4}"#,
        ];
        let text = format!(" [{}] ", objects.join(" , "));
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let entries = Entries(&text, Feed::Arrivals)
            .deserialize(&mut deserializer)
            .unwrap();
        let found = entries.iter().map(|entry| Subscriber::new(&text, entry));
        let found: Vec<_> = found
            .map(|one| (one.id(), one.json(), one.raw(1)))
            .collect();
        let emails = [Some(r#""a@b""#), None, Some(r#""last""#), Some("null")];
        for (i, expected) in objects.iter().enumerate() {
            assert_eq!(found[i], (i as i64 + 1, *expected, emails[i]));
        }
    }
}
