//! The program as its users meet it: the real binary, over real HTTP to the sandbox, on a real file system. One
//! module a promise; `support` holds what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod support;

mod append;
mod csv;
mod first_export;
mod ledger;
mod no_row_doubled;
mod one_at_a_time;
mod output_files;
mod outputs;
mod recovery;
mod signals;
mod small;
