//! A subscriber as AWeber's API gives it, taken apart without changing a digit: each field stays the raw JSON that
//! came. Only `id` is required (AWeber API, section 4); of a key that stands twice the last counts. Pure.

pub(crate) mod read;

use crate::timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// A status that can be asked for. AWeber knows more words than these; an unknown one is never wanted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SubscribedAt {
    /// Whole seconds since 1970 UTC; fractions come and go between AWeber's endpoints.
    Instant(i64),
    /// A text without an offset, or with none of the known forms; empty if there was none.
    Text(Box<str>),
}

/// A row of a collection as a walk tells rows apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct RowKey {
    /// The record id; it belongs to one list.
    pub(crate) id: i64,
    /// Changes when somebody subscribes anew under the same id.
    pub(crate) subscribed_at: SubscribedAt,
}

/// As `[id, subscribed_at]`, which the derived `Deserialize` reads as well.
impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.id, &self.subscribed_at).serialize(serializer)
    }
}

/// One entry of a collection: where its object and its fields stand in the text that it came in.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What tells this row apart from the others of its collection, and its subscription from those exported.
    pub(crate) key: RowKey,
    json: Span,
    fields: [Span; FIELDS.len()],
}

/// A piece of a text, in bytes; an empty one is an absent field, for no JSON value is without a byte.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// An entry together with the text that it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber<'a> {
    text: &'a str,
    entry: &'a Entry,
}

impl<'a> Subscriber<'a> {
    /// The entry in its own text.
    pub(crate) fn new(text: &'a str, entry: &'a Entry) -> Subscriber<'a> {
        Subscriber { text, entry }
    }

    /// The record id.
    pub(crate) fn id(&self) -> i64 {
        self.entry.key.id
    }

    /// What tells it apart.
    pub(crate) fn key(&self) -> &'a RowKey {
        &self.entry.key
    }

    /// The whole object as it came.
    pub(crate) fn json(&self) -> &'a str {
        self.slice(self.entry.json)
    }

    /// The raw JSON of the field at that place of [`FIELDS`]; `None` if absent.
    pub(crate) fn raw(&self, field: usize) -> Option<&'a str> {
        let raw = self.slice(self.entry.fields[field]);
        (!raw.is_empty()).then_some(raw)
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// What the row says of its status.
    pub(crate) fn status(&self) -> StatusCell {
        // A number or a truth value is no word: it is carried over, and says nothing.
        let raw = self.raw(STATUS).filter(|raw| raw.starts_with('"'));
        let word = raw.map(raw_text).unwrap_or_default();
        match Status::from_word(&word) {
            Some(status) => StatusCell::Known(status),
            None if word.is_empty() => StatusCell::Absent,
            None => StatusCell::Other,
        }
    }
}

impl SubscribedAt {
    /// What AWeber wrote: an instant needs an offset.
    fn read(written: &str) -> SubscribedAt {
        match timestamp::instant(written) {
            Some(instant) => SubscribedAt::Instant(instant.timestamp()),
            None => SubscribedAt::Text(written.into()),
        }
    }

    /// No later than the instant meant, Unix seconds; `None` for a text that says no time.
    pub(crate) fn earliest(&self) -> Option<i64> {
        match self {
            SubscribedAt::Instant(seconds) => Some(*seconds),
            SubscribedAt::Text(text) => timestamp::earliest(text).map(|at| at.timestamp()),
        }
    }

    /// No earlier than the instant meant, Unix seconds; `None` for a text that says no time.
    pub(crate) fn latest(&self) -> Option<i64> {
        match self {
            SubscribedAt::Instant(seconds) => Some(*seconds),
            SubscribedAt::Text(text) => timestamp::latest(text).map(|at| at.timestamp()),
        }
    }
}

/// A JSON value as text: a string decoded, null as nothing, anything else as it is written.
pub(crate) fn raw_text(json: &str) -> Cow<'_, str> {
    let Some(inside) = json.strip_prefix('"').and_then(|j| j.strip_suffix('"')) else {
        return Cow::Borrowed(if json == "null" { "" } else { json });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_no_word_says_nothing() {
        let status = |json: &str| Subscriber::new(json, &Entry::parse(json).unwrap()).status();
        for (json, expected) in [
            (
                r#"{"id":1,"status":"subscribed"}"#,
                StatusCell::Known(Status::Subscribed),
            ),
            (r#"{"id":1,"status":"deleted"}"#, StatusCell::Other),
            (r#"{"id":1,"status":""}"#, StatusCell::Absent),
            (r#"{"id":1,"status":7}"#, StatusCell::Absent),
            (r#"{"id":1,"status":true}"#, StatusCell::Absent),
            (r#"{"id":1,"status":null}"#, StatusCell::Absent),
            (r#"{"id":1}"#, StatusCell::Absent),
        ] {
            assert_eq!(status(json), expected, "{json}");
        }
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
