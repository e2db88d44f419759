//! The whole job in some five seconds, without an AWeber account: `cargo run --example demo`.
//!
//! Builds the program, starts a sandbox AWeber on loopback and tells a story with the real commands and their real
//! output. Every claim is checked against what the sandbox knows; the demo exits 1 if one of them is not true.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to the terminal"
)]

mod books;
mod program;
mod story;
mod teller;

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

/// Why the demo cannot go on, in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A story in six chapters: connect, export, a changing list, two kills, and the books.
#[derive(Parser)]
struct Options {
    /// Keep the directory with the token file, the ledger and the exported files
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match build_and_tell(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("\ndemo: THIS IS NOT AS IT SHOULD BE: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn build_and_tell(options: &Options) -> Result<()> {
    let binary = program::build()?;
    let began = Instant::now();
    let directory = tempfile::Builder::new()
        .prefix("aweber-sync-demo-")
        .tempdir()?;
    let outcome = story::tell(binary, directory.path());
    if options.keep || outcome.is_err() {
        let kept = directory.keep();
        teller::text(&format!("Kept for you to look at: {}", kept.display()));
    } else {
        directory.close()?;
        teller::text("The directory of the demo is removed again (--keep keeps it).");
    }
    outcome?;
    let seconds = began.elapsed().as_secs_f32();
    teller::text(&format!(
        "All of it was checked, and is true. ({seconds:.1} s)"
    ));
    Ok(())
}

/// Ends the demo with `wrong` unless `is_true`.
fn check(is_true: bool, wrong: impl Into<String>) -> Result<()> {
    if is_true {
        Ok(())
    } else {
        Err(wrong.into().into())
    }
}
