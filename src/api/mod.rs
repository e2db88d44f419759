//! Talking to AWeber: one HTTP client with limits, what to do about each answer, and the session that owns the
//! current token.

mod ahead;
pub(crate) mod http;
pub(crate) mod rate;
pub(crate) mod reaction;
pub(crate) mod refresh;
pub(crate) mod retry;
pub(crate) mod session;
pub(crate) mod token_request;
