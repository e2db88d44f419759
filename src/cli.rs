//! What a person types: the clap structs and their help. Every option has an environment variable, secrets
//! excepted, which never are arguments. Pure but for reading the environment, as clap does.

mod values;

use self::values::{duration, ignore_empty_variables, mode, split_variable};
use crate::exit::{self, Exit};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "aweber-sync",
    version,
    about = "Brings each new subscriber of an AWeber account into a CSV file, once.",
    long_about = "Brings each new subscriber of an AWeber account into a CSV file, once.\n\n\
        Connect an account with `aweber-sync authorize`, then put `aweber-sync run` into cron.",
    after_help = "Every option can be set by the environment variable shown beside it; an empty variable counts as unset.",
    after_long_help = exit::help(),
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Cmd,
}

/// Options that every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Holds token.json, the ledger and the lock [default: systemd's $STATE_DIRECTORY, else
    /// $XDG_STATE_HOME/aweber-sync, i.e. ~/.local/state/aweber-sync]
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_STATE_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) state_dir: Option<PathBuf>,

    /// The token file [default: token.json in the state directory]
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_TOKEN_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,

    /// Client id of your app at AWeber [default: the one in the token file]. Its secret, if it has one, comes from
    /// AWEBER_CLIENT_SECRET, the file named by AWEBER_CLIENT_SECRET_FILE, or the systemd credential client_secret
    #[arg(
        long,
        global = true,
        env = "AWEBER_CLIENT_ID",
        value_name = "ID",
        hide_env_values = true
    )]
    pub(crate) client_id: Option<String>,

    /// Where AWeber's API is
    #[arg(
        long,
        global = true,
        env = "AWEBER_API_URL",
        value_name = "URL",
        default_value = "https://api.aweber.com",
        hide_env_values = true
    )]
    pub(crate) api_url: String,

    /// Where AWeber's authorization server is
    #[arg(
        long,
        global = true,
        env = "AWEBER_AUTH_URL",
        value_name = "URL",
        default_value = "https://auth.aweber.com",
        hide_env_values = true
    )]
    pub(crate) auth_url: String,

    /// Say more: -v a line a list, -vv a line a request
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log lines for people, or one JSON object a line
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        hide_env_values = true
    )]
    pub(crate) log_format: LogFormat,

    /// How much to say: error, warn, info, debug, trace [default: info on a terminal and under systemd, else warn]
    #[arg(
        long = "log",
        global = true,
        env = "AWEBER_SYNC_LOG",
        value_name = "LEVEL",
        hide_env_values = true
    )]
    pub(crate) log: Option<tracing::level_filters::LevelFilter>,
}

/// Options of the commands that talk to AWeber.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network options")]
pub(crate) struct Network {
    /// Requests in any 60 seconds, at most; AWeber allows 120, shared with the account's other integrations
    #[arg(long, env = "AWEBER_SYNC_REQUESTS_PER_MINUTE", value_name = "N", default_value_t = 110, value_parser = clap::value_parser!(u32).range(1..), hide_env_values = true)]
    pub(crate) requests_per_minute: u32,

    /// How long to wait after AWeber's 'Rate Limit Error'
    #[arg(long, env = "AWEBER_SYNC_RATE_LIMIT_WAIT", value_name = "D", default_value = "60s", value_parser = duration, hide_env_values = true)]
    pub(crate) rate_limit_wait: Duration,

    /// The first wait after a failed request; it doubles with each further failure
    #[arg(long, env = "AWEBER_SYNC_RETRY_WAIT", value_name = "D", default_value = "1s", value_parser = duration, hide_env_values = true)]
    pub(crate) retry_wait: Duration,

    /// How long a server may stay silent; a whole answer may take four times as long
    #[arg(long, env = "AWEBER_SYNC_TIMEOUT", value_name = "D", default_value = "30s", value_parser = duration, hide_env_values = true)]
    pub(crate) timeout: Duration,

    /// How long to wait for another run to end before leaving with exit code 75
    #[arg(long, env = "AWEBER_SYNC_LOCK_WAIT", value_name = "D", default_value = "0s", value_parser = duration, hide_env_values = true)]
    pub(crate) lock_wait: Duration,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Cmd {
    Authorize(Authorize),
    Run(Run),
    Lists(Lists),
    Status(Status),
    Forget(Forget),
    Revoke(Revoke),
    Completions(Completions),
    #[command(hide = true)]
    Man(Man),
}

/// Connect an AWeber account: print the authorization URL, read the code that AWeber shows, store the tokens.
///
/// With a client secret the app is a confidential client; without one it is a public client (PKCE). The app must be
/// registered at labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, so that AWeber shows the code
/// to copy. Scopes asked for: account.read list.read subscriber.read, no more.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Authorize {
    /// Print the authorization URL and leave; `--code` does the second half, in another process
    #[arg(long, conflicts_with_all = ["code", "import"])]
    pub(crate) print_url: bool,

    /// The code that AWeber showed after `--print-url`, or the whole URL that it redirected to
    #[arg(long, value_name = "CODE", conflicts_with = "import")]
    pub(crate) code: Option<String>,

    /// A redirect URI that the app is registered with, if it is another one
    #[arg(
        long,
        env = "AWEBER_SYNC_REDIRECT_URI",
        value_name = "URI",
        default_value = "urn:ietf:wg:oauth:2.0:oob",
        hide_env_values = true
    )]
    pub(crate) redirect_uri: String,

    /// Take the tokens over from a credentials file of AWeber's sample scripts or the aweber CLI. From our first
    /// refresh on that other program's token is dead
    #[arg(long, value_name = "FILE")]
    pub(crate) import: Option<PathBuf>,

    /// Replace the tokens even if they are another account's
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Export each new subscriber, once. This is the job.
///
/// Refreshes the token, asks AWeber for what is new on each list, and publishes the new subscribers as one file.
/// Without a terminal it is silent when all is well, so that cron mails nothing.
///
/// AWEBER_SYNC_PING_URL, or the file named by AWEBER_SYNC_PING_URL_FILE, names a check in the manner of Healthchecks to
/// ping: /start, the URL itself on success, /fail with the summary. The URL is a secret, so it is no argument.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Run {
    /// A directory (it exists, or the path ends in /): one file a batch. `-`: standard output. Anything else: one
    /// growing file [default: exports/ in the state directory]
    #[arg(
        long,
        env = "AWEBER_SYNC_OUTPUT",
        value_name = "PATH",
        hide_env_values = true
    )]
    pub(crate) output: Option<PathBuf>,

    /// Mode of exported files, e.g. 0640 for a loader's group
    #[arg(long, env = "AWEBER_SYNC_OUTPUT_MODE", value_name = "MODE", default_value = "0600", value_parser = mode, hide_env_values = true)]
    pub(crate) output_mode: u32,

    /// Only this list: its id, unique_list_id or name. Repeat for more (variable: comma-separated) [default: all]
    #[arg(
        long = "list",
        env = "AWEBER_SYNC_LIST",
        value_name = "ID|NAME",
        hide_env_values = true
    )]
    pub(crate) lists: Vec<String>,

    /// Not this list. Repeat for more (variable: comma-separated)
    #[arg(
        long = "exclude-list",
        env = "AWEBER_SYNC_EXCLUDE_LIST",
        value_name = "ID|NAME",
        hide_env_values = true
    )]
    pub(crate) exclude_lists: Vec<String>,

    /// For a list never exported before: begin with the subscribers of this day (UTC). Remembered, also by --full
    #[arg(
        long,
        env = "AWEBER_SYNC_SINCE",
        value_name = "DATE|today",
        hide_env_values = true
    )]
    pub(crate) since: Option<String>,

    /// Which subscribers: subscribed, unconfirmed, unsubscribed
    #[arg(
        long = "status",
        env = "AWEBER_SYNC_STATUS",
        value_name = "S,…",
        default_value = "subscribed",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(crate) statuses: Vec<crate::subscriber::Status>,

    /// csv, or jsonl: one object a line, every field as the API gave it
    #[arg(
        long,
        env = "AWEBER_SYNC_FORMAT",
        value_name = "FORMAT",
        default_value = "csv",
        hide_possible_values = true,
        hide_env_values = true
    )]
    pub(crate) format: crate::export::Format,

    /// Choose and order the columns; custom.NAME gives a custom field a column of its own [default: all]
    #[arg(
        long,
        env = "AWEBER_SYNC_COLUMNS",
        value_name = "LIST",
        hide_env_values = true
    )]
    pub(crate) columns: Option<String>,

    /// For spreadsheets: byte order mark, CRLF, and an apostrophe before each cell that would run as a formula: one
    /// that begins with = + - @, tab or carriage return. Plain numbers and phone numbers of digits and blanks stay
    #[arg(long, env = "AWEBER_SYNC_EXCEL", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(crate) excel: bool,

    /// Page through everything, not only the recent part, and export what was never exported. Once a month is a good
    /// habit: it finds what came with an old date (imports, moves)
    #[arg(long, env = "AWEBER_SYNC_FULL", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(crate) full: bool,

    /// Fetch, say what would be exported, change neither ledger nor exports. The refreshed token is stored all the
    /// same: the old one is spent
    #[arg(long, env = "AWEBER_SYNC_DRY_RUN", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(crate) dry_run: bool,

    /// Stop after this long, publish what there is, go on in the next run; exit code 75 [default: never]
    #[arg(long, env = "AWEBER_SYNC_MAX_DURATION", value_name = "D", value_parser = duration, hide_env_values = true)]
    pub(crate) max_duration: Option<Duration>,

    /// Write metrics for Prometheus' textfile collector to this file, replaced as a whole
    #[arg(
        long,
        env = "AWEBER_SYNC_METRICS_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Show the account's lists: id, name, counts.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Lists {
    /// As one JSON object with a version
    #[arg(long, env = "AWEBER_SYNC_JSON", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Is the job healthy? The token (never its value), the last runs, rows, what is pending.
///
/// Asks nothing of the network and waits for no run.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Status {
    /// As one JSON object with a version; later versions add fields and change none
    #[arg(long, env = "AWEBER_SYNC_JSON", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(crate) json: bool,

    /// Exit with 1 if the last success is older, e.g. 26h for a daily job: for monitoring
    #[arg(long, env = "AWEBER_SYNC_MAX_AGE", value_name = "D", value_parser = duration, hide_env_values = true)]
    pub(crate) max_age: Option<Duration>,
}

/// Let the ledger forget a list, so that the next run exports it again: for a lost CSV or an emptied CRM.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Forget {
    /// The list: its id, unique_list_id or name. With an id that the ledger knows nothing is asked of AWeber
    #[arg(
        long,
        env = "AWEBER_SYNC_FORGET_LIST",
        value_name = "ID|NAME",
        hide_env_values = true
    )]
    pub(crate) list: String,

    /// Only who subscribed on this day (UTC) or later
    #[arg(
        long,
        env = "AWEBER_SYNC_FORGET_SINCE",
        value_name = "DATE",
        hide_env_values = true
    )]
    pub(crate) since: Option<String>,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Revoke the tokens at AWeber and remove the token file. Ledger and exports stay.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help())]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Print a completion script for a shell: bash, zsh, fish, elvish, powershell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the man pages into a directory, for packages.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Where to
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads the command line; on a usage error or `--help` clap prints and leaves (2, 0).
pub(crate) fn parse() -> Cli {
    let mut command = ignore_empty_variables(Cli::command());
    if std::env::args_os().len() <= 1 {
        // Also with options in the environment, which clap counts as arguments. Without a terminal to print to there
        // is nobody to help.
        let _ = command.print_help();
        std::process::exit(Exit::Usage.code().into());
    }
    let matches = command.get_matches();
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => e.exit(),
    };
    if let (Cmd::Run(run), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
        split_variable(&mut run.lists, matches, "lists");
        split_variable(&mut run.exclude_lists, matches, "exclude_lists");
    }
    cli
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_of_run_but_v_and_q_has_a_variable() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for arg in run.get_arguments().chain(command.get_arguments()) {
            let id = arg.get_id().as_str();
            if !["verbose", "quiet", "help", "version"].contains(&id) {
                assert!(arg.get_env().is_some(), "{id}");
            }
        }
    }
}
