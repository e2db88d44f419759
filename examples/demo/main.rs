//! The whole job in about five seconds, without an AWeber account: `cargo run --example demo`.
//!
//! Builds the program, starts a sandbox AWeber on loopback and runs the real commands against it, with their real
//! output. Every claim is checked against the data in the sandbox; the demo exits with 1 if one is false.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints to the terminal"
)]

#[path = "../support/build.rs"]
mod build;
mod checks;
mod output;
mod program;
mod scenario;

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Shows the whole job in six steps: connect, export, a changing list, two kills, and a final check.
#[derive(Parser)]
struct Options {
    /// Keep the directory with the token file, the ledger and the exported files
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    output::text("Building the program: cargo build --bin aweber-sync");
    let binary = build::build("demo", None)?;
    let start = Instant::now();
    let directory = tempfile::Builder::new()
        .prefix("aweber-sync-demo-")
        .tempdir()?;
    let outcome = scenario::run(binary, directory.path());
    if options.keep || outcome.is_err() {
        let kept = directory.keep();
        output::text(&format!("Kept for inspection: {}", kept.display()));
    } else {
        directory.close()?;
        output::text("The demo directory has been removed (use --keep to keep it).");
    }
    outcome?;
    let seconds = start.elapsed().as_secs_f32();
    output::text(&format!("All checks passed. ({seconds:.1} s)"));
    Ok(())
}
