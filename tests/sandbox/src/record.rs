//! The record of each request, for tests that check what a client sent, where to, and how often.

use std::time::{Instant, SystemTime};

/// The two origins of AWeber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `api.aweber.com`
    Api,
    /// `auth.aweber.com`
    Auth,
}

/// The credentials of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// None.
    None,
    /// A bearer token in the header.
    Bearer(String),
    /// HTTP Basic.
    Basic {
        /// The client id.
        id: String,
        /// The client secret.
        secret: String,
    },
    /// An `access_token` in the query: AWeber accepts it, but no client should send it.
    Query(String),
    /// Any other header, as received.
    Other(String),
}

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its number, counted from 1 since the start of the sandbox, even if records have been cleared.
    pub number: u64,
    /// Arrival on the monotonic clock.
    pub at: Instant,
    /// Arrival on the system clock.
    pub at_time: SystemTime,
    /// The origin that it was sent to.
    pub origin: Origin,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query without the question mark; may be empty.
    pub query: String,
    /// Path and query as received.
    pub path_and_query: String,
    /// The decoded query.
    pub params: Vec<(String, String)>,
    /// The decoded fields of a form body; empty for other bodies.
    pub form: Vec<(String, String)>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Authorization`.
    pub authorization: Authorization,
    /// The status sent; `None` without an answer so far.
    pub status: Option<u16>,
    /// True if a fault applied to it.
    pub fault: bool,
}

impl Recorded {
    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        value_of(&self.params, name)
    }

    /// A field of the form.
    pub fn field(&self, name: &str) -> Option<&str> {
        value_of(&self.form, name)
    }

    /// The access token, in the header or in the query.
    pub fn access_token(&self) -> Option<&str> {
        match &self.authorization {
            Authorization::Bearer(token) | Authorization::Query(token) => Some(token),
            _ => None,
        }
    }
}

/// The first value of a name: later ones are ignored.
pub(crate) fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
