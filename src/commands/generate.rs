//! `aweber-sync completions` and `aweber-sync man`: made from the very definition that parses the command line.

use super::print;
use crate::cli;
use crate::error::{Error, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

/// Prints the completion script of a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::Cli::command(), "aweber-sync", &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 takes the hyphen in our name for one between commands, in the labels that its script jumps to
    // and not in the jumps: nothing after a command would be completed.
    print(&script.replace("aweber__subcmd__sync__", "aweber__sync__"))
}

/// Writes `aweber-sync.1` and a page for each command.
pub(crate) fn man(directory: &Path) -> Result<()> {
    clap_mangen::generate_to(cli::Cli::command(), directory)
        .map_err(|e| Error::output("cannot write man pages into", directory, &e))
}
