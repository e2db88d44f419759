//! The tokens: what the file contains, what is traded for new ones, how an answer is read, and how the next refresh
//! token is made durable before anything else is done with it (promise N1).

pub(crate) mod answer;
mod aside;
mod command;
mod fallback;
pub(crate) mod found;
pub(crate) mod grant;
mod home;
pub(crate) mod import;
pub(crate) mod imported;
pub(crate) mod journal;
pub(crate) mod model;
pub(crate) mod recovery;
pub(crate) mod signed_answer;
pub(crate) mod store;
pub(crate) mod unparsed;
