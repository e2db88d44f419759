//! N3: each subscription is exported once over all runs, including killed ones. These tests really kill runs: before
//! each system call that changes the disk, and at each request. `recovery` builds the states after a kill by hand.

use crate::support::interrupt::{KILLED, KillPoint, has_strace, has_strace_with_paths};
use crate::support::job::{Job, OutputKind};
use crate::support::{Row, Site, is_whole};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultKind, NewSubscriber, Settings};
use std::time::Duration;

/// Kills a run before every `step`th call of that name, for a sample before every second of these, each followed by a run
/// that repairs the state.
fn kill_before_each(output: OutputKind, call: &str, step: usize) {
    if !has_strace() {
        return;
    }
    let mut job = Job::new(output);
    // The first export creates the ledger; the kills below start after that.
    job.add_subscribers(3);
    job.run_ok();
    let mut nth = 1;
    loop {
        job.add_subscribers(1);
        let killed = job.run_killed(KillPoint {
            call,
            nth,
            on: None,
        });
        if killed.code == 0 {
            break;
        }
        let what = format!("{output:?}, killed before {call} {nth}");
        killed.case(&what).exits(KILLED);
        let repaired = job.run_ok();
        job.assert_exported_once(&what, &repaired);
        nth += if is_whole() { step } else { 2 * step };
        assert!(nth < 1000, "more than 1000 calls");
    }
    assert!(nth > 1, "no run ever calls {call}");
    let idle = job.run_ok();
    job.assert_exported_once("after the last kill", &idle);
}

#[test]
fn a_kill_before_any_fsync_duplicates_no_row_in_a_directory() {
    kill_before_each(OutputKind::Directory, "fsync", 1);
}

#[test]
fn a_kill_before_any_fsync_duplicates_no_row_in_a_growing_file() {
    kill_before_each(OutputKind::File, "fsync", 1);
}

#[test]
fn a_kill_before_any_fsync_loses_no_row_on_standard_output() {
    kill_before_each(OutputKind::Stdout, "fsync", 1);
}

#[test]
fn a_kill_before_any_unlink_leaves_no_file_after_the_next_run() {
    kill_before_each(OutputKind::Directory, "unlink", 1);
    kill_before_each(OutputKind::File, "unlink", 1);
}

#[test]
fn a_kill_before_any_rename_or_write_duplicates_no_row() {
    for call in ["rename", "renameat2", "write"] {
        kill_before_each(OutputKind::Directory, call, 1);
    }
    kill_before_each(OutputKind::File, "write", 1);
    kill_before_each(OutputKind::Stdout, "write", 1);
}

#[test]
fn a_kill_during_a_commit_duplicates_no_row() {
    kill_before_each(OutputKind::Directory, "pwrite64", 3);
}

#[test]
fn a_kill_during_an_append_is_repaired_by_the_next_run() {
    if !has_strace_with_paths() {
        return;
    }
    let mut job = Job::new(OutputKind::File);
    let mut torn = 0;
    for nth in 1.. {
        job.add_subscribers(150);
        let file = job.file();
        let killed = job.run_killed(KillPoint {
            call: "write",
            nth,
            on: Some(&file),
        });
        if killed.code == 0 {
            break;
        }
        let left = std::fs::read(&file).unwrap_or_default();
        torn += usize::from(left.last().is_some_and(|last| *last != b'\n'));
        let repaired = job.run_ok();
        job.assert_exported_once(&format!("killed before write {nth}"), &repaired);
    }
    assert!(torn > 0, "no kill has torn a record");
}

/// A deterministic world, so that results can be compared cell by cell.
fn two_small_lists() -> Site {
    let now = "2026-11-22T03:00:00Z".parse().unwrap();
    let settings = Settings {
        clock: Clock::Fixed(now),
        rotation: aweber_sandbox::Rotation::Tolerated,
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    site.sandbox.with(|world| {
        for name in ["News", "Offers"] {
            let list = world.add_list(name);
            world.add_subscribers(list, 130);
            world.add_subscriber(
                list,
                NewSubscriber::new("waits@example.com")
                    .status(aweber_sandbox::Status::Unconfirmed)
                    .subscribed_at(now - Duration::from_secs(3600)),
            );
        }
    });
    site
}

fn by_id(site: &Site) -> Vec<Row> {
    let mut rows = site.rows();
    rows.sort_by_key(|row| (row["list_id"].clone(), row["id"].clone()));
    rows
}

#[test]
fn a_kill_at_any_request_of_a_first_export_changes_no_cell() {
    let undisturbed = two_small_lists();
    undisturbed.run_ok(&[]);
    let expected = by_id(&undisturbed);
    let requests = undisturbed.requests() as u32;
    assert_eq!(expected.len(), 260);
    for nth in 1..=requests {
        let site = two_small_lists();
        site.kill(site.hold(&[], nth)).exits(KILLED);
        let done = site.run_ok(&[]);
        assert!(by_id(&site) == expected, "killed at request {nth}\n{done}");
    }
}

/// Pages of 100 in the long first export; `AWEBER_SYNC_TEST_PAGES=2000` gives it the size of a large account.
fn pages() -> u32 {
    let usual = if is_whole() { 300 } else { 90 };
    std::env::var("AWEBER_SYNC_TEST_PAGES").map_or(usual, |pages| pages.parse().unwrap())
}

#[test]
fn a_killed_first_export_of_many_pages_resumes_at_its_checkpoint() {
    let pages = pages();
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(pages as usize * 100);
    // A slow page makes a checkpoint due right after it; the kill comes ten pages later.
    let slow = 2 + pages * 2 / 3;
    let slowness = FaultKind::DelayBefore(Duration::from_millis(1010));
    job.site.sandbox.with(|world| {
        world.fault(
            Fault::on("status=subscribed")
                .skip(slow - 1)
                .answer(slowness),
        );
    });
    job.site
        .kill(job.site.hold_on("status=subscribed", &[], slow + 10))
        .exits(KILLED);
    let first = job.site.requests();
    assert_eq!(job.site.files().len(), 0);

    let done = job.run_ok();
    job.assert_exported_once("killed in the middle", &done);
    let second = job.site.requests() - first;
    eprintln!("{pages} pages: {first} requests until the kill, {second} after it");
    // Overlapping pages bring 99 new rows each, so a few more than 100 would.
    let walk = (pages * 100).div_ceil(99);
    // Twice the refresh, the lists and the unconfirmed; the count; ten pages since the checkpoint and the killed one.
    let most = (walk + 2 * 3 + 2 + 11) as usize;
    assert!(first + second <= most, "{first} + {second} > {most}");
}
