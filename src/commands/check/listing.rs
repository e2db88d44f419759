//! A page of a collection, read for its shape: every key, whatever its type. Pure.

use crate::timestamp;
use serde_json::{Map, Value};
use url::Url;

/// A page.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) rows: Vec<Map<String, Value>>,
    pub(super) next: Link,
    pub(super) total: Total,
}

/// The form of a link to the next page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Absent,
    Null,
    /// Absolute, with the configured scheme, host and port.
    Absolute,
    OtherScheme,
    Relative,
    OtherHost,
    Broken,
}

/// The form of `total_size`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Total {
    #[default]
    Absent,
    Number(u64),
    Text(u64),
    NotANumber,
}

impl Total {
    pub(super) fn value(self) -> Option<u64> {
        match self {
            Total::Number(total) | Total::Text(total) => Some(total),
            Total::Absent | Total::NotANumber => None,
        }
    }

    fn read(value: Option<&Value>) -> Total {
        match value {
            None | Some(Value::Null) => Total::Absent,
            Some(Value::Number(number)) => number.as_u64().map_or(Total::NotANumber, Total::Number),
            Some(Value::String(text)) => text.parse().map_or(Total::NotANumber, Total::Text),
            Some(_) => Total::NotANumber,
        }
    }
}

impl Link {
    fn read(value: Option<&Value>, origin: &Url) -> Link {
        let text = match value {
            None => return Link::Absent,
            Some(Value::Null) => return Link::Null,
            Some(Value::String(text)) => text,
            Some(_) => return Link::Broken,
        };
        match Url::parse(text) {
            Err(url::ParseError::RelativeUrlWithoutBase) => Link::Relative,
            Err(_) => Link::Broken,
            Ok(url) if url.host() != origin.host() => Link::OtherHost,
            Ok(url) if url.scheme() != origin.scheme() => Link::OtherScheme,
            Ok(url) if url.port_or_known_default() != origin.port_or_known_default() => {
                Link::OtherHost
            }
            Ok(_) => Link::Absolute,
        }
    }
}

impl Listing {
    /// Reads a body; `None` if it is not a collection.
    pub(super) fn read(body: &[u8], origin: &Url) -> Option<Listing> {
        let page: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let entries = page.get("entries")?.as_array()?;
        Some(Listing {
            rows: entries
                .iter()
                .filter_map(|entry| entry.as_object().cloned())
                .collect(),
            next: Link::read(page.get("next_collection_link"), origin),
            total: Total::read(page.get("total_size")),
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The ids, in order.
    pub(super) fn ids(&self) -> Vec<&Value> {
        self.rows.iter().filter_map(|row| row.get("id")).collect()
    }

    /// The instants of a field, Unix seconds, in order; rows without one are left out.
    pub(super) fn times(&self, field: &str) -> Vec<i64> {
        self.rows
            .iter()
            .filter_map(|row| time(row, field))
            .collect()
    }
}

/// The instant of a field, Unix seconds: of a text with an offset.
pub(super) fn time(row: &Map<String, Value>, field: &str) -> Option<i64> {
    let text = row.get(field)?.as_str()?;
    timestamp::instant(text).map(|at| at.timestamp())
}

/// The text of a field.
pub(super) fn text<'a>(row: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    row.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_totals_have_their_forms() {
        let origin = Url::parse("https://api.aweber.com").unwrap();
        for (json, next, total) in [
            (r#"{"entries":[]}"#, Link::Absent, Total::Absent),
            (
                r#"{"entries":[],"next_collection_link":null,"total_size":7}"#,
                Link::Null,
                Total::Number(7),
            ),
            (
                r#"{"entries":[],"next_collection_link":"https://api.aweber.com/1.0/x","total_size":"7"}"#,
                Link::Absolute,
                Total::Text(7),
            ),
            (
                r#"{"entries":[],"next_collection_link":"http://api.aweber.com/1.0/x","total_size":-1}"#,
                Link::OtherScheme,
                Total::NotANumber,
            ),
            (
                r#"{"entries":[],"next_collection_link":"/1.0/x","total_size":null}"#,
                Link::Relative,
                Total::Absent,
            ),
            (
                r#"{"entries":[],"next_collection_link":"https://evil.example/","total_size":[]}"#,
                Link::OtherHost,
                Total::NotANumber,
            ),
            (
                r#"{"entries":[],"next_collection_link":7}"#,
                Link::Broken,
                Total::Absent,
            ),
        ] {
            let page = Listing::read(json.as_bytes(), &origin).unwrap();
            assert_eq!((page.next, page.total), (next, total), "{json}");
        }
        assert!(Listing::read(b"{}", &origin).is_none());
        assert!(Listing::read(b"<html>", &origin).is_none());
    }
}
