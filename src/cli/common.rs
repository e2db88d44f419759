//! Options that several commands share.

use super::values::duration;
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use tracing::level_filters::LevelFilter;

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Directory of token.json, the ledger and the lock [default: $STATE_DIRECTORY under systemd, else
    /// $XDG_STATE_HOME/aweber-sync, i.e. ~/.local/state/aweber-sync]
    #[arg(long, global = true, env = "AWEBER_SYNC_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Token file [default: token.json in the state directory]
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub(crate) token_file: Option<PathBuf>,

    /// Command that keeps the tokens in a store of yours: CMD get prints them (nothing: none are stored), CMD store reads
    /// them from standard input and exits with 0 once they are durable, CMD erase removes them [default: none, the tokens
    /// are in the token file]
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_TOKEN_COMMAND",
        value_name = "CMD"
    )]
    pub(crate) token_command: Option<String>,

    /// Client id of your AWeber app [default: from the token file]. The client secret of a confidential app is read
    /// from AWEBER_CLIENT_SECRET, the file named by AWEBER_CLIENT_SECRET_FILE, or the systemd credential client_secret
    #[arg(long, global = true, env = "AWEBER_CLIENT_ID", value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// URL of the AWeber API
    #[arg(
        long,
        global = true,
        env = "AWEBER_API_URL",
        value_name = "URL",
        default_value = "https://api.aweber.com"
    )]
    pub(crate) api_url: String,

    /// URL of AWeber's authorization server
    #[arg(
        long,
        global = true,
        env = "AWEBER_AUTH_URL",
        value_name = "URL",
        default_value = "https://auth.aweber.com"
    )]
    pub(crate) auth_url: String,

    /// Increase verbosity: -v logs each list, -vv each request
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Format of log lines
    #[arg(
        long,
        global = true,
        env = "AWEBER_SYNC_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,

    /// Log level: error, warn, info, debug, trace [default: info on a terminal and under systemd, else warn]
    #[arg(
        long = "log",
        global = true,
        env = "AWEBER_SYNC_LOG",
        value_name = "LEVEL"
    )]
    pub(crate) log: Option<LevelFilter>,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Plain text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Options of the commands that talk to AWeber.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network options")]
pub(crate) struct Network {
    /// Send at most N requests in any 60 seconds. AWeber allows 120, shared with the account's other integrations
    #[arg(long, env = "AWEBER_SYNC_REQUESTS_PER_MINUTE", value_name = "N", default_value_t = 110, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: u32,

    /// How long to wait after a 'Rate Limit Error' from AWeber
    #[arg(long, env = "AWEBER_SYNC_RATE_LIMIT_WAIT", value_name = "D", default_value = "60s", value_parser = duration)]
    pub(crate) rate_limit_wait: Duration,

    /// How long to wait before the first retry of a request; the wait doubles with each further failure
    #[arg(long, env = "AWEBER_SYNC_RETRY_WAIT", value_name = "D", default_value = "1s", value_parser = duration)]
    pub(crate) retry_wait: Duration,

    /// How long a server may send nothing; a whole response may take four times as long
    #[arg(long, env = "AWEBER_SYNC_TIMEOUT", value_name = "D", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// How long to wait for another run to finish before exiting with 75
    #[arg(long, env = "AWEBER_SYNC_LOCK_WAIT", value_name = "D", default_value = "0s", value_parser = duration)]
    pub(crate) lock_wait: Duration,
}
