//! Talking to AWeber: one HTTP client with limits, what to do about each answer, and the session that owns the
//! current token.

mod lookahead;
pub(crate) mod pacing;
pub(crate) mod reaction;
pub(crate) mod refresh;
pub(crate) mod retry;
pub(crate) mod session;
pub(crate) mod token_request;
pub(crate) mod transport;
