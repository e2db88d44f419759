//! The ledger: an SQLite file that other tools can open, with ids and times but no personal data; refused unchanged
//! if it cannot be trusted.

use crate::support::interrupt::{KILLED, KillPoint, has_strace, has_strace_with_paths};
use crate::support::job::{Job, OutputKind};
use crate::support::{Done, Site, files_below};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber};
use rusqlite::types::Value;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;

/// A job whose ledger contains several hundred subscriptions.
fn exported_job() -> Job {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(700);
    job.run_ok();
    job.add_subscribers(2);
    job
}

/// Asserts that a run ends with `code` before any request and leaves ledger and files unchanged.
fn assert_refused(job: &Job, code: i32, message: &str) -> Done {
    let site = &job.site;
    site.forget_requests();
    let (before, files) = (std::fs::read(site.ledger_file()).unwrap(), site.contents());
    let done = site.run(&[]);
    done.case(&message).exits(code).says(message).says("next:");
    assert_eq!(site.requests(), 0, "{message}\n{done}");
    assert!(
        std::fs::read(site.ledger_file()).unwrap() == before,
        "{message}: the ledger was changed"
    );
    assert!(site.contents() == files, "{message}: files were changed");
    done
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_unchanged() {
    let mut job = exported_job();
    let version: i64 = job
        .ledger()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    job.ledger()
        .pragma_update(None, "user_version", version + 1)
        .unwrap();
    assert_refused(&job, 78, "newer aweber-sync");
    // Installing the newer version again finds everything.
    job.ledger()
        .pragma_update(None, "user_version", version)
        .unwrap();
    let done = job.run_ok();
    job.assert_exported_once("the right version again", &done);
}

#[test]
fn a_ledger_with_a_garbled_header_is_damaged() {
    let job = exported_job();
    let mut bytes = std::fs::read(job.site.ledger_file()).unwrap();
    bytes[..100].fill(b'?');
    std::fs::write(job.site.ledger_file(), bytes).unwrap();
    assert_refused(&job, 74, "is damaged").says(".damaged'");
}

#[test]
fn an_empty_ledger_file_is_damaged_rather_than_new() {
    let job = exported_job();
    std::fs::write(job.site.ledger_file(), "").unwrap();
    assert_refused(&job, 74, "is damaged");
}

#[test]
fn a_truncated_ledger_is_damaged() {
    let job = exported_job();
    let bytes = std::fs::read(job.site.ledger_file()).unwrap();
    std::fs::write(job.site.ledger_file(), &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(&job, 74, "is damaged");
}

#[test]
fn a_ledger_with_garbage_in_any_page_is_damaged() {
    let job = exported_job();
    let whole = std::fs::read(job.site.ledger_file()).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 10);
    for page in 0..pages {
        let mut bytes = whole.clone();
        let from = page * 4096 + if page == 0 { 100 } else { 0 };
        bytes[from..(page + 1) * 4096].fill(0xa5);
        std::fs::write(job.site.ledger_file(), bytes).unwrap();
        assert_refused(&job, 74, "is damaged");
    }
}

#[test]
fn another_programs_database_is_refused() {
    let job = exported_job();
    std::fs::remove_file(job.site.ledger_file()).unwrap();
    job.ledger().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert_refused(&job, 74, "not a ledger of aweber-sync");
}

#[test]
fn following_the_damaged_ledger_advice_restarts_from_since() {
    let job = exported_job();
    std::fs::write(job.site.ledger_file(), "?").unwrap();
    let done = assert_refused(&job, 74, "is damaged");
    let shown = job.site.ledger_file();
    done.says(&format!("mv '{0}' '{0}.damaged'", shown.display()));
    std::fs::rename(&shown, job.site.path("state/damaged")).unwrap();
    job.site.run_ok(&["--since", "today"]);
}

#[test]
fn a_hot_journal_after_a_kill_is_rolled_back_by_the_next_run() {
    if !has_strace_with_paths() {
        return;
    }
    let mut job = exported_job();
    let ledger = job.site.ledger_file();
    let journal = ledger.with_extension("sqlite3-journal");
    let mut hot = 0;
    for nth in 1.. {
        let before = KillPoint {
            call: "fsync",
            nth,
            on: Some(&ledger),
        };
        let killed = job.run_killed(before);
        if killed.code == 0 {
            break;
        }
        killed.exits(KILLED);
        if journal.exists() {
            hot += 1;
            let mode = journal.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
        let done = job.run_ok();
        job.assert_exported_once(&format!("killed before fsync {nth} of the ledger"), &done);
        job.add_subscribers(2);
    }
    assert!(hot >= 3, "{hot}");
}

#[test]
fn a_first_run_killed_while_creating_the_ledger_is_followed_by_a_complete_run() {
    if !has_strace() {
        return;
    }
    for call in ["fsync", "pwrite64", "renameat2"] {
        for nth in 1..=3 {
            let mut job = Job::new(OutputKind::Directory);
            job.add_subscribers(3);
            let killed = job.run_killed(KillPoint {
                call,
                nth,
                on: None,
            });
            assert!([KILLED, 0].contains(&killed.code));
            let done = job.run_ok();
            job.assert_exported_once(&format!("killed before {call} {nth}"), &done);
        }
    }
}

#[test]
fn the_ledger_is_private_and_contains_no_personal_data() {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("Secret list name");
        world.add_nasty_subscribers(list);
        let personal = NewSubscriber::new("jane.personal@example.com")
            .name("Jane Personal")
            .tags(["personal-tag"])
            .custom("Shoe", "personal-size")
            .with("ip_address", "203.0.113.77")
            .with("misc_notes", "personal note");
        world.add_subscriber(list, personal.clone());
        let pending = NewSubscriber::new("pending.personal@example.com")
            .status(aweber_sandbox::Status::Unconfirmed);
        world.add_subscriber(list, pending);
        list
    });
    // The message of a failed run is in the ledger too.
    site.sandbox.with(|world| {
        let odd = FaultKind::status(500);
        world.fault(Fault::on("status=subscribed").times(20).answer(odd));
    });
    site.run(&[]).exits(69);
    site.sandbox.with(|world| world.clear_faults());
    site.run_ok(&[]);
    let mode = site.ledger_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    let ledger = String::from_utf8_lossy(&std::fs::read(site.ledger_file()).unwrap()).into_owned();
    let mut secrets = vec![
        "Jane Personal".to_owned(),
        "personal-tag".into(),
        "personal-size".into(),
        "Shoe".into(),
        "203.0.113.77".into(),
        "personal note".into(),
        "@example.com".into(),
        "@nasty.example".into(),
    ];
    site.sandbox.with(|world| {
        secrets.extend(world.secrets());
        let names = world.subscribers(list).filter_map(|one| one.name.clone());
        secrets.extend(names.filter(|name| name.len() > 7));
    });
    for secret in secrets {
        assert!(!ledger.contains(&secret), "the ledger holds {secret:?}");
    }
    assert!(files_below(&site.state_dir()).contains(&site.ledger_file()));
}

#[test]
fn the_ledger_schema_is_as_documented() {
    let job = exported_job();
    let ledger = job.ledger();
    let mut tables = ledger
        .prepare(
            "SELECT m.name || ' (' || group_concat(c.name, ', ') || ')' FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' GROUP BY m.name ORDER BY m.name",
        )
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        tables,
        [
            "batch (id, state, kind, target, stage, marker, mode, format, columns, named_at, length, rows, appended_at, \
             with_header, published_at)",
            "batch_feed (batch, list, kind, rows)",
            "feed (list, kind, progress, settled)",
            "meta (key, value)",
            "output (path, kind, length, tail, shape)",
            "pending (list, subscriber, subscribed_at, checked, resolved_by)",
            "run (id, began_at, ended_at, exit_code, rows, requests, refreshes, message)",
            "subscription (list, subscriber, subscribed_at, batch)",
            "unsubscription (list, subscriber, unsubscribed_at, batch)",
            "version_1 (list, last_batch, aweber_time)",
        ]
    );
    let number = |name: &str| -> i64 {
        ledger
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(
        number("application_id"),
        i64::from(u32::from_be_bytes(*b"AWSY"))
    );
    assert_eq!(number("user_version"), 2);
    let journal: String = ledger
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(journal, "delete");
}

#[test]
fn a_subscription_is_keyed_by_its_time_in_seconds_or_by_its_text() {
    let site = Site::new();
    let at = |text: &str| NewSubscriber::new("a@example.com").with("subscribed_at", text);
    let list = site.sandbox.with(|world| {
        let list = world.add_list("Readers");
        for (id, new) in (1..).zip([
            at("2025-11-21T10:31:53.999999-05:00"),
            at("2025-11-21T10:31:53"),
            at("").without("subscribed_at"),
        ]) {
            world.add_subscriber(list, new.id(id));
        }
        list as i64
    });
    site.run_ok(&[]);
    let ledger = site.ledger();
    let mut query = ledger
        .prepare(
            "SELECT list, subscriber, subscribed_at, batch FROM subscription ORDER BY subscriber",
        )
        .unwrap();
    let rows: Vec<(i64, i64, Value, i64)> = query
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        rows,
        [
            (list, 1, Value::Integer(1_763_739_113), 1),
            (list, 2, text("2025-11-21T10:31:53"), 1),
            (list, 3, text(""), 1),
        ]
    );
}

/// Exit code and rows of every run, in order; no exit code if it was killed.
fn recorded_runs(job: &Job) -> Vec<(Option<i32>, i64)> {
    let ledger = job.ledger();
    let mut query = ledger
        .prepare("SELECT exit_code, rows FROM run ORDER BY id")
        .unwrap();
    query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn every_run_is_recorded_with_its_exit_code() {
    let job = Job::new(OutputKind::Directory);
    let site = &job.site;
    job.add_subscribers(3);
    site.run_ok(&[]);

    site.sandbox
        .with(|world| world.fault(Fault::on("status=").always().answer(FaultKind::status(500))));
    site.sandbox.with(|world| {
        world.fault(
            Fault::on("ws.op=find")
                .always()
                .answer(FaultKind::status(500)),
        )
    });
    job.add_subscribers(1);
    site.run(&[]).exits(69);
    site.sandbox.with(|world| world.clear_faults());

    std::fs::rename(site.exports(), site.path("away")).unwrap();
    site.run(&[]).exits(73);
    std::fs::rename(site.path("away"), site.exports()).unwrap();

    let (stopped, _) = site.stop(site.hold_on("ws.op=find", &[], 1), Signal::TERM);
    stopped.exits(143);
    site.kill(site.hold_on("ws.op=find", &[], 1)).exits(KILLED);
    site.run(&["--list", "unknown"]).exits(78);
    site.run_ok(&[]);
    site.sandbox.with(|world| world.revoke_everything());
    site.sandbox.with(|world| world.expire_access_tokens());
    site.run(&[]).exits(77);
    assert_eq!(
        recorded_runs(&job),
        [
            (Some(0), 3),
            (Some(69), 0),
            (Some(73), 0),
            (Some(143), 0),
            (None, 0),
            (Some(78), 0),
            (Some(0), 1),
            (Some(77), 0),
        ]
    );
    let message: String = job
        .ledger()
        .query_row("SELECT message FROM run WHERE exit_code = 73", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(message.contains("is missing"), "{message}");
}

#[test]
fn an_unknown_kind_of_output_in_the_ledger_is_damage() {
    let mut job = exported_job();
    for (set, undo) in [
        (
            "UPDATE output SET kind = 'cloud'",
            "UPDATE output SET kind = 'directory'",
        ),
        (
            "UPDATE batch SET state = 'open', kind = 'cloud'",
            "UPDATE batch SET state = 'published', kind = 'directory'",
        ),
    ] {
        job.ledger().execute(set, []).unwrap();
        let done = job.site.run(&[]);
        done.case(&set).exits(74);
        assert!(
            done.stderr.contains("is damaged") && done.stderr.contains("cloud"),
            "{}",
            done.stderr
        );
        job.ledger().execute(undo, []).unwrap();
    }
    let done = job.run_ok();
    job.assert_exported_once("the words are right again", &done);
}
