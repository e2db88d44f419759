//! The modules of the tests `sweep` and `power`, which disturb the same scenarios in different ways.

#![allow(dead_code, reason = "each test uses a part")]

#[allow(dead_code, unused_imports, reason = "shared with the tests in `it`")]
#[path = "../it/support/mod.rs"]
pub(crate) mod support;

pub(crate) mod chains;
pub(crate) mod errno;
pub(crate) mod exports;
pub(crate) mod fault;
pub(crate) mod judge;
pub(crate) mod kill;
pub(crate) mod report;
pub(crate) mod sample;
pub(crate) mod scenario;
pub(crate) mod setup;
pub(crate) mod single;
pub(crate) mod table;
pub(crate) mod tokens;
pub(crate) mod trace;
pub(crate) mod watch;
