//! The options of `aweber-sync run`.

use super::common::Network;
use super::values::{Trimmed, delimiter, duration, mode};
use crate::subscriber::Status;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Export each new subscriber, exactly once: the command to schedule.
///
/// Refreshes the token, asks AWeber for what is new on each list, and publishes the new subscribers as one file.
/// Without a terminal it prints nothing on success, so that cron sends no mail.
///
/// AWEBER_SYNC_PING_URL, or the file named by AWEBER_SYNC_PING_URL_FILE, holds the URL of a Healthchecks-style check.
/// The run pings URL/start when it starts, URL when it succeeds and URL/fail, with the error, when it fails. The URL is
/// a secret, so there is no option for it.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Where to export to. A directory (existing, or written with a trailing /): one file per batch. `-`: standard
    /// output. Any other path: one growing file [default: exports/ in the state directory]
    #[arg(long, env = "AWEBER_SYNC_OUTPUT", value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,

    /// Permissions of exported files, e.g. 0640 to let a group read them
    #[arg(long, env = "AWEBER_SYNC_OUTPUT_MODE", value_name = "MODE", default_value = "0600", value_parser = mode)]
    pub(crate) output_mode: u32,

    /// Export this list only: its id, unique_list_id or name. Can be repeated (variable: comma-separated) [default: all
    /// lists]
    #[arg(long = "list", env = "AWEBER_SYNC_LIST", value_name = "ID|NAME")]
    pub(crate) lists: Vec<String>,

    /// Skip this list. Can be repeated (variable: comma-separated)
    #[arg(
        long = "exclude-list",
        env = "AWEBER_SYNC_EXCLUDE_LIST",
        value_name = "ID|NAME"
    )]
    pub(crate) exclude_lists: Vec<String>,

    /// On lists that were never exported, start with the subscribers of this day (UTC); `today` is the day of the
    /// account's first run. Remembered, also for --full, until `aweber-sync forget`
    #[arg(long, env = "AWEBER_SYNC_SINCE", value_name = "DATE|today")]
    pub(crate) since: Option<String>,

    /// Which subscribers to export, by status
    #[arg(
        long = "status",
        env = "AWEBER_SYNC_STATUS",
        value_name = "S,…",
        default_value = "subscribed",
        value_delimiter = ',',
        value_parser = Trimmed::<Status>::default()
    )]
    pub(crate) statuses: Vec<Status>,

    /// csv, or jsonl: one object per line with every field as AWeber sent it
    #[arg(
        long,
        env = "AWEBER_SYNC_FORMAT",
        value_name = "FORMAT",
        default_value = "csv",
        hide_possible_values = true
    )]
    pub(crate) format: crate::export::Format,

    /// Which columns to write, in this order; custom.NAME gives a custom field its own column, custom.* each one that the
    /// lists have when the file is begun [default: all without custom.*]
    #[arg(long, env = "AWEBER_SYNC_COLUMNS", value_name = "LIST")]
    pub(crate) columns: Option<String>,

    /// The character between the cells of csv, such as ; or the word tab. Not a letter, a digit, a quote or a line break
    /// [default: ,]
    #[arg(long, env = "AWEBER_SYNC_DELIMITER", value_name = "C", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Write CSV for spreadsheets: byte order mark, CRLF, no NUL, and an apostrophe in front of each cell, or part of a
    /// cell behind a separator, that would run as a formula (it begins with = + - @, tab or carriage return; plain
    /// numbers and phone numbers of digits and spaces are safe and stay unchanged)
    #[arg(long, env = "AWEBER_SYNC_EXCEL")]
    pub(crate) excel: bool,

    /// Page through all subscribers, not only the recent ones, and export those never exported. Use it about once a
    /// month to find subscribers that arrived with an old date (imports, moves). Starts from the beginning each time
    #[arg(long, env = "AWEBER_SYNC_FULL")]
    pub(crate) full: bool,

    /// Show what would be exported and change neither ledger nor exports. The refreshed token is still stored, because
    /// the old one is spent
    #[arg(long, env = "AWEBER_SYNC_DRY_RUN")]
    pub(crate) dry_run: bool,

    /// Stop after this long, publish what was fetched and exit with 75; the next run continues, but --full starts from
    /// the beginning [default: no limit]
    #[arg(long, env = "AWEBER_SYNC_MAX_DURATION", value_name = "D", value_parser = duration)]
    pub(crate) max_duration: Option<Duration>,

    /// Write metrics to this file for Prometheus' textfile collector, replacing it atomically
    #[arg(long, env = "AWEBER_SYNC_METRICS_FILE", value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) network: Network,
}
