//! N3: a subscription is exported once over all runs, killed ones included. Here runs are really killed: before each
//! system call by which one leaves something on disk, and at each request. The states a kill can leave are built by
//! hand in `recovery`.

use crate::support::killing::{Before, KILLED, has_strace, has_strace_that_sees_names};
use crate::support::story::{Outlet, Story};
use crate::support::{Row, Site};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultKind, NewSubscriber, Settings};
use std::time::Duration;

/// Kills a run of its own before every `step`th call of that name, each followed by a run that mends it.
fn killed_before_each(outlet: Outlet, call: &str, step: usize) {
    if !has_strace() {
        return;
    }
    let mut story = Story::new(outlet);
    // The first export makes the ledger, which the sweeps below leave alone.
    story.more(3);
    story.run_ok();
    let mut nth = 1;
    loop {
        story.more(1);
        let killed = story.run_killed(Before {
            call,
            nth,
            on: None,
        });
        if killed.code == 0 {
            break;
        }
        let what = format!("{outlet:?}, killed before {call} {nth}");
        killed.case(&what).exits(KILLED);
        let mended = story.run_ok();
        story.assert_everybody_once(&what, &mended);
        nth += step;
        assert!(nth < 1000, "it never ends");
    }
    assert!(nth > 1, "no run ever calls {call}");
    let idle = story.run_ok();
    story.assert_everybody_once("all is quiet again", &idle);
}

#[test]
fn a_kill_before_any_fsync_doubles_no_row_of_a_directory() {
    killed_before_each(Outlet::Directory, "fsync", 1);
}

#[test]
fn a_kill_before_any_fsync_doubles_no_row_of_a_growing_file() {
    killed_before_each(Outlet::File, "fsync", 1);
}

#[test]
fn a_kill_before_any_fsync_loses_no_row_on_standard_output() {
    killed_before_each(Outlet::Stdout, "fsync", 1);
}

#[test]
fn a_kill_before_any_unlink_leaves_nothing_behind_in_the_end() {
    killed_before_each(Outlet::Directory, "unlink", 1);
    killed_before_each(Outlet::File, "unlink", 1);
}

#[test]
fn a_kill_before_any_rename_or_write_doubles_no_row() {
    for call in ["rename", "renameat2", "write"] {
        killed_before_each(Outlet::Directory, call, 1);
    }
    killed_before_each(Outlet::File, "write", 1);
    killed_before_each(Outlet::Stdout, "write", 1);
}

#[test]
fn a_kill_in_the_middle_of_a_commit_doubles_no_row() {
    killed_before_each(Outlet::Directory, "pwrite64", 3);
}

#[test]
fn a_kill_in_the_middle_of_an_append_is_mended_by_the_next_run() {
    if !has_strace_that_sees_names() {
        return;
    }
    let mut story = Story::new(Outlet::File);
    let mut torn = 0;
    for nth in 1.. {
        story.more(150);
        let file = story.file();
        let killed = story.run_killed(Before {
            call: "write",
            nth,
            on: Some(&file),
        });
        if killed.code == 0 {
            break;
        }
        let left = std::fs::read(&file).unwrap_or_default();
        torn += usize::from(left.last().is_some_and(|last| *last != b'\n'));
        let mended = story.run_ok();
        story.assert_everybody_once(&format!("killed before write {nth}"), &mended);
    }
    assert!(
        torn > 0,
        "no kill has torn a record: this test proves nothing"
    );
}

/// A world that is the same each time, so that results can be compared cell by cell.
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
fn a_kill_at_any_request_of_a_first_export_changes_no_cell_of_the_result() {
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

/// How many pages of 100 the long first export has; `AWEBER_SYNC_TEST_PAGES=2000` makes it as long as a big customer's.
fn pages() -> u32 {
    std::env::var("AWEBER_SYNC_TEST_PAGES").map_or(300, |pages| pages.parse().unwrap())
}

#[test]
fn a_killed_first_export_of_many_pages_goes_on_where_it_stopped() {
    let pages = pages();
    let mut story = Story::new(Outlet::Directory);
    story.more(pages as usize * 100);
    // A page that takes its time makes a checkpoint due right after it; ten pages later comes the kill.
    let slow = 2 + pages * 2 / 3;
    let slowness = FaultKind::DelayBefore(Duration::from_millis(1010));
    story.site.sandbox.with(|world| {
        world.fault(
            Fault::on("status=subscribed")
                .skip(slow - 1)
                .answer(slowness),
        );
    });
    story
        .site
        .kill(story.site.hold_on("status=subscribed", &[], slow + 10))
        .exits(KILLED);
    let first = story.site.requests();
    assert_eq!(story.site.files().len(), 0);

    let done = story.run_ok();
    story.assert_everybody_once("killed in the middle", &done);
    let second = story.site.requests() - first;
    eprintln!("{pages} pages: {first} requests until the kill, {second} after it");
    // Stitched pages bring 99 new rows each, so a few more than 100 divides.
    let walk = (pages * 100).div_ceil(99);
    // Twice the refresh, the lists and the unconfirmed; the count; ten pages since the checkpoint and the one killed.
    let most = (walk + 2 * 3 + 2 + 11) as usize;
    assert!(first + second <= most, "{first} + {second} > {most}");
}
