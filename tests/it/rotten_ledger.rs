//! A ledger that decays on its disk while its time of change stays the same. Not every run reads all of it: what a run
//! does not read costs no row and is found within a week, what it reads ends it with 74 before anything is published.

use crate::support::calendar::{add_readers, reader};
use crate::support::interrupt::KILLED;
use crate::support::{Site, write_private};
use chrono::{TimeDelta, Utc};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const PAGE: usize = 4096;

/// A job with several pages of subscriptions in its ledger, most of them older than what a run asks for, and the file.
fn exported_site() -> (Site, u64, Vec<u8>) {
    let site = Site::new();
    let list = site.list("News");
    let yesterday = Utc::now() - TimeDelta::days(1);
    site.sandbox
        .with(|w| add_readers(w, list, 2000, yesterday, TimeDelta::hours(1)));
    site.run_ok(&[]);
    let ledger = std::fs::read(site.ledger_file()).unwrap();
    (site, list, ledger)
}

fn mark_file(site: &Site) -> PathBuf {
    site.ledger_file().with_extension("sqlite3.checked")
}

/// Notes the ledger as it is now, last checked `seconds` before the check that was noted.
fn note(site: &Site, mark: &Value, seconds: i64) {
    let found = site.ledger_file().metadata().unwrap();
    let mark = json!({
        "checked_at": mark["checked_at"].as_i64().unwrap() - seconds,
        "length": found.len(),
        "changed": [found.ctime(), found.ctime_nsec()],
    });
    write_private(&mark_file(site), &mark.to_string());
}

/// What a run has noted.
fn noted(site: &Site) -> Value {
    serde_json::from_slice(&std::fs::read(mark_file(site)).unwrap()).unwrap()
}

/// Puts `bytes` in place of the ledger, with garbage from `from` to the end of that page.
fn rot(site: &Site, bytes: &[u8], from: usize) {
    let mut bytes = bytes.to_vec();
    bytes[from..(from / PAGE + 1) * PAGE].fill(0xa5);
    std::fs::write(site.ledger_file(), bytes).unwrap();
}

/// A job with rot in a page that its runs do not read.
fn site_with_unread_rot() -> (Site, Value) {
    let (site, _, ledger) = exported_site();
    let mark = noted(&site);
    let unread = (1..ledger.len() / PAGE).find(|page| {
        rot(&site, &ledger, page * PAGE);
        note(&site, &mark, 0);
        site.run(&[]).code == 0
    });
    assert!(unread.is_some());
    (site, mark)
}

/// Asserts that the next run finds the damage before it sends anything.
fn assert_found(site: &Site, why: &str) {
    site.forget_requests();
    site.run(&[]).case(&why).exits(74).says("is damaged");
    assert_eq!(site.requests(), 0, "{why}");
}

#[test]
fn rot_costs_no_row_and_doubles_none_wherever_it_is() {
    let (site, list, ledger) = exported_site();
    let mark = noted(&site);
    let before = site.emails();
    let first_files = site.files();
    site.add(list, reader("new@example.com", Utc::now()));
    let mut unread = 0;
    for page in 0..ledger.len() / PAGE {
        for half in 0..2 {
            // SQLite itself judges the header of the file.
            let from = page * PAGE + half * PAGE / 2 + if page + half == 0 { 100 } else { 0 };
            rot(&site, &ledger, from);
            note(&site, &mark, 0);
            let done = site.run(&[]);
            match done.case(&from).code {
                74 => assert_eq!(site.files(), first_files, "{from}"),
                code => {
                    assert_eq!(code, 0, "{done}");
                    unread += 1;
                    let mut expected = [&before[..], &["new@example.com".to_owned()]].concat();
                    expected.sort();
                    assert_eq!(site.emails(), expected, "{from}");
                    // The second half may be free space.
                    if half == 0 {
                        note(&site, &mark, 8 * 86_400);
                        assert_found(&site, "a week later");
                    }
                }
            }
            for file in site.files() {
                if !first_files.contains(&file) {
                    std::fs::remove_file(file).unwrap();
                }
            }
        }
    }
    assert!(unread > 5, "{unread} of {} pages", ledger.len() / PAGE);
}

#[test]
fn everything_is_checked_after_a_change_a_kill_or_a_week() {
    let (site, mark) = site_with_unread_rot();
    // A run that is stopped, or whose output fails, ends in order.
    let (stopped, _) = site.stop(site.hold_on("ws.op=find", &[], 1), Signal::TERM);
    stopped.exits(143);
    std::fs::rename(site.exports(), site.path("away")).unwrap();
    site.run(&[]).exits(73);
    std::fs::rename(site.path("away"), site.exports()).unwrap();
    site.run_ok(&[]);
    for (seconds, why) in [
        (8 * 86_400, "a week later"),
        (-86_400, "the clock was set back"),
    ] {
        note(&site, &mark, seconds);
        assert_found(&site, why);
    }
    for content in ["", "?", "{}"] {
        write_private(&mark_file(&site), content);
        assert_found(&site, content);
    }
    std::fs::remove_file(mark_file(&site)).unwrap();
    assert_found(&site, "no note");

    note(&site, &mark, 0);
    site.run_ok(&[]);
    site.kill(site.hold_on("ws.op=find", &[], 1)).exits(KILLED);
    assert_found(&site, "after a kill");

    note(&site, &mark, 0);
    site.run_ok(&[]);
    let bytes = std::fs::read(site.ledger_file()).unwrap();
    std::fs::write(site.ledger_file(), bytes).unwrap();
    assert_found(&site, "a copy of it restored");
}

#[test]
fn a_dry_run_and_a_damaged_ledger_leave_the_note_as_it_is() {
    let (site, mark) = site_with_unread_rot();
    note(&site, &mark, 0);
    let before = noted(&site);
    site.run_ok(&["--dry-run"]);
    assert_eq!(noted(&site), before);
    note(&site, &mark, 8 * 86_400);
    let before = noted(&site);
    site.run(&["--dry-run"]).exits(74);
    site.run(&[]).exits(74);
    assert_eq!(noted(&site), before);
}
