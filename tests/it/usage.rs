//! A mistyped command line: an error like any other, which says nothing about the scheduled job.

use crate::commands::{command, stdout_of};
use crate::support::ping_server::PingServer;
use crate::support::{Site, write_private};
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Arguments, what is said about them, and the next step.
const MISTYPED: &[(&[&str], &str, &str)] = &[
    (
        &["run", "--fomat", "csv"],
        "unexpected argument '--fomat' found\n",
        "a similar argument exists: '--format'; aweber-sync run --help\n",
    ),
    (
        &["run", "--format", "xml"],
        "invalid value 'xml' for '--format <FORMAT>' [possible values: csv, jsonl]\n",
        "aweber-sync run --help\n",
    ),
    (
        &["run", "--max-duration", "soon"],
        "invalid value 'soon' for '--max-duration <D>': ",
        "aweber-sync run --help\n",
    ),
    (
        &["status", "--max-age", "26"],
        "invalid value '26' for '--max-age <D>': missing unit (for hours: 26h)\n",
        "aweber-sync status --help\n",
    ),
    (
        &["--log", "loud", "status"],
        "invalid value 'loud' for '--log <LEVEL>': ",
        "aweber-sync status --help\n",
    ),
    (
        &["runn"],
        "unrecognized subcommand 'runn'\n",
        "a similar subcommand exists: 'run'; aweber-sync --help\n",
    ),
    (
        &["-v"],
        "'aweber-sync' requires a subcommand but one was not provided ",
        "aweber-sync --help\n",
    ),
    (
        &["forget"],
        "the following required arguments were not provided: --list <ID|NAME>\n",
        "aweber-sync forget --help\n",
    ),
    (
        &["run", "-v", "-q"],
        "the argument '--verbose...' cannot be used with '--quiet'\n",
        "aweber-sync run --help\n",
    ),
    (
        &["run", "--excel", "--format", "jsonl"],
        "--excel goes with --format csv only\n",
        "aweber-sync run --help\n",
    ),
    (
        &["run", "--columns", "nonsense"],
        "--columns: there is no column \"nonsense\"\n",
        "choose from list_id, ",
    ),
    (
        &["run", "--since", "tomorrow"],
        "--since tomorrow: not a day\n",
        "write it as 2026-11-22, or today\n",
    ),
];

#[test]
fn each_usage_error_has_three_parts() {
    let site = Site::new();
    for (arguments, what, next) in MISTYPED {
        let done = command(&site, arguments).case(&arguments.join(" "));
        done.exits(2)
            .prints_nothing()
            .says(&format!("aweber-sync: error: {what}"))
            .says("\n  safe: nothing was changed and no token was spent\n")
            .says_next(next);
        assert_eq!(done.stderr.lines().count(), 3, "{done}");
    }
    assert_eq!(site.requests(), 0);
}

#[test]
fn an_argument_that_is_not_text_is_a_usage_error() {
    let site = Site::new();
    for (before, help) in [
        (&["run"][..], "aweber-sync run --help"),
        (&[], "aweber-sync --help"),
    ] {
        let mut command = site.command(before);
        command.arg(OsStr::from_bytes(b"caf\xe9"));
        site.finish(command).exits(2).says_next(help);
    }
}

#[test]
fn a_usage_error_is_logged_in_the_format_that_the_rest_of_the_line_asks_for() {
    let site = Site::new();
    let parse = |stderr: &str| -> Value { serde_json::from_str(stderr.trim()).unwrap() };
    for arguments in [
        &["run", "--log-format", "json", "--nonsense"][..],
        &["--log-format=json", "run", "--max-duration", "soon"],
    ] {
        let done = command(&site, arguments);
        done.exits(2);
        let line = parse(&done.stderr);
        assert_eq!(
            (&line["event"], &line["exit_code"]),
            (&"failed".into(), &2.into())
        );
        assert_eq!(line["next"], "aweber-sync run --help");
    }
    let mut by_variable = site.command(&["run", "--nonsense"]);
    by_variable.env("AWEBER_SYNC_LOG_FORMAT", "json");
    let done = site.finish(by_variable);
    assert_eq!(
        parse(&done.stderr)["what"],
        "unexpected argument '--nonsense' found"
    );
    let mut journal = site.command(&["run", "--nonsense"]);
    journal.env("JOURNAL_STREAM", "8:12345");
    site.finish(journal)
        .says("<3>aweber-sync: error: unexpected argument")
        .says("<3>  next: ");
}

#[test]
fn a_run_mistyped_by_hand_leaves_no_mark_in_history_metrics_and_pings() {
    let site = Site::new();
    site.add_list(2);
    let metrics = site.path("aweber.prom");
    let server = PingServer::answering(&[200]);
    let run = |arguments: &[&str]| {
        let with_metrics = ["run", "--metrics-file", metrics.to_str().unwrap()];
        let mut command = site.command(&[&with_metrics, arguments].concat());
        command.env("AWEBER_SYNC_PING_URL", server.url());
        command
    };
    site.finish(run(&[])).exits(0);
    let written = std::fs::read(&metrics).unwrap();
    let status = stdout_of(&site, &["status", "--json"]);
    assert_eq!(server.path_suffixes(), ["/start", ""]);

    write_private(&site.path("empty"), "");
    for (arguments, code) in [
        (&["--nonsense"][..], 2),
        (&["--since", "2999-01-01"], 2),
        (&["--columns", "nonsense"], 2),
        (&["--excel", "--format", "jsonl"], 2),
        (&["--api-url", "http://api.example"], 78),
    ] {
        let done = site.finish(run(arguments));
        done.case(&arguments.join(" ")).exits(code);
    }
    let mut without_secret = run(&[]);
    without_secret.env("AWEBER_CLIENT_SECRET_FILE", site.path("empty"));
    site.finish(without_secret).exits(78);
    let mut elsewhere = run(&["--token-file", "nowhere/t.json"]);
    elsewhere.env_remove("AWEBER_SYNC_STATE_DIR");
    site.finish(elsewhere).exits(78);

    assert!(std::fs::read(&metrics).unwrap() == written);
    assert_eq!(server.path_suffixes(), ["/start", ""]);
    assert_eq!(stdout_of(&site, &["status", "--json"]), status);
    stdout_of(&site, &["status", "--max-age", "1h"]);
}
