//! One page of a collection (AWeber API, section 2) and the query for it. Any other body, and a link to elsewhere, is
//! an error: a maintenance page must not count as an empty list. Pure.

use crate::subscriber::feed::Feed;
use crate::subscriber::read::Entries;
use crate::subscriber::{Entry, RowKey, Subscriber};
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use url::Url;

/// The largest page size of AWeber.
pub(crate) const PAGE_SIZE: u64 = 100;

/// A collection and its filters, without an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The absolute path below the origin.
    pub(crate) path: String,
    /// Filters and order, as names and values.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// How its rows are identified; any will do for a collection without subscribers.
    pub(crate) feed: Feed,
}

impl Query {
    /// A whole collection of anything.
    pub(crate) fn all(path: String) -> Query {
        Query {
            path,
            parameters: Vec::new(),
            feed: Feed::Arrivals,
        }
    }

    /// The find of subscribers (AWeber API, section 3), oldest first.
    pub(crate) fn find(path: String, feed: Feed) -> Query {
        Query {
            path,
            parameters: vec![
                ("ws.op", "find".to_owned()),
                ("sort_key", feed.time_field().to_owned()),
                ("sort_order", "asc".to_owned()),
            ],
            feed,
        }
    }

    /// Returns the path and query of the page at `offset`, counted in rows from 0.
    pub(crate) fn page(&self, offset: u64) -> String {
        self.with(&[
            ("ws.start", offset.to_string()),
            ("ws.size", PAGE_SIZE.to_string()),
        ])
    }

    /// Its filters, for people.
    pub(crate) fn filters(&self) -> String {
        let filters = self
            .parameters
            .iter()
            .filter(|(name, _)| *name != "ws.op" && !name.starts_with("sort_"));
        let filters: Vec<String> = filters
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        filters.join(" and ")
    }

    /// Returns the path and query of the number of rows.
    pub(crate) fn count(&self) -> String {
        self.with(&[("ws.show", "total_size".to_owned())])
    }

    fn with(&self, more: &[(&str, String)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.parameters.iter().map(|(n, v)| (*n, v.as_str())));
        query.extend_pairs(more.iter().map(|(n, v)| (*n, v.as_str())));
        format!("{}?{}", self.path, query.finish())
    }
}

/// A page as received; its entries are spans of the body.
#[derive(Debug)]
pub(crate) struct Page {
    body: String,
    entries: Vec<Entry>,
    /// The page has a link to another one.
    pub(crate) has_next: bool,
    /// The size of the whole collection, if given; searches (`ws.op=find`) do not give it.
    pub(crate) total_size: Option<u64>,
}

impl Page {
    /// Reads the answer to `query`. The error is the reason why it cannot be used, for instance an entry without an id.
    pub(crate) fn parse(body: Vec<u8>, query: &Query, origin: &Url) -> Result<Page, String> {
        let page = Page::read(body, query, origin)?;
        match page.entries.iter().all(|entry| entry.has_id) {
            true => Ok(page),
            false => Err("an entry has no id".to_owned()),
        }
    }

    /// As [`Page::parse`], but an entry without an id keeps its position among others that have one. If none has, it is
    /// not a page of subscribers.
    pub(crate) fn parse_rows(body: Vec<u8>, query: &Query, origin: &Url) -> Result<Page, String> {
        let page = Page::read(body, query, origin)?;
        match page.entries.is_empty() || page.entries.iter().any(|entry| entry.has_id) {
            true => Ok(page),
            false => Err("no entry has an id".to_owned()),
        }
    }

    fn read(body: Vec<u8>, query: &Query, origin: &Url) -> Result<Page, String> {
        let body = utf8(body);
        let envelope = Envelope::read(&body, query.feed)
            .map_err(|e| format!("it is not a collection ({e})"))?;
        let entries = envelope.entries;
        let link = envelope.next_collection_link.map(RawValue::get);
        let has_next = match link.map(serde_json::from_str::<Option<String>>) {
            None | Some(Ok(None)) => false,
            Some(Ok(Some(link))) => {
                check_link(&link, &query.path, origin)?;
                true
            }
            Some(Err(_)) => return Err("its next_collection_link is not a link".to_owned()),
        };
        let total_size = envelope
            .total_size
            .and_then(|total| read_count(total.get().as_bytes()));
        Ok(Page {
            body,
            entries,
            has_next,
            total_size,
        })
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The row keys of the entries, in order.
    pub(crate) fn keys(&self) -> Vec<&RowKey> {
        self.entries.iter().map(|entry| &entry.key).collect()
    }

    /// Whether entry `i` has an id.
    pub(crate) fn has_id(&self, i: usize) -> bool {
        self.entries[i].has_id
    }

    /// The entries, in order.
    pub(crate) fn subscribers(&self) -> impl Iterator<Item = Subscriber<'_>> {
        (0..self.len()).map(|i| self.subscriber(i))
    }

    /// Entry `i`.
    pub(crate) fn subscriber(&self, i: usize) -> Subscriber<'_> {
        Subscriber::new(&self.body, &self.entries[i])
    }
}

/// The parts of a collection that are used.
struct Envelope<'a> {
    entries: Vec<Entry>,
    next_collection_link: Option<&'a RawValue>,
    total_size: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    fn read(body: &'a str, feed: Feed) -> serde_json::Result<Envelope<'a>> {
        let mut deserializer = serde_json::Deserializer::from_str(body);
        let envelope = deserializer.deserialize_map(EnvelopeVisitor(Entries(body, feed)))?;
        deserializer.end()?;
        Ok(envelope)
    }
}

/// Reads the envelope around these entries.
struct EnvelopeVisitor<'a>(Entries<'a>);

impl<'de> Visitor<'de> for EnvelopeVisitor<'de> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a collection")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let (mut entries, mut next_collection_link, mut total_size) = (None, None, None);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let is_duplicate = match &*key {
                "entries" => entries.replace(map.next_value_seed(self.0)?).is_some(),
                "next_collection_link" => next_collection_link.replace(map.next_value()?).is_some(),
                "total_size" => total_size.replace(map.next_value()?).is_some(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if is_duplicate {
                return Err(Error::custom(format!("duplicate key {key}")));
            }
        }
        Ok(Envelope {
            entries: entries.ok_or_else(|| Error::missing_field("entries"))?,
            next_collection_link,
            total_size,
        })
    }
}

/// Returns the body as text, with the replacement character for each invalid byte, so that one of them does not hide a
/// page.
pub(crate) fn utf8(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Rejects a link to another host or another collection. Its scheme does not matter: old links have http, and requests
/// never use it.
fn check_link(link: &str, path: &str, origin: &Url) -> Result<(), String> {
    let url = origin
        .join(link)
        .map_err(|_| "its next_collection_link is not a link".to_owned())?;
    let same_host = url.host() == origin.host();
    let same_port = url
        .port()
        .is_none_or(|port| Some(port) == origin.port_or_known_default());
    if !same_host || !same_port || !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "its next_collection_link points to another host ({})",
            url.host_str().unwrap_or("none")
        ));
    }
    if url.path().trim_end_matches('/') != path.trim_end_matches('/') {
        return Err("its next_collection_link points to another collection".to_owned());
    }
    Ok(())
}

/// Reads the answer to `ws.show=total_size`: a number, a string, or an object with one (AWeber API, section 2).
pub(crate) fn read_count(body: &[u8]) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let value = value.get("total_size").unwrap_or(&value);
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Page, String> {
        let query = Query::all("/1.0/accounts/1/lists/2/subscribers".into());
        Page::parse(
            body.into(),
            &query,
            &Url::parse("https://api.aweber.com").unwrap(),
        )
    }

    #[test]
    fn a_next_link_means_another_page() {
        for (link, more) in [
            ("", false),
            (r#","next_collection_link":null"#, false),
            (
                r#","next_collection_link":"https://api.aweber.com/1.0/accounts/1/lists/2/subscribers?ws.start=100""#,
                true,
            ),
            (
                r#","next_collection_link":"http://api.aweber.com/1.0/accounts/1/lists/2/subscribers?ws.start=100""#,
                true,
            ),
            (
                r#","next_collection_link":"https://api.aweber.com:443/1.0/accounts/1/lists/2/subscribers/?x""#,
                true,
            ),
            (
                r#","next_collection_link":"/1.0/accounts/1/lists/2/subscribers?ws.start=100""#,
                true,
            ),
        ] {
            let page = parse(&format!(
                r#"{{"entries":[{{"id":1}},{{"id":"2"}}],"total_size":"2"{link}}}"#
            ))
            .unwrap();
            assert_eq!(
                (page.has_next, page.len(), page.total_size),
                (more, 2, Some(2)),
                "{link}"
            );
            assert_eq!(page.subscriber(1).json(), r#"{"id":"2"}"#);
        }
    }

    #[test]
    fn other_bodies_and_foreign_links_are_errors() {
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"entries":{}}"#,
            r#"{"entries":[{"id":1}"#,
            r#"{"entries":[{"email":"a@b"}]}"#,
            r#"{"entries":[],"next_collection_link":7}"#,
            r#"{"entries":[],"next_collection_link":"https://evil.example/1.0/accounts/1/lists/2/subscribers"}"#,
            r#"{"entries":[],"next_collection_link":"https://api.aweber.com:8443/1.0/accounts/1/lists/2/subscribers"}"#,
            r#"{"entries":[],"next_collection_link":"//evil.example/1.0/accounts/1/lists/2/subscribers"}"#,
            r#"{"entries":[],"next_collection_link":"https://api.aweber.com/1.0/accounts/1/lists/3/subscribers"}"#,
            r#"{"entries":[],"next_collection_link":"file:///etc/passwd"}"#,
        ] {
            assert!(parse(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_count_has_three_forms() {
        for (body, count) in [
            ("205", Some(205)),
            (" 205\n", Some(205)),
            (r#""205""#, Some(205)),
            (r#"{"total_size":205}"#, Some(205)),
            (r#"{"entries":[]}"#, None),
            ("-1", None),
            ("<html>", None),
        ] {
            assert_eq!(read_count(body.as_bytes()), count, "{body}");
        }
    }

    #[test]
    fn query_values_are_encoded() {
        let query = Query {
            path: "/x".into(),
            parameters: vec![("ws.op", "find".into()), ("name", "a b&c".into())],
            feed: Feed::Arrivals,
        };
        assert_eq!(
            query.page(99),
            "/x?ws.op=find&name=a+b%26c&ws.start=99&ws.size=100"
        );
        assert_eq!(
            query.count(),
            "/x?ws.op=find&name=a+b%26c&ws.show=total_size"
        );
    }
}
