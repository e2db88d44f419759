//! What the sandbox remembers of each request, for tests that ask what a client sent, where, and how often.

use std::time::{Instant, SystemTime};

/// Which of the two origins a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `api.aweber.com`
    Api,
    /// `auth.aweber.com`
    Auth,
}

/// How a request said who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Not at all.
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
    /// An `access_token` in the query: AWeber takes it, but no client should send it.
    Query(String),
    /// Anything else, as it came.
    Other(String),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its number since the start, from 1; it goes on counting when the records are cleared.
    pub number: u64,
    /// When it arrived, on the monotonic clock.
    pub at: Instant,
    /// When it arrived, on the machine's clock.
    pub at_time: SystemTime,
    /// Where it arrived.
    pub origin: Origin,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query without the question mark; empty if there is none.
    pub query: String,
    /// Path and query as they came.
    pub path_and_query: String,
    /// The query, decoded.
    pub params: Vec<(String, String)>,
    /// The fields of a form body, decoded; empty for other bodies.
    pub form: Vec<(String, String)>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Authorization`.
    pub authorization: Authorization,
    /// The status sent; none if no answer went out (or not yet).
    pub status: Option<u16>,
    /// The answer was a fault on order, not AWeber's.
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

    /// The access token it carried, in whatever way.
    pub fn access_token(&self) -> Option<&str> {
        match &self.authorization {
            Authorization::Bearer(token) | Authorization::Query(token) => Some(token),
            _ => None,
        }
    }
}

/// The first value of a name, which is the one that counts.
pub(crate) fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
