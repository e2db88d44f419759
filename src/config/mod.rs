//! The command to carry out, complete and checked: made once from command line and environment, before anything is
//! changed. Reads no files except those that hold secrets.

mod env;
mod layout;
mod network;
mod paths;
mod secrets;
mod since;

pub(crate) use self::env::{Env, aweber_variables, process_env};
pub(crate) use self::network::Network;
pub(crate) use self::paths::{Paths, absolute};
pub(crate) use self::secrets::ClientSecret;
pub(crate) use self::since::{Since, in_the_future};

use crate::cli;
use crate::error::Result;
use crate::export::Layout;
use crate::secret::SecretString;
use crate::subscriber::Status as SubscriberStatus;
use chrono::NaiveDate;
use std::path::PathBuf;
use std::time::Duration;

/// A command with its configuration.
#[derive(Debug)]
pub(crate) enum Command {
    Authorize(Authorize),
    Run(Watchers, Box<Run>),
    Check(Box<Check>),
    Lists(Lists),
    Status(Status),
    Forget(Forget),
    Revoke(Revoke),
    Completions(clap_complete::Shell),
    /// The directory to write the pages into.
    Man(PathBuf),
}

/// Configuration of a command that talks to AWeber.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) paths: Paths,
    pub(crate) network: Network,
    pub(crate) client: Client,
    /// How long to wait for another run to finish.
    pub(crate) lock_wait: Duration,
}

/// The client as configured; what is missing comes from the token file.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<ClientSecret>,
}

#[derive(Debug)]
pub(crate) struct Authorize {
    pub(crate) base: Base,
    pub(crate) flow: Flow,
    pub(crate) redirect_uri: String,
    /// OAuth 1.0a, whatever the token file has.
    pub(crate) oauth1: bool,
    /// Replace the tokens even if they belong to another account.
    pub(crate) force: bool,
}

/// How to obtain the tokens.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Print the authorization URL and ask for the code.
    Prompt,
    /// Print the authorization URL only.
    PrintUrl,
    /// Complete the authorization begun by `PrintUrl` with this code or redirect URL; `-`: read from standard input.
    Code(String),
    /// Take over the tokens in another program's credentials file.
    Import(PathBuf),
}

/// Where a run is reported to; a dry run is not reported.
#[derive(Debug)]
pub(crate) struct Watchers {
    pub(crate) metrics_file: Option<PathBuf>,
    pub(crate) ping_url: Option<SecretString>,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) base: Base,
    /// As typed, since a trailing slash means a directory. `None`: `exports/` in the state directory.
    pub(crate) output: Option<PathBuf>,
    pub(crate) output_mode: u32,
    /// Ids, unique_list_ids or names; all lists if empty.
    pub(crate) lists: Vec<String>,
    pub(crate) exclude_lists: Vec<String>,
    pub(crate) since: Since,
    pub(crate) statuses: Vec<SubscriberStatus>,
    pub(crate) layout: Layout,
    pub(crate) full: bool,
    pub(crate) dry_run: bool,
    pub(crate) max_duration: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) base: Base,
    /// The options of `run`, or what is wrong with them.
    pub(crate) run: Result<Run>,
    pub(crate) watchers: Result<Watchers>,
    pub(crate) report: Option<PathBuf>,
    pub(crate) refresh: bool,
    /// `--probe-rotation`: whether without asking.
    pub(crate) probe_rotation: Option<bool>,
    pub(crate) json: bool,
    /// `-v`: also show what is as expected.
    pub(crate) verbose: bool,
}

#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) base: Base,
    pub(crate) json: bool,
}

#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) paths: Paths,
    pub(crate) json: bool,
    pub(crate) max_age: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Forget {
    pub(crate) base: Base,
    /// An id, unique_list_id or name; all lists without it.
    pub(crate) list: Option<String>,
    /// Forget this person instead of the list.
    pub(crate) subscriber: Option<i64>,
    /// Forget only the subscriptions of this day (UTC) or later.
    pub(crate) since: Option<NaiveDate>,
}

#[derive(Debug)]
pub(crate) struct Revoke {
    pub(crate) base: Base,
}

impl Command {
    /// Checks the command line and completes it from the environment.
    ///
    /// Errors: 2 for an invalid value, 78 for an invalid URL or an unreadable secret.
    pub(crate) fn new(cli: cli::Cli, env: Env<'_>) -> Result<Command> {
        let common = cli.common;
        let base = |network: &cli::Network| Base::new(&common, network, env);
        Ok(match cli.command {
            cli::Cmd::Authorize(args) => Command::Authorize(Authorize {
                base: base(&args.network)?,
                flow: match (args.import, args.print_url, args.code) {
                    (Some(file), ..) => Flow::Import(file),
                    (None, true, _) => Flow::PrintUrl,
                    (None, false, Some(code)) => Flow::Code(code),
                    (None, false, None) => Flow::Prompt,
                },
                redirect_uri: args.redirect_uri,
                oauth1: args.oauth1,
                force: args.force,
            }),
            cli::Cmd::Run(args) => {
                let watchers = Watchers::new(&args, env)?;
                Command::Run(watchers, Box::new(Run::new(&common, args, env)?))
            }
            cli::Cmd::Check(args) => Command::Check(Box::new(Check::new(&common, args, env)?)),
            cli::Cmd::Lists(args) => Command::Lists(Lists {
                base: base(&args.network)?,
                json: args.json,
            }),
            cli::Cmd::Status(args) => Command::Status(Status {
                paths: Paths::new(&common, env)?,
                json: args.json,
                max_age: args.max_age,
            }),
            cli::Cmd::Forget(args) => Command::Forget(Forget {
                since: args.since.as_deref().map(since::parse_day).transpose()?,
                base: base(&args.network)?,
                list: args.list,
                subscriber: args.subscriber,
            }),
            cli::Cmd::Revoke(args) => Command::Revoke(Revoke {
                base: base(&args.network)?,
            }),
            cli::Cmd::Completions(args) => Command::Completions(args.shell),
            cli::Cmd::Man(args) => Command::Man(args.directory),
        })
    }
}

impl Base {
    fn new(common: &cli::Common, network: &cli::Network, env: Env<'_>) -> Result<Base> {
        Ok(Base {
            paths: Paths::new(common, env)?,
            network: Network::new(common, network)?,
            client: Client {
                id: common.client_id.clone(),
                secret: secrets::client_secret(env)?,
            },
            lock_wait: network.lock_wait,
        })
    }
}

impl Client {
    /// The secret, whatever its source.
    pub(crate) fn secret(&self) -> Option<SecretString> {
        self.secret.as_ref().map(|secret| secret.value.clone())
    }

    /// Whether the secret is in a file, so that nothing else need keep it.
    pub(crate) fn secret_is_in_a_file(&self) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.from_file)
    }
}

impl Watchers {
    fn new(args: &cli::Run, env: Env<'_>) -> Result<Watchers> {
        let ping_url = secrets::ping_url(env)?;
        Ok(Watchers {
            metrics_file: args.metrics_file.clone().filter(|_| !args.dry_run),
            ping_url: ping_url.filter(|_| !args.dry_run),
        })
    }
}

impl Check {
    fn new(common: &cli::Common, args: cli::Check, env: Env<'_>) -> Result<Check> {
        Ok(Check {
            base: Base::new(common, &args.run.network, env)?,
            watchers: Watchers::new(&args.run, env),
            run: Run::new(common, args.run, env),
            report: args.report,
            refresh: args.refresh,
            probe_rotation: args.probe_rotation.then_some(args.yes),
            json: args.json,
            verbose: common.verbose > 0,
        })
    }
}

impl Run {
    fn new(common: &cli::Common, args: cli::Run, env: Env<'_>) -> Result<Run> {
        Ok(Run {
            base: Base::new(common, &args.network, env)?,
            since: Since::parse(args.since.as_deref())?,
            layout: layout::layout(&args)?,
            output: args.output,
            output_mode: args.output_mode,
            lists: args.lists,
            exclude_lists: args.exclude_lists,
            statuses: args.statuses,
            full: args.full,
            dry_run: args.dry_run,
            max_duration: args.max_duration,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use clap::Parser;

    fn command(line: &str) -> Result<Command> {
        let env = |name: &str| match name {
            "HOME" => Some("/home/u".into()),
            "AWEBER_SYNC_PING_URL" => Some("https://check.example/1/".into()),
            _ => None,
        };
        let words = ["aweber-sync"].into_iter().chain(line.split(' '));
        Command::new(cli::Cli::try_parse_from(words).unwrap(), &env)
    }

    #[test]
    fn a_dry_run_has_no_watchers() {
        let Ok(Command::Run(watchers, _)) = command("run --dry-run --metrics-file x") else {
            panic!();
        };
        assert!(watchers.ping_url.is_none() && watchers.metrics_file.is_none());
    }

    #[test]
    fn an_invalid_option_of_forget_is_an_error() {
        for line in [
            "forget --list 1 --since today",
            "forget --list 1 --since nonsense",
        ] {
            assert_eq!(command(line).unwrap_err().kind(), Kind::Usage, "{line}");
        }
    }

    #[test]
    fn the_flow_of_authorize_follows_from_its_options() {
        let flow = |line: &str| match command(line) {
            Ok(Command::Authorize(config)) => config.flow,
            other => panic!("{line}: {other:?}"),
        };
        assert!(matches!(flow("authorize"), Flow::Prompt));
        assert!(matches!(flow("authorize --print-url"), Flow::PrintUrl));
        assert!(matches!(flow("authorize --code c"), Flow::Code(code) if code == "c"));
        assert!(matches!(flow("authorize --import f"), Flow::Import(file) if file == *"f"));
    }
}
