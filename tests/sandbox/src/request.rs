//! A request, read in full and parsed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::record::{Authorization, Origin, value_of};

const FORM: &str = "application/x-www-form-urlencoded";

/// A request whose body has been read.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// A fault lifts the limit on `ws.size`.
    pub(crate) any_page_size: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A parameter of the query; an empty one counts as absent.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        value_of(&self.params, name).filter(|value| !value.is_empty())
    }

    /// The same request for another page, of any size.
    pub(crate) fn for_page(&self, start: impl Fn(u64) -> u64, size: u64) -> Request {
        let requested = self.param("ws.start").and_then(|text| text.parse().ok());
        let mut other = Request {
            any_page_size: true,
            ..self.clone()
        };
        other
            .params
            .retain(|(key, _)| key != "ws.start" && key != "ws.size");
        for (key, value) in [
            ("ws.start", start(requested.unwrap_or(0))),
            ("ws.size", size),
        ] {
            other.params.push((key.to_owned(), value.to_string()));
        }
        other
    }

    /// Path and query as received.
    pub(crate) fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    fn has_type(&self, expected: &str) -> bool {
        self.header("content-type")
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
    }

    /// The fields of a form body; empty for other bodies.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        match self.has_type(FORM) {
            true => form_urlencoded::parse(&self.body).into_owned().collect(),
            false => Vec::new(),
        }
    }

    /// The fields of a POST: a form, an object of JSON (as AWeber's PHP samples send a refresh), or the query with an
    /// empty body (as they trade a code). `None` for any other body.
    pub(crate) fn fields(&self) -> Option<Vec<(String, String)>> {
        if self.has_type(FORM) && !self.body.is_empty() {
            Some(self.form())
        } else if self.has_type("application/json") {
            let object: Map<String, Value> = serde_json::from_slice(&self.body).ok()?;
            let texts = object.into_iter().filter_map(|(name, value)| match value {
                Value::String(text) => Some((name, text)),
                _ => None,
            });
            Some(texts.collect())
        } else if self.body.is_empty() && self.method == "POST" {
            Some(self.params.clone())
        } else {
            None
        }
    }

    /// The credentials as sent, in the header or, without a header, in the query.
    pub(crate) fn authorization(&self) -> Authorization {
        let Some(header) = self.headers.get("authorization") else {
            return match self.param("access_token") {
                Some(token) => Authorization::Query(token.to_owned()),
                None => Authorization::None,
            };
        };
        let text = String::from_utf8_lossy(header.as_bytes()).into_owned();
        let (scheme, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Authorization::Bearer(rest.to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(bytes) = STANDARD.decode(rest)
            && let Ok(pair) = String::from_utf8(bytes)
            && let Some((id, secret)) = pair.split_once(':')
        {
            return Authorization::Basic {
                id: id.to_owned(),
                secret: secret.to_owned(),
            };
        }
        Authorization::Other(text)
    }
}
