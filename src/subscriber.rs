//! A subscriber as returned by AWeber's API. Each field stays the raw JSON received, so that no digit changes. Only
//! `id` is required (AWeber API, section 4); the last of duplicate keys counts. Pure.

pub(crate) mod feed;
pub(crate) mod fields;
pub(crate) mod read;

use crate::json::{Pairs, raw_text};
use crate::timestamp;
use clap::ValueEnum;
use fields::{CUSTOM_FIELDS, FIELDS, STATUS, SUBSCRIBED_AT, UNSUBSCRIBED_AT};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// A status that can be exported. AWeber has more; subscribers with another one are never exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Confirmed, or added without the need to confirm.
    Subscribed,
    /// Has not clicked the link in the confirmation mail; it works for 30 days.
    Unconfirmed,
    /// Has left, or was taken off.
    Unsubscribed,
}

/// The content of a row's status field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusCell {
    /// One of the three.
    Known(Status),
    /// Missing, null, empty or not a string.
    Absent,
    /// Another word.
    Other,
}

impl Status {
    /// The word in the API and on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Subscribed => "subscribed",
            Status::Unconfirmed => "unconfirmed",
            Status::Unsubscribed => "unsubscribed",
        }
    }

    /// Returns the status with that word, in any case.
    pub(crate) fn from_word(word: &str) -> Option<Status> {
        let mut all = Status::value_variants().iter().copied();
        all.find(|status| status.word().eq_ignore_ascii_case(word))
    }
}

/// The time of an event, by which the ledger distinguishes events of the same id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum EventTime {
    /// Whole Unix seconds; AWeber's endpoints differ in whether they send fractions.
    Instant(i64),
    /// A text without an offset or in an unknown form; empty if the field was absent.
    Text(Box<str>),
}

/// The identity of a row within its collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct RowKey {
    /// The subscriber id, unique to one list.
    pub(crate) id: i64,
    /// The time of the event by the feed that the row belongs to. Changes when a person subscribes, or leaves, again
    /// under the same id.
    pub(crate) at: EventTime,
}

/// As `[id, at]`, which the derived `Deserialize` reads as well.
impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.id, &self.at).serialize(serializer)
    }
}

/// One entry of a collection: the spans of its object and fields in the text that it was read from.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The identity of the row.
    pub(crate) key: RowKey,
    /// Whether it has an id; otherwise the one in its key is a negative hash of the row.
    pub(crate) has_id: bool,
    json: Span,
    fields: [Span; FIELDS.len()],
}

/// A range of bytes in a text; empty for an absent field, since a JSON value has at least one byte.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// An entry together with the text that it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber<'a> {
    text: &'a str,
    entry: &'a Entry,
}

impl<'a> Subscriber<'a> {
    /// `text` must be the text that `entry` was read from.
    pub(crate) fn new(text: &'a str, entry: &'a Entry) -> Subscriber<'a> {
        Subscriber { text, entry }
    }

    /// The subscriber id.
    pub(crate) fn id(&self) -> i64 {
        self.entry.key.id
    }

    /// The identity of the row.
    pub(crate) fn key(&self) -> &'a RowKey {
        &self.entry.key
    }

    /// The whole object as received.
    pub(crate) fn json(&self) -> &'a str {
        self.slice(self.entry.json)
    }

    /// The raw JSON of the field at that index of [`FIELDS`], if present.
    pub(crate) fn raw(&self, field: usize) -> Option<&'a str> {
        let raw = self.slice(self.entry.fields[field]);
        (!raw.is_empty()).then_some(raw)
    }

    /// When the person subscribed.
    pub(crate) fn subscribed_at(&self) -> EventTime {
        EventTime::read(&self.raw(SUBSCRIBED_AT).map(raw_text).unwrap_or_default())
    }

    /// When the person left, if AWeber has sent that.
    pub(crate) fn unsubscribed_at(&self) -> Option<EventTime> {
        let text = self.raw(UNSUBSCRIBED_AT).map(raw_text).unwrap_or_default();
        (!text.is_empty()).then(|| EventTime::read(&text))
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The status. A value that is not a string is exported as received and treated as absent.
    pub(crate) fn status(&self) -> StatusCell {
        let raw = self.raw(STATUS).filter(|raw| raw.starts_with('"'));
        let word = raw.map(raw_text).unwrap_or_default();
        match Status::from_word(&word) {
            Some(status) => StatusCell::Known(status),
            None if word.is_empty() => StatusCell::Absent,
            None => StatusCell::Other,
        }
    }

    /// The custom fields in the order received; empty if `custom_fields` is not an object.
    pub(crate) fn custom_fields(&self) -> Vec<(String, &'a RawValue)> {
        self.raw(CUSTOM_FIELDS)
            .and_then(|raw| serde_json::from_str::<Pairs<'_>>(raw).ok())
            .map_or_else(Vec::new, |Pairs(pairs)| pairs)
    }
}

impl EventTime {
    /// Reads what AWeber sent: only a text with an offset is an instant.
    fn read(written: &str) -> EventTime {
        match timestamp::instant(written) {
            Some(instant) => EventTime::Instant(instant.timestamp()),
            None => EventTime::Text(written.into()),
        }
    }

    /// A lower bound of the instant, Unix seconds; `None` if the text is not a timestamp.
    pub(crate) fn earliest(&self) -> Option<i64> {
        match self {
            EventTime::Instant(seconds) => Some(*seconds),
            EventTime::Text(text) => timestamp::earliest(text).map(|at| at.timestamp()),
        }
    }

    /// An upper bound of the instant, Unix seconds; `None` if the text is not a timestamp.
    pub(crate) fn latest(&self) -> Option<i64> {
        match self {
            EventTime::Instant(seconds) => Some(*seconds),
            EventTime::Text(text) => timestamp::latest(text).map(|at| at.timestamp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_api_in_any_case() {
        for (status, word) in [
            (Status::Subscribed, "subscribed"),
            (Status::Unconfirmed, "unconfirmed"),
            (Status::Unsubscribed, "unsubscribed"),
        ] {
            assert_eq!(status.word(), word);
            assert_eq!(status.to_possible_value().unwrap().get_name(), word);
            assert_eq!(Status::from_word(&word.to_uppercase()), Some(status));
        }
        assert_eq!(Status::from_word("deleted"), None);
        assert_eq!(Status::from_word(""), None);
    }

    #[test]
    fn a_non_string_status_is_absent() {
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
}
