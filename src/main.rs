//! aweber-sync brings each new subscriber of an AWeber account into a CSV file, once.
//!
//! `main` reads the command line, starts logging, runs the command and turns its outcome into an exit code. The
//! modules are listed in the order in which data flows; each uses only those above it.

mod exit;
mod hardening;

mod error;

mod json;
mod printable;
mod record;
mod timestamp;

mod subscriber;

mod rows;

mod export;

mod cli;

mod config;

mod progress;

mod logging;

mod secret;

mod disk;

mod envelope;

mod stop;

mod token;

mod api;

mod authorization;

mod locks;

mod pages;

mod account;

mod lists;

mod ledger;

mod batch;

mod plan;

mod catch_up;

mod report;

mod job;

mod metrics;
mod ping;

mod commands;

use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    hardening::apply();
    let cli = cli::parse();
    let journal = logging::is_journal(&config::process_env);
    logging::start(
        logging::level(&cli, journal),
        cli.common.log_format,
        journal,
    );
    let exit = match run(&cli) {
        Ok(()) => Exit::Done,
        Err(error) => {
            error.log();
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

fn run(cli: &cli::Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Look at the sockets only when no task is ready: one that has just got new tokens stores them first.
        .event_interval(u32::MAX)
        .build()
        .map_err(|e| Error::new(Kind::LocalIo, format!("cannot start: {e}")))?;
    let outcome = runtime.block_on(command(cli));
    // Does not wait for a thread that prints to somebody who does not read.
    runtime.shutdown_background();
    outcome
}

async fn command(cli: &cli::Cli) -> Result<()> {
    let (common, env) = (&cli.common, &config::process_env);
    match &cli.command {
        cli::Cmd::Authorize(args) => commands::authorize::authorize(common, args, env).await,
        cli::Cmd::Run(args) => commands::run::run(common, args, env).await,
        cli::Cmd::Lists(args) => commands::lists::lists(common, args, env).await,
        cli::Cmd::Status(args) => commands::status::status(common, args, env).await,
        cli::Cmd::Forget(args) => commands::forget::forget(common, args, env).await,
        cli::Cmd::Revoke(args) => commands::revoke::revoke(common, args, env).await,
        cli::Cmd::Completions(args) => commands::generate::completions(args),
        cli::Cmd::Man(args) => commands::generate::man(args),
    }
}
