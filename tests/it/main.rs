//! The program as its users meet it: the real binary, over real HTTP to the sandbox, on a real file system. One
//! module a promise; `support` holds what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod authorize;
mod authorize_import;
mod authorize_keeps;
mod authorize_refused;
mod first_export;
mod modes;
mod nobody_gets_in;
mod readme;
mod secrets;
mod token_answers;
mod token_disk;
mod token_file;
mod tokens;
mod tokens_during_a_run;
mod support;
