//! aweber-sync brings each new subscriber of an AWeber account into a CSV file, once.
//!
//! `main` reads the command line, starts logging, runs the command and turns its outcome into an exit code. The
//! modules are listed in the order in which data flows; each uses only those above it.

mod exit;

mod error;

mod cli;
mod config;
mod logging;
mod secret;
mod stamp;

mod disk;

mod token;

mod stop;

mod api;
mod authorization;

mod subscriber;

mod pages;

mod rows;

mod layout;

mod lists;
mod render;

mod ledger;

mod batch;

mod catch_up;
mod plan;
mod report;
mod workplace;

mod commands;

use crate::error::{Error, Result};
use crate::exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::parse();
    let journal = logging::is_journal(&config::process_env);
    logging::start(logging::level(&cli.common, journal), journal);
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Look at the sockets only when no task is ready: one that has just got new tokens stores them first.
        .event_interval(u32::MAX)
        .build()
        .map_err(|e| Error::new(Exit::LocalIo, format!("cannot start: {e}")))
        .and_then(|runtime| runtime.block_on(command(&cli)));
    match outcome {
        Ok(()) => ExitCode::from(Exit::Done.code()),
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit().code())
        }
    }
}

async fn command(cli: &cli::Cli) -> Result<()> {
    match &cli.command {
        cli::Cmd::Authorize(args) => {
            commands::authorize::authorize(&cli.common, args, &config::process_env).await
        }
        cli::Cmd::Run(args) => {
            let (summary, outcome) =
                commands::run::run(&cli.common, args, &config::process_env).await;
            if outcome.is_ok() {
                tracing::info!("{}", summary.line());
            }
            outcome
        }
    }
}
