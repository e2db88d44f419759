//! `aweber-sync completions` and `aweber-sync man`, generated from the definition that parses the command line.

use super::print;
use crate::cli;
use crate::error::{Error, Result};
use clap_complete::Shell;
use std::path::Path;

/// Prints the completion script for a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::definition(), "aweber-sync", &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 escapes the hyphen in our name differently in the labels of its script and in the jumps to them:
    // nothing after a command would be completed.
    print(&script.replace("aweber__subcmd__sync__", "aweber__sync__"))
}

/// Writes `aweber-sync.1` and one page per command.
pub(crate) fn man(directory: &Path) -> Result<()> {
    clap_mangen::generate_to(cli::definition(), directory)
        .map_err(|e| Error::output("cannot write man pages to", directory, &e))
}
