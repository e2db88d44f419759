//! Promise N2 for `--full` and for batches that are lost: a stopped `--full` begins anew, and the rows of a void batch are
//! fetched again, however old they are.

use crate::support::Site;
use crate::support::calendar::{add_readers, at, reader};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::Signal;

fn noon() -> DateTime<Utc> {
    at("2026-03-10T12:00:00Z")
}

/// An old import that only `--full` finds.
fn import(site: &Site, list: u64, email: &str, hours: i64) {
    site.add(list, reader(email, noon() - TimeDelta::hours(hours)));
}

/// A list of 350 whose first export is complete, and an import among its first rows.
fn site_with_import() -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 350, noon(), TimeDelta::hours(1)));
    site.run_ok(&[]);
    import(&site, list, "early@example.com", 340);
    (site, list)
}

/// Leaves the batch of a stopped `--full` without its stage file.
fn lose_full(site: &Site) {
    let held = site.hold_on("ws.show=total_size", &["--full"], 1);
    let (stopped, _) = site.stop(held, Signal::TERM);
    stopped.exits(143);
    let sql = "SELECT stage FROM batch WHERE state = 'open' AND rows > 0";
    let stage: String = site.ledger().query_row(sql, [], |row| row.get(0)).unwrap();
    std::fs::remove_file(stage).unwrap();
}

#[test]
fn a_stopped_full_run_begins_anew() {
    for arguments in [&["--full"][..], &["--full", "--max-duration", "1h"]] {
        let (site, list) = site_with_import();
        let held = site.hold_on("status=subscribed", &["--full"], 4);
        let (stopped, _) = site.stop(held, Signal::TERM);
        stopped.exits(143);
        // Before the place at which the walk stopped; the number of rows stays the same.
        let first = site
            .sandbox
            .with(|w| w.subscribers(list).next().unwrap().id);
        site.sandbox.with(|w| w.delete(list, first));
        import(&site, list, "later@example.com", 345);
        site.run_ok(arguments);
        let rows = site.emails();
        for email in ["early@example.com", "later@example.com"] {
            let times = rows.iter().filter(|row| *row == email).count();
            assert_eq!(times, 1, "{email}");
        }
        assert_eq!(rows.len(), 352);
    }
}

#[test]
fn a_stopped_first_export_is_resumed_unless_it_is_a_full_one() {
    for (arguments, resumed) in [(&[][..], true), (&["--full"], false)] {
        let site = Site::on(noon());
        let list = site.list("News");
        site.sandbox
            .with(|w| add_readers(w, list, 350, noon(), TimeDelta::hours(1)));
        let held = site.hold_on("status=subscribed", &[], 4);
        site.stop(held, Signal::TERM).0.exits(143);
        site.forget_requests();
        site.run_ok(arguments);
        assert_eq!(site.rows().len(), 350);
        let begun = site.asked().contains(&format!("{list} subscribed"));
        assert_eq!(!begun, resumed, "{:?}", site.asked());
    }
}

#[test]
fn the_lists_of_a_lost_batch_are_read_as_a_whole_again() {
    let (site, list) = site_with_import();
    let other = site.list("Tips");
    site.run_ok(&["--list", "Tips"]);
    lose_full(&site);
    site.forget_requests();
    site.run_exports(&[], &["early@example.com"]);
    let asked = site.asked();
    // Only the list that had rows in the batch.
    assert!(asked.contains(&format!("{list} subscribed")), "{asked:?}");
    assert!(!asked.contains(&format!("{other} subscribed")), "{asked:?}");
    // It is complete again: the next run asks for the recent rows only.
    site.forget_requests();
    site.run_exports(&[], &[]);
    let asked = site.asked();
    assert!(asked.contains(&format!("{list} recent")), "{asked:?}");
}

#[test]
fn a_lost_batch_is_not_forgotten_by_runs_that_fail_in_between() {
    let (site, _) = site_with_import();
    lose_full(&site);
    // Killed when it has just declared the batch void, and stopped in the middle of the walk.
    let held = site.hold_on("/oauth2/token", &[], 1);
    site.kill(held);
    for page in [2, 3] {
        let held = site.hold_on("status=subscribed", &[], page);
        site.stop(held, Signal::TERM).0.exits(143);
        let status = site.finish(site.command(&["status"]));
        status.does_not_print("first export not complete");
    }
    site.run_ok(&[]);
    let emails = site.emails();
    assert_eq!(emails.len(), 351);
    assert!(emails.contains(&"early@example.com".to_owned()));
    site.run_exports(&["--full"], &[]);
}
