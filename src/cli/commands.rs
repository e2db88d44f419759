//! The options of all commands but `run`; those of `check` include them.

use super::common::Network;
use super::run::Run;
use super::values::age;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Connect an AWeber account: print the authorization URL, read the code that AWeber shows, store the tokens.
///
/// With a client secret the app is a confidential client, without one a public client (PKCE). Register the app at
/// labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, so that AWeber shows a code to copy. Requested
/// scopes: account.read list.read subscriber.read.
#[derive(Args, Debug)]
pub(crate) struct Authorize {
    /// Print the authorization URL and exit; --code completes the authorization later
    #[arg(long, conflicts_with_all = ["code", "import"])]
    pub(crate) print_url: bool,

    /// The code that AWeber showed after --print-url, or the whole URL that it redirected to. `-`: read it from
    /// standard input
    #[arg(
        long,
        value_name = "CODE",
        conflicts_with = "import",
        allow_hyphen_values = true
    )]
    pub(crate) code: Option<String>,

    /// The redirect URI that the app is registered with
    #[arg(
        long,
        env = "AWEBER_SYNC_REDIRECT_URI",
        value_name = "URI",
        default_value = "urn:ietf:wg:oauth:2.0:oob"
    )]
    pub(crate) redirect_uri: String,

    /// Take over the tokens in a credentials file of AWeber's sample scripts, its OAuth 1.0a libraries or the aweber
    /// CLI. The first refresh here invalidates the other program's token (none with OAuth 1.0a)
    #[arg(long, value_name = "FILE")]
    pub(crate) import: Option<PathBuf>,

    /// Replace the tokens even if they belong to another account
    #[arg(long)]
    pub(crate) force: bool,

    /// Connect an app made before April 2019 by OAuth 1.0a: client id and secret are its consumer key and consumer
    /// secret. Implied where the token file has such tokens
    #[arg(long, env = "AWEBER_SYNC_OAUTH1")]
    pub(crate) oauth1: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Check the set-up and the connection, and whether AWeber behaves as this program assumes. Run it before the first
/// night, and when something is odd.
///
/// Takes the options of `run` too: check the very line that you schedule. Reads only, with at most 30 requests, and
/// changes nothing; the access token of `authorize` lives two hours, after that use --refresh. Ends with what to do next,
/// and with the exit code that `run` would end with.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Write a report to this file: shapes, counts and versions only, nothing personal, to attach to a bug report
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// First refresh the token and finish what a killed run left of it, as every run does
    #[arg(long)]
    pub(crate) refresh: bool,

    /// Find out what AWeber does with an old refresh token, by at most six token requests. This may end the
    /// authorization, so that you have to run `aweber-sync authorize` again
    #[arg(long, conflicts_with_all = ["report", "refresh"])]
    pub(crate) probe_rotation: bool,

    /// Do not ask before --probe-rotation
    #[arg(long, requires = "probe_rotation")]
    pub(crate) yes: bool,

    /// Print one JSON object; later versions may add fields but change none
    #[arg(long, env = "AWEBER_SYNC_JSON")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) run: Run,
}

/// Show the account's lists: id, name, counts.
#[derive(Args, Debug)]
pub(crate) struct Lists {
    /// Print one JSON object; later versions may add fields but change none
    #[arg(long, env = "AWEBER_SYNC_JSON")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Show whether the job is healthy: token (never its value), last runs, exported rows, pending subscribers.
///
/// Uses no network and waits for no other run.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Print one JSON object; later versions may add fields but change none
    #[arg(long, env = "AWEBER_SYNC_JSON")]
    pub(crate) json: bool,

    /// Exit with 1 if the last success is older than this, e.g. 26h for a daily job: for monitoring
    #[arg(long, env = "AWEBER_SYNC_MAX_AGE", value_name = "D", value_parser = age)]
    pub(crate) max_age: Option<Duration>,
}

/// Make the ledger forget a list, so that the next run exports it again (for a lost CSV or an emptied CRM), or a person.
///
/// With --subscriber everything that the ledger holds about a person is deleted: ids and times, on one list or on all.
/// Delete the person at AWeber first. A run that meets them on a list again exports them again: the next one, if they
/// subscribed within the last days, and each with --full. Rows in exported files are yours to delete.
#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// The list: its id, unique_list_id or name. An id that is in the ledger needs no network
    #[arg(
        long,
        env = "AWEBER_SYNC_FORGET_LIST",
        value_name = "ID|NAME",
        required_unless_present = "subscriber"
    )]
    pub(crate) list: Option<String>,

    /// Forget only the subscriptions of this day (UTC) or later; without it, also the remembered run --since
    #[arg(
        long,
        env = "AWEBER_SYNC_FORGET_SINCE",
        value_name = "DATE",
        conflicts_with = "subscriber"
    )]
    pub(crate) since: Option<String>,

    /// Forget this subscriber, by the id in the column `id`: on the list, or without --list on all, which needs no network
    #[arg(long, env = "AWEBER_SYNC_FORGET_SUBSCRIBER", value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) subscriber: Option<i64>,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Revoke the tokens at AWeber and remove the token file. Ledger and exports are kept.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Print a completion script for a shell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the man pages to a directory, for example ~/.local/share/man/man1.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The directory, which must exist
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
