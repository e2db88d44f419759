//! A subscriber as AWeber's API gives it, taken apart without changing a digit: each field stays the raw JSON that
//! came. Only `id` is required (AWeber API, section 4); of a key that stands twice the last counts. Pure.

use crate::stamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A status that can be asked for. AWeber knows more words than these; an unknown one is never wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Status {
    /// Confirmed, or added without the need to confirm.
    Subscribed,
    /// Has not clicked the link in the confirmation mail; it works for 30 days.
    Unconfirmed,
    /// Has left, or was taken off.
    Unsubscribed,
}

/// What stands in a row's status field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusCell {
    /// One of the three.
    Known(Status),
    /// Null, empty or no such key.
    Absent,
    /// Another word.
    Other,
}

impl Status {
    /// The word in the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Subscribed => "subscribed",
            Status::Unconfirmed => "unconfirmed",
            Status::Unsubscribed => "unsubscribed",
        }
    }

    /// The status of that word, if it is one of the three.
    pub(crate) fn from_word(word: &str) -> Option<Status> {
        [
            Status::Subscribed,
            Status::Unconfirmed,
            Status::Unsubscribed,
        ]
        .into_iter()
        .find(|status| status.word().eq_ignore_ascii_case(word))
    }
}

/// The fields of the API that a column can show, in the order of the columns.
pub(crate) const FIELDS: [&str; 26] = [
    "id",
    "email",
    "name",
    "status",
    "subscribed_at",
    "verified_at",
    "is_verified",
    "subscription_method",
    "subscription_url",
    "ad_tracking",
    "ip_address",
    "country",
    "region",
    "city",
    "postal_code",
    "area_code",
    "dma_code",
    "latitude",
    "longitude",
    "tags",
    "custom_fields",
    "misc_notes",
    "last_followup_message_number_sent",
    "last_followup_sent_at",
    "unsubscribed_at",
    "unsubscribe_method",
];

const ID: usize = 0;
const STATUS: usize = 3;
const SUBSCRIBED_AT: usize = 4;

/// When somebody subscribed, as the ledger tells subscriptions apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SubscribedAt {
    /// Whole seconds since 1970 UTC; fractions come and go between AWeber's endpoints.
    Instant(i64),
    /// A text without an offset, or with none of the known forms; empty if there was none.
    Text(Box<str>),
}

/// A row of a collection as a walk tells rows apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowKey {
    /// The record id; it belongs to one list.
    pub(crate) id: i64,
    /// Changes when somebody subscribes anew under the same id.
    pub(crate) subscribed_at: SubscribedAt,
}

/// One entry of a subscriber collection, borrowed from the page.
#[derive(Debug)]
pub(crate) struct Subscriber<'a> {
    /// The record id.
    pub(crate) id: i64,
    json: &'a str,
    fields: [Option<&'a str>; FIELDS.len()],
}

/// Where the fields of an entry stand in its JSON, so that it need not be taken apart twice.
#[derive(Debug)]
pub(crate) struct Places {
    id: i64,
    fields: [Range<u32>; FIELDS.len()],
}

impl<'a> Subscriber<'a> {
    /// Takes one JSON object apart. `None`: not an object, or without an id that is a whole number (also as a string).
    pub(crate) fn parse(json: &'a str) -> Option<Subscriber<'a>> {
        let Fields(fields) = serde_json::from_str(json).ok()?;
        let fields = fields.map(|field| field.map(RawValue::get));
        let id = raw_text(fields[ID]?).parse().ok()?;
        Some(Subscriber { id, json, fields })
    }

    /// Where everything stands in [`Subscriber::json`].
    pub(crate) fn places(&self) -> Places {
        let base = self.json.as_ptr() as usize;
        let place = |field: Option<&str>| match field {
            None => 0..0,
            Some(raw) => {
                let start = (raw.as_ptr() as usize - base) as u32;
                start..start + raw.len() as u32
            }
        };
        Places {
            id: self.id,
            fields: self.fields.map(place),
        }
    }

    /// The subscriber that [`Subscriber::places`] were taken of, in the same JSON.
    pub(crate) fn at(json: &'a str, places: &Places) -> Subscriber<'a> {
        // No value is without a byte: an empty place is an absent field.
        let field = |place: &Range<u32>| {
            json.get(place.start as usize..place.end as usize)
                .filter(|raw| !raw.is_empty())
        };
        Subscriber {
            id: places.id,
            json,
            fields: places.fields.each_ref().map(field),
        }
    }

    /// The whole object as it came.
    pub(crate) fn json(&self) -> &'a str {
        self.json
    }

    /// The raw JSON of the field at that place of [`FIELDS`]; `None` if absent.
    pub(crate) fn raw(&self, field: usize) -> Option<&'a str> {
        self.fields[field]
    }

    /// What the row says of its status.
    pub(crate) fn status(&self) -> StatusCell {
        let word = self.fields[STATUS].map(raw_text).unwrap_or_default();
        match Status::from_word(&word) {
            Some(status) => StatusCell::Known(status),
            None if word.is_empty() => StatusCell::Absent,
            None => StatusCell::Other,
        }
    }

    /// `subscribed_at` as AWeber wrote it; empty if null or absent.
    pub(crate) fn subscribed_at_text(&self) -> Cow<'a, str> {
        self.fields[SUBSCRIBED_AT].map(raw_text).unwrap_or_default()
    }

    /// What tells this row apart from the others of its collection, and its subscription from those exported.
    pub(crate) fn key(&self) -> RowKey {
        let written = self.subscribed_at_text();
        let subscribed_at = match stamp::instant(&written) {
            Some(instant) => SubscribedAt::Instant(instant.timestamp()),
            None => SubscribedAt::Text(written.as_ref().into()),
        };
        RowKey {
            id: self.id,
            subscribed_at,
        }
    }
}

/// A JSON value as text: a string decoded, null as nothing, anything else as it is written.
pub(crate) fn raw_text(json: &str) -> Cow<'_, str> {
    if json == "null" {
        return Cow::Borrowed("");
    }
    let Some(inside) = json.strip_prefix('"').and_then(|j| j.strip_suffix('"')) else {
        return Cow::Borrowed(json);
    };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    match serde_json::from_str::<String>(json) {
        Ok(decoded) => Cow::Owned(decoded),
        // A lone surrogate ("\ud83d") is JSON, but no text: carry it over as it was written.
        Err(_) => Cow::Borrowed(inside),
    }
}

struct Fields<'a>([Option<&'a RawValue>; FIELDS.len()]);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a subscriber object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = [None; FIELDS.len()];
                // AWeber sends its keys in one order throughout: look where the last one was found first.
                let mut expected = 0;
                while let Some(Key(name)) = map.next_key()? {
                    let place = (expected..FIELDS.len())
                        .chain(0..expected)
                        .find(|i| FIELDS[*i] == name);
                    match place {
                        Some(i) => {
                            fields[i] = Some(map.next_value()?);
                            expected = (i + 1) % FIELDS.len();
                        }
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A key, borrowed unless it is written with escapes.
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
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(Subscriber::parse(json).map(|s| s.id), id, "{json}");
        }
    }

    #[test]
    fn a_key_is_the_instant_or_else_the_text() {
        let key = |json| Subscriber::parse(json).unwrap().key().subscribed_at;
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":"2025-11-21T10:31:53.202963-05:00"}"#),
            key(r#"{"id":1,"subscribed_at":"2025-11-21 15:31:53+00:00"}"#)
        );
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":"2025-11-21T10:31:53"}"#),
            SubscribedAt::Text("2025-11-21T10:31:53".into())
        );
        assert_eq!(key(r#"{"id":1}"#), key(r#"{"id":1,"subscribed_at":null}"#));
        assert_eq!(
            key(r#"{"id":1,"subscribed_at":17}"#),
            SubscribedAt::Text("17".into())
        );
    }

    #[test]
    fn text_is_decoded_and_digits_are_kept() {
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
