//! The command line as typed: clap structs and help texts, without judgement. Every option has an environment
//! variable; a secret has no option, since any user of the machine can read the arguments of a process.

mod commands;
mod common;
mod given;
mod run;
mod usage;
mod values;

pub(crate) use self::commands::{
    Authorize, Check, Completions, Forget, Lists, Man, Revoke, Status,
};
pub(crate) use self::common::{Common, LogFormat, Network};
pub(crate) use self::run::Run;

use self::values::{ignore_empty_variables, split_variable};
use crate::error::Result;
use crate::exit::{self, Exit};
use crate::typed::Typed;
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

/// The variables that hold a secret or name its file: without an option, and not inherited by other programs.
pub(crate) const SECRET_VARIABLES: [&str; 4] = [
    "AWEBER_CLIENT_SECRET",
    "AWEBER_CLIENT_SECRET_FILE",
    "AWEBER_SYNC_PING_URL",
    "AWEBER_SYNC_PING_URL_FILE",
];

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "aweber-sync",
    version,
    long_version = env!("AWEBER_SYNC_LONG_VERSION"),
    about = "Export each new subscriber of an AWeber account to CSV, exactly once.",
    long_about = "Export each new subscriber of an AWeber account to CSV, exactly once.\n\n\
        Connect an account with `aweber-sync authorize`, then run `aweber-sync run` from cron.",
    after_help = "Each option can also be set by the environment variable shown next to it; an empty variable counts as unset.",
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Cmd,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Cmd {
    Authorize(Authorize),
    Run(Run),
    Check(Check),
    Lists(Lists),
    Status(Status),
    Forget(Forget),
    Revoke(Revoke),
    Completions(Completions),
    Man(Man),
}

/// The definition that parsing, completions and man pages share.
pub(crate) fn definition() -> Command {
    let exit_codes = exit::help();
    let run = Run::augment_args(Command::new("run"));
    Cli::command()
        .mut_args(complete_argument)
        .after_long_help(&exit_codes)
        .mut_subcommands(|command| {
            command
                .mut_args(complete_argument)
                .after_long_help(&exit_codes)
        })
        .mut_subcommand("check", |command| {
            command.mut_args(|argument| hide_option_of_run(argument, &run))
        })
}

/// `check` takes the options of `run`, and its help refers to them.
fn hide_option_of_run(argument: Arg, run: &Command) -> Arg {
    let is_shared = argument.get_help_heading().is_some();
    let is_of_run = run
        .get_arguments()
        .any(|known| known.get_id() == argument.get_id());
    argument.hide(is_of_run && !is_shared)
}

/// Every environment variable that belongs to this program.
pub(crate) fn known_variables() -> Vec<String> {
    let command = definition();
    let of = |command: &Command| {
        let named = command.get_arguments().filter_map(Arg::get_env);
        named
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let mut names = of(&command);
    names.extend(command.get_subcommands().flat_map(of));
    names.extend(SECRET_VARIABLES.map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

/// What holds for every argument: help shows no value from the environment, and the variable of a switch may be `1` or
/// `yes`.
fn complete_argument(argument: Arg) -> Arg {
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let argument = argument.hide_env_values(true);
    if is_switch {
        argument.value_parser(BoolishValueParser::new())
    } else {
        argument
    }
}

/// How to log, as far as the command line can be read.
#[derive(Debug)]
pub(crate) struct LogOptions {
    pub(crate) format: LogFormat,
    pub(crate) verbose: u8,
    pub(crate) quiet: bool,
    pub(crate) level: Option<LevelFilter>,
    pub(crate) dry_run: bool,
}

impl LogOptions {
    fn of(cli: &Cli) -> LogOptions {
        let common = &cli.common;
        LogOptions {
            format: common.log_format,
            verbose: common.verbose,
            quiet: common.quiet,
            level: common.log,
            dry_run: matches!(&cli.command, Cmd::Run(run) if run.dry_run),
        }
    }

    /// For the error of a command line that is wrong elsewhere.
    fn of_format(format: Option<LogFormat>) -> LogOptions {
        LogOptions {
            format: format.unwrap_or(LogFormat::Text),
            verbose: 0,
            quiet: true,
            level: None,
            dry_run: false,
        }
    }
}

/// Parses the command line; `--help` and `--version` (0), and no argument at all (2), print and exit. Errors: 2.
pub(crate) fn parse() -> (LogOptions, Result<Cli>) {
    let mut command = ignore_empty_variables(definition());
    if std::env::args_os().len() <= 1 {
        // clap's own check would count options set by the environment. A failure to print changes nothing.
        let _ = command.print_help();
        std::process::exit(Exit::Usage.code().into());
    }
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (mut cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(e) if !e.use_stderr() => e.exit(),
        Err(e) => {
            let format = usage::log_format(command.clone());
            return (
                LogOptions::of_format(format),
                Err(usage::error(&e, &command)),
            );
        }
    };
    let run = match &mut cli.command {
        Cmd::Run(run) => Some(run),
        Cmd::Check(check) => Some(&mut check.run),
        _ => None,
    };
    if let (Some(run), Some((_, matches))) = (run, matches.subcommand()) {
        split_variable(&mut run.lists, matches, "lists");
        split_variable(&mut run.exclude_lists, matches, "exclude_lists");
    }
    let state_directory = std::env::var_os("STATE_DIRECTORY");
    let authorize = match &cli.command {
        Cmd::Authorize(authorize) => Some(authorize),
        _ => None,
    };
    let given = given::options(&cli.common, authorize, &matches);
    Typed::new(given, state_directory).set();
    (LogOptions::of(&cli), Ok(cli))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn every_option_of_run_except_v_and_q_has_a_variable() {
        let command = definition();
        let run = command.find_subcommand("run").unwrap();
        for arg in run.get_arguments().chain(command.get_arguments()) {
            let id = arg.get_id().as_str();
            if !["verbose", "quiet", "help", "version"].contains(&id) {
                assert!(arg.get_env().is_some(), "{id}");
            }
        }
    }
}
