//! `aweber-sync completions` and `aweber-sync man`: made from the very definition that parses the command line.

use super::say;
use crate::cli;
use crate::error::{Error, Result};
use clap::CommandFactory;

/// Prints the completion script of a shell.
pub(crate) fn completions(args: &cli::Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut cli::Cli::command(),
        "aweber-sync",
        &mut script,
    );
    say(&String::from_utf8_lossy(&script))
}

/// Writes `aweber-sync.1` and a page for each command.
pub(crate) fn man(args: &cli::Man) -> Result<()> {
    clap_mangen::generate_to(cli::Cli::command(), &args.directory)
        .map_err(|e| Error::output("cannot write man pages into", &args.directory, &e))
}
