//! The commands, one module each. They use all other modules; only `main` uses them.

pub(crate) mod authorize;
pub(crate) mod check;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod lists;
pub(crate) mod revoke;
pub(crate) mod run;
pub(crate) mod status;

use crate::error::{Error, Kind, Result};
use crate::printable::printable_lines;
use std::io::Write;

/// Writes a command's result to standard output; logs and errors go to standard error. Names and paths in it cannot
/// control a terminal.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(printable_lines(text).as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| {
            Error::new(
                Kind::Output,
                format!("cannot write to standard output: {e}"),
            )
            .safe("changes made so far are saved")
            .next("check where its output goes: the disk may be full, or the reading program may have exited")
        })
}
