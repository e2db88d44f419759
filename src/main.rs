//! aweber-sync exports each new subscriber of an AWeber account to CSV, exactly once.
//!
//! `main` parses the command line, starts logging, makes the configuration, runs the command and turns its outcome into
//! an exit code. The modules are listed in the order in which data flows; each uses only those above it.

mod exit;

mod typed;

mod hardening;

mod printable;

mod error;

mod json;
mod record;
mod timestamp;

mod subscriber;

mod rows;

mod export;

mod secret;

mod cli;

mod disk;

mod config;

mod progress;

mod logging;

mod stdout;

mod descriptors;

mod envelope;

mod stop;

mod token;

mod api;

mod authorization;

mod locks;

mod pages;

mod account;

mod connect;

mod lists;

mod ledger;

mod batch;

mod plan;

mod catch_up;

mod report;

mod job;

mod commands;

use crate::config::Command;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    hardening::apply();
    let (log, cli) = cli::parse();
    logging::start(&log, &config::process_env);
    let command = cli.and_then(|cli| Command::new(cli, &config::process_env));
    let command = command.map_err(|e| e.or_safe("nothing was changed and no token was spent"));
    let exit = match command.and_then(run) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let error = error.completed();
            error.log();
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

fn run(command: Command) -> Result<()> {
    descriptors::check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Poll sockets only when no task is ready: a task that has just received tokens stores them first.
        .event_interval(u32::MAX)
        .build()
        .map_err(|e| {
            Error::new(
                Kind::LocalIo,
                format!("cannot start the async runtime: {e}"),
            )
        })?;
    let outcome = runtime.block_on(carry_out(command));
    // Unlike a drop, does not wait for a thread that is blocked on writing to standard output.
    runtime.shutdown_background();
    outcome
}

async fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Authorize(config) => commands::authorize::authorize(config).await,
        Command::Run(watchers, config) => commands::run::run(watchers, &config).await,
        Command::Check(config) => commands::check::check(*config).await,
        Command::Lists(config) => commands::lists::lists(config).await,
        Command::Status(config) => commands::status::status(config),
        Command::Forget(config) => commands::forget::forget(config).await,
        Command::Revoke(config) => commands::revoke::revoke(config).await,
        Command::Completions(shell) => commands::generate::completions(shell),
        Command::Man(directory) => commands::generate::man(&directory),
    }
}

#[cfg(test)]
mod fuzz;
