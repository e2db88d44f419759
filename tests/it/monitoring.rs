//! How a job is monitored: metrics, log lines, priorities in the journal, silence on success.

use crate::support::ping_server::{PING_KEY, PingServer};
use crate::support::process::on_terminal;
use crate::support::token::unix_now;
use crate::support::{Done, Site, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, NewSubscriber, Settings, Status};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

/// The metrics by name; each must have a HELP and a TYPE line.
fn metrics(text: &str) -> BTreeMap<String, f64> {
    let lines: Vec<&str> = text.lines().collect();
    let parse_metric = |three: &[&str]| {
        let (name, value) = three[2].split_once(' ').unwrap();
        assert!(three[0].starts_with(&format!("# HELP {name} ")), "{text}");
        assert_eq!(three[1], format!("# TYPE {name} gauge"));
        (name.to_owned(), value.parse().unwrap())
    };
    lines.chunks(3).map(parse_metric).collect()
}

#[test]
fn metrics_describe_the_run_and_a_failed_run_keeps_the_last_success() {
    let site = Site::new();
    let list = site.add_list(3);
    site.sandbox.with(|world| {
        let waiting = NewSubscriber::new("waiting@example.com").status(Status::Unconfirmed);
        world.add_subscriber(list, waiting);
    });
    let file = site.path("aweber.prom");
    let arguments = ["--metrics-file", file.to_str().unwrap()];
    let began = unix_now();
    site.run_ok(&arguments);
    let first = metrics(&std::fs::read_to_string(&file).unwrap());
    let of = |name: &str| first[&format!("aweber_sync_{name}")];
    assert!((began as f64..=unix_now() as f64).contains(&of("last_success_timestamp_seconds")));
    assert_eq!(of("last_run_exit_code"), 0.0);
    assert_eq!(of("last_run_rows"), 3.0);
    assert_eq!(of("last_run_requests"), site.requests() as f64);
    assert_eq!(of("last_run_refreshes"), 1.0);
    assert_eq!(of("pending_subscribers"), 1.0);
    let expires = site.tokens()["expires_at"].as_i64().unwrap();
    assert_eq!(of("access_token_expiry_timestamp_seconds"), expires as f64);
    assert!((0.0..60.0).contains(&of("last_run_duration_seconds")));
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o644);

    // A collector with the file open keeps reading the old one: it is replaced as a whole.
    let open = File::open(&file).unwrap();
    site.sandbox.with(|world| world.revoke_everything());
    for _ in 0..2 {
        site.run(&arguments).exits(77);
        let failed = metrics(&std::fs::read_to_string(&file).unwrap());
        assert_eq!(failed["aweber_sync_last_run_exit_code"], 77.0);
        let name = "aweber_sync_last_success_timestamp_seconds";
        assert_eq!(failed[name], first[name]);
    }
    // Also after a failure before the ledger is open.
    std::fs::remove_file(site.token_file()).unwrap();
    site.run(&arguments).exits(78);
    let failed = metrics(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(failed["aweber_sync_last_run_exit_code"], 78.0);
    let name = "aweber_sync_last_success_timestamp_seconds";
    assert_eq!(failed[name], first[name]);
    assert_ne!(
        open.metadata().unwrap().ino(),
        file.metadata().unwrap().ino()
    );
    assert_eq!(open.metadata().unwrap().len(), metadata.len());
}

#[test]
fn metrics_that_cannot_be_written_are_only_a_warning() {
    let site = Site::new();
    site.add_list(1);
    site.run_ok(&["--metrics-file", "missing/aweber.prom"])
        .says("warning: cannot write the metrics to missing/aweber.prom");
    assert_eq!(site.rows().len(), 1);
}

#[test]
fn a_pipe_in_the_place_of_the_metrics_does_not_block_a_failed_run() {
    let site = Site::new();
    let file = site.path("aweber.prom");
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    std::fs::remove_file(site.token_file()).unwrap();
    site.run(&["--metrics-file", "aweber.prom"]).exits(78);
    let failed = metrics(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(failed["aweber_sync_last_run_exit_code"], 78.0);
}

#[test]
fn without_a_terminal_a_successful_run_is_silent() {
    let site = Site::new();
    let list = site.add_list(3);
    for news in [0, 2, 0] {
        site.sandbox.with(|world| world.add_subscribers(list, news));
        site.run_ok(&[]).prints_nothing().is_silent();
    }
    assert_eq!(site.rows().len(), 5);
}

#[test]
fn an_unknown_custom_field_is_a_warning_only_when_all_subscribers_are_exported() {
    let site = Site::new();
    let list = site.add_list(3);
    let add = |site: &Site| site.sandbox.with(|world| world.add_subscribers(list, 1));
    let columns = ["--columns", "email,custom.Colour"];
    let warning = "warning: no new subscriber has a custom field named \"Colour\"";
    site.run_ok(&columns).says(warning);
    add(&site);
    site.run_ok(&columns).is_silent();
    add(&site);
    let logged = site.run_ok(&[columns[0], columns[1], "-v"]).stderr;
    assert!(
        logged.contains("aweber-sync: no new subscriber has a custom field"),
        "{logged}"
    );
    add(&site);
    site.run_ok(&[columns[0], columns[1], "--full"])
        .says(warning);
}

#[test]
fn v_logs_each_list_and_vv_logs_each_request() {
    let site = Site::new();
    let lists = [site.add_list(2), site.add_list(1)];
    let done = site.run_ok(&["-v"]);
    for (list, new) in lists.iter().zip([2, 1]) {
        let line = format!("list is up to date list={list} name=\"News\" new={new}");
        assert_eq!(done.stderr.matches(&line).count(), 1, "{}", done.stderr);
    }
    done.does_not_say("asked path=")
        .says("3 new subscribers (News 2, News 1) in ");
    let before = site.api_requests();
    let done = site.run_ok(&["-vv"]);
    let asked = done.stderr.matches("asked path=").count();
    assert_eq!(asked, site.api_requests() - before, "{}", done.stderr);
}

#[test]
fn the_log_level_is_configurable() {
    let site = Site::new();
    site.add_list(1);
    site.sandbox.with(|world| {
        let failing = Fault::on("/lists").times(1);
        world.fault(failing.answer(FaultKind::status(503)));
    });
    let info = site.run_ok(&["--log", "info"]).stderr;
    assert!(
        info.contains("asking again") && info.contains("1 new subscriber "),
        "{info}"
    );
    assert!(!info.contains("list is up to date"), "{info}");
    site.run_ok(&["--log", "warn"]).is_silent();
    let server = PingServer::answering(&[500]);
    for (arguments, warns) in [
        (&["run"][..], true),
        (&["run", "-q"], false),
        (&["run", "--log", "error"], false),
    ] {
        let mut command = site.command(arguments);
        command.env("AWEBER_SYNC_PING_URL", server.url());
        let stderr = site.finish(command).stderr;
        assert_eq!(stderr.contains("warning: the ping"), warns, "{stderr}");
        assert_eq!(stderr.is_empty(), !warns);
    }
    site.sandbox.with(|world| world.revoke_everything());
    let quiet = site.run(&["-q"]);
    quiet.exits(77);
    assert!(
        quiet.stderr.starts_with("aweber-sync: error: "),
        "{}",
        quiet.stderr
    );
}

/// All lines of a JSON log.
fn json_lines(done: &Done) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let lines: Vec<Value> = done.stderr.lines().map(parse).collect();
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert!(is_timestamp(time), "{time}");
        let level = line["level"].as_str().unwrap();
        assert!(
            ["error", "warning", "info", "debug"].contains(&level),
            "{line}"
        );
        assert!(!line["event"].as_str().unwrap().is_empty(), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
    }
    lines
}

/// Whether it has the form `2026-11-22T03:00:00.000Z`.
fn is_timestamp(time: &str) -> bool {
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00T00:00:00.000Z"
}

#[test]
fn every_json_line_is_one_object_with_time_level_event_and_message() {
    let site = Site::new();
    let list = site.add_list(150);
    site.sandbox.with(|world| {
        let failing = Fault::on("/lists").times(1);
        world.fault(failing.answer(FaultKind::status(503)));
    });
    let mut command = site.command(&["run", "-vv", "--log-format", "json"]);
    command.env("AWEBER_SYNC_PING_URL", PingServer::answering(&[500]).url());
    let done = site.finish(command);
    done.exits(0).does_not_say(PING_KEY);
    let lines = json_lines(&done);
    let events = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!(events("request"), site.api_requests());
    for name in ["retry", "refreshed", "list_done", "run_done"] {
        assert_eq!(events(name), 1, "{name}: {}", done.stderr);
    }
    assert_eq!(events("ping_failed"), 1);
    let end = lines
        .iter()
        .find(|line| line["event"] == "run_done")
        .unwrap();
    assert_eq!(end["rows"], 150);
    assert_eq!(end["lists"], 1);
    assert_eq!(end["requests"], site.requests());
    assert_eq!(end["refreshes"], 1);
    assert_eq!(end["exit_code"], 0);
    assert_eq!(end["path"], site.files()[0].to_str().unwrap());
    let one = lines
        .iter()
        .find(|line| line["event"] == "list_done")
        .unwrap();
    assert_eq!(
        (one["list"].as_u64(), one["new"].as_u64()),
        (Some(list), Some(150))
    );

    site.sandbox.with(|world| world.revoke_everything());
    let done = site.run(&["--log-format", "json"]);
    done.exits(77);
    let lines = json_lines(&done);
    let failed = lines.iter().find(|line| line["event"] == "failed").unwrap();
    assert_eq!(failed["level"], "error");
    assert_eq!(failed["exit_code"], 77);
    assert_eq!(failed["next"], "aweber-sync authorize");
    let message = failed["message"].as_str().unwrap();
    for part in ["what", "safe", "next"] {
        assert!(message.contains(failed[part].as_str().unwrap()), "{failed}");
    }
}

#[test]
fn in_the_journal_a_run_logs_its_summary_and_levels_become_priorities() {
    let site = Site::new();
    site.add_list(1);
    let in_journal = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command
            .env("JOURNAL_STREAM", "8:12345")
            .env("AWEBER_SYNC_PING_URL", PingServer::answering(&[500]).url());
        site.finish(command)
    };
    let success = in_journal(&["run"]).stderr;
    assert!(
        success.contains("<6>aweber-sync: 1 new subscriber "),
        "{success}"
    );
    assert!(
        success.contains("<4>aweber-sync: warning: the ping"),
        "{success}"
    );
    site.sandbox.with(|world| world.revoke_everything());
    let failure = in_journal(&["run"]).stderr;
    assert!(failure.contains("<3>aweber-sync: error: "), "{failure}");
    assert!(
        failure.contains("<3>  next: aweber-sync authorize"),
        "{failure}"
    );
    in_journal(&["run", "-vv"]).says("<7>aweber-sync: ");
    for line in failure.lines().chain(success.lines()) {
        assert!(
            line.starts_with('<') && line[2..].starts_with('>'),
            "{line}"
        );
    }
}

/// What was drawn between two control sequences or line ends.
fn frames(drawn: &str) -> Vec<String> {
    let mut frames = vec![String::new()];
    let mut in_control = false;
    for c in drawn.chars() {
        match c {
            '\x1b' | '\r' | '\n' => {
                in_control = c == '\x1b';
                frames.push(String::new());
            }
            _ if in_control => in_control = !c.is_ascii_alphabetic(),
            _ => frames.last_mut().unwrap().push(c),
        }
    }
    frames
}

/// In columns, of text with Japanese letters.
fn width(text: &str) -> usize {
    let of = |c: char| match c {
        '\u{200b}' => 0,
        '\u{3000}'..'\u{a000}' => 2,
        _ => 1,
    };
    text.chars().map(of).sum()
}

#[test]
fn on_a_terminal_a_run_shows_a_progress_bar_and_a_summary() {
    let settings = Settings {
        latency: Duration::from_millis(150),
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let name = "二十個の広い文字がある長い名前のリストだ";
    site.sandbox.with(|world| {
        let list = world.add_list(name);
        world.add_subscribers(list, 420);
        let limited = FaultKind::envelope_a(403, "ForbiddenError", "Rate Limit Error");
        let page = Fault::on("status=subscribed").skip(2).times(1);
        world.fault(page.answer(limited));
    });
    let mut command = site.command(&["run"]);
    command
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env("AWEBER_SYNC_RATE_LIMIT_WAIT", "1200ms");
    let Some(command) = on_terminal(&command) else {
        return;
    };
    let done = site.finish(command);
    let drawn = done.stdout.replace('\u{200b}', "");
    assert!(drawn.contains(" 二十個の広い文字… "), "{done}");
    done.exits(0)
        .prints("/420, ")
        .prints(" left, others use the limit");
    for frame in frames(&done.stdout) {
        let is_bar = frame.contains('░') || frame.contains('█');
        assert!(!is_bar || width(&frame) <= 80, "{}: {frame}", width(&frame));
    }
    let summary = done.stdout.lines().last().unwrap();
    let parts = [
        "420 new subscribers (二十個の広い文字がある長い名前のリストだ 420) in ",
        "; 1 list, ",
        " requests, ",
        " s",
    ];
    for part in parts {
        assert!(summary.contains(part), "{part}: {summary}");
    }
    done.does_not_print("\x1b[3");
}

#[test]
fn on_a_terminal_progress_bar_and_summary_tell_that_others_use_the_limit() {
    let settings = Settings {
        latency: Duration::from_millis(150),
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    site.add_list(620);
    site.sandbox.with(|world| {
        let limit = Fault::on("status=subscribed").skip(2);
        world.fault(limit.answer(FaultKind::rate_limit()));
    });
    let mut command = site.command(&["run"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let Some(command) = on_terminal(&command) else {
        return;
    };
    let done = site.finish(command);
    done.exits(0).prints(", others use the limit");
    let summary = done.stdout.lines().last().unwrap();
    let shared = "; others use AWeber's limit too: at most 10 requests a minute";
    assert!(summary.contains(shared), "{summary}");
}

#[test]
fn a_run_ended_by_max_duration_publishes_its_rows_silently_and_the_next_run_resumes() {
    let settings = Settings {
        latency: Duration::from_millis(250),
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let list = site.add_list(990);
    let stopped = site.run(&["--max-duration", "2s"]);
    stopped.exits(75);
    // Without a terminal cron has nothing to mail.
    stopped.prints_nothing().is_silent();
    let first = site.rows().len();
    assert!((99..990).contains(&first), "{first} rows");
    site.forget_requests();
    let mut ends = 0;
    loop {
        let done = site.run(&["--max-duration", "2s", "--log-format", "json", "-v"]);
        ends += 1;
        assert!(ends < 20, "{done}");
        let lines = json_lines(&done);
        assert!(
            lines.iter().all(|line| line["level"] != "error"),
            "{}",
            done.stderr
        );
        match done.code {
            0 => break,
            code => assert_eq!(code, 75, "{done}"),
        }
        let end = lines
            .iter()
            .find(|line| line["event"] == "stopped")
            .unwrap();
        assert_eq!(
            (end["level"].as_str(), end["exit_code"].as_u64()),
            (Some("info"), Some(75))
        );
    }
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}
