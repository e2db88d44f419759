//! Measures time, memory and requests of the program: `cargo run --release --example bench`.
//!
//! Builds the release binary, starts an AWeber server in a process of its own (see [`serve`]), and runs the program as a
//! whole process: a first export, a run with a few new subscribers, an idle run, and start-up alone. Beside it, curl
//! fetches the same pages and discards them, the JSON parser runs alone, and two other tools are measured if they are
//! installed. `--program` measures another build beside the new one. `--instructions` counts instructions instead,
//! `--scale` measures many lists and a large ledger, and `--at-the-limit` how much of AWeber's rate limit an export uses,
//! alone or beside another client of the account. `--all` does everything.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example prints to the terminal, and its files are temporary"
)]

#[path = "../support/build.rs"]
mod build;
mod instructions;
mod limit;
mod measure;
mod pages;
mod program;
mod scale;
mod serve;
mod server;
mod table;
mod workloads;
mod yardsticks;

use clap::Parser;
use program::Build;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures the release binary against a sandbox AWeber.
#[derive(Clone, Parser)]
struct Options {
    /// Subscribers on all lists together; several sizes separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// Number of measurements of each kind
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Write all results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this build of aweber-sync too, for a comparison with the new one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Measure the `aweber` command of the crate of that name, if it is installed
    #[arg(long, value_name = "FILE", default_value = "aweber")]
    aweber_cli: PathBuf,
    /// Measure a script with this python3, which needs requests and requests_oauthlib
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Exit with 1 if a machine-independent limit is exceeded: requests, memory, exported rows, fsyncs, reads of the ledger
    #[arg(long)]
    check: bool,
    /// Instead of times: count the instructions of one first export per size with valgrind, or else with perf
    #[arg(long, conflicts_with_all = ["check", "at_the_limit"])]
    instructions: bool,
    /// Instead: measure idle and incremental runs with 1,000 lists and with 5,000,000 subscribers
    #[arg(long, conflicts_with_all = ["check", "at_the_limit", "instructions"])]
    scale: bool,
    /// Everything that docs/performance.md has; takes three quarters of an hour
    #[arg(long, conflicts_with_all = ["check", "at_the_limit", "instructions", "scale"])]
    all: bool,
    /// Instead of times: export for this many minutes at AWeber's rate limit
    #[arg(long, value_name = "MINUTES")]
    at_the_limit: Option<u64>,
    /// With --at-the-limit: delays of each answer, separated by commas
    #[arg(long, value_name = "MILLISECONDS", value_delimiter = ',', default_values_t = [300])]
    latency_ms: Vec<u64>,
    /// With --at-the-limit: requests a minute of another client of the account; several rates separated by commas
    #[arg(long, value_name = "REQUESTS", value_delimiter = ',')]
    neighbour: Vec<u64>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        // The bench starts itself as the server process and as the process that only parses.
        Some("serve") => serve::serve(arguments.next().as_deref()),
        Some("parse") => {
            yardsticks::parse(arguments.next().as_deref(), arguments.next().as_deref())
        }
        _ => bench(&Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<()> {
    let mut builds = vec![Build::new(build::build("bench", Some("release"))?)];
    if let Some(file) = &options.program {
        builds.push(Build::other(file)?);
    }
    let neighbours = match options.neighbour.as_slice() {
        [] => &[0],
        rates => rates,
    };
    let results = match options.at_the_limit {
        Some(minutes) => {
            return limit::at_the_limit(&builds, minutes, &options.latency_ms, neighbours);
        }
        None if options.instructions => instructions::first_exports(&builds, options)?,
        None if options.scale => json!({"scale": scale::measure(&builds, options)?}),
        None if options.all => all(&builds, options)?,
        None => times(&builds, options)?,
    };
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&results)?)?;
    }
    Ok(())
}

/// Each measurement, one after the other.
fn all(builds: &[Build], options: &Options) -> Result<Value> {
    let times = times(builds, options)?;
    let scale = scale::measure(builds, options)?;
    let few = Options {
        sizes: vec![10_000],
        ..options.clone()
    };
    let instructions = instructions::first_exports(builds, &few)?;
    println!("\n### at AWeber's rate limit\n");
    limit::at_the_limit(builds, 15, &[300, 900, 2000], &[0])?;
    limit::at_the_limit(builds, 7, &[300], &[30, 60, 100])?;
    Ok(json!({"times": times, "scale": scale, "instructions": instructions}))
}

fn times(builds: &[Build], options: &Options) -> Result<Value> {
    let mut sizes = vec![];
    for build in builds {
        println!("binary{}: {} bytes", build.suffix, build.bytes()?);
    }
    let start = workloads::start_up(builds)?;
    table::print("starting", &start);
    for subscribers in &options.sizes {
        let rows = workloads::measure_size(builds, *subscribers, options)?;
        let title = format!("{subscribers} subscribers on {} lists", server::LISTS);
        table::print(&title, &rows);
        sizes.push(json!({"subscribers": subscribers, "measured": table::json(&rows)}));
    }
    if options.check {
        scale::check(&builds[0])?;
    }
    Ok(json!({"binary_bytes": builds[0].bytes()?, "starting": table::json(&start), "sizes": sizes}))
}
