//! The commands, one module each. They know all the other modules; nobody knows them but `main`.

pub(crate) mod authorize;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod lists;
pub(crate) mod revoke;
pub(crate) mod run;
pub(crate) mod status;

use crate::error::{Error, Kind, Result};
use std::io::Write;

/// Prints what was asked for, to standard output. Logs and errors go to standard error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| {
            Error::new(
                Kind::Output,
                format!("cannot write to standard output: {e}"),
            )
            .safe("what the command had done before it spoke is stored")
            .next("look at what takes its output: a disk without room, or a program that has ended")
        })
}
