//! How fast and how frugal the program is, on your machine: `cargo run --release --example bench`.
//!
//! Builds the release binary, starts an AWeber in a process of its own (the sandbox, with pages put together in
//! advance, see [`server`]), and runs the program as a whole process: a first export, a run with a few new ones, an
//! idle run, and starting alone. Beside it the same work by curl, which does nothing with the pages, by the parser
//! alone, and, where they are there, by two other tools. `--at-the-limit` measures something else: how much of
//! `--requests-per-minute` an export uses when AWeber's rate limit is in force.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example talks to the terminal, and its files are scratch"
)]

mod limit;
mod measure;
mod program;
mod scenes;
mod server;
mod table;
mod yardsticks;

use clap::Parser;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why the bench cannot go on, in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures the release binary against a sandbox AWeber.
#[derive(Parser)]
struct Options {
    /// Subscribers on all lists together; comma-separated for more than one size
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// How often each thing is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Write everything measured to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The `aweber` command of the crate of that name, as a yardstick
    #[arg(long, value_name = "FILE", default_value = "aweber")]
    aweber_cli: PathBuf,
    /// A python3 that has requests and requests_oauthlib, for the other yardstick
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Exit 1 if one of the counts is not kept that hold on any machine: requests, memory, rows, size of the binary
    #[arg(long)]
    check: bool,
    /// Instead of all that: export for so many minutes at AWeber's rate limit
    #[arg(long, value_name = "MINUTES")]
    at_the_limit: Option<u64>,
    /// With --at-the-limit: how long each answer takes
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 300)]
    latency_ms: u64,
    /// With --at-the-limit: after 20 seconds somebody else uses up the limit once
    #[arg(long)]
    neighbour: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        // This program is also the server, and the parser alone, as processes of their own.
        Some("serve") => server::serve(arguments.next().as_deref()),
        Some("parse") => {
            yardsticks::parse(arguments.next().as_deref(), arguments.next().as_deref())
        }
        _ => bench(&Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("bench: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<()> {
    let binary = program::build()?;
    if let Some(minutes) = options.at_the_limit {
        return limit::at_the_limit(&binary, minutes, options.latency_ms, options.neighbour);
    }
    let mut results = vec![];
    let size = std::fs::metadata(&binary)?.len();
    println!("binary: {size} bytes");
    let start = scenes::cold_start(&binary)?;
    table::print("starting", &start);
    for subscribers in &options.sizes {
        let rows = scenes::size(&binary, *subscribers, options)?;
        table::print(
            &format!("{subscribers} subscribers on {} lists", server::LISTS),
            &rows,
        );
        results.push(json!({"subscribers": subscribers, "measured": rows.iter().map(table::json).collect::<Vec<_>>()}));
    }
    if let Some(file) = &options.json {
        let start = start.iter().map(table::json).collect::<Vec<_>>();
        let all = json!({"binary_bytes": size, "starting": start, "sizes": results});
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
    }
    Ok(())
}
