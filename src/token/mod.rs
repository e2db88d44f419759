//! The tokens: what the file holds, how a refresh answer is understood, and how the next refresh token is made
//! durable before anything else is done with it (promise N1).

mod fallback;
pub(crate) mod import;
pub(crate) mod model;
pub(crate) mod refresh;
pub(crate) mod reservation;
pub(crate) mod store;
