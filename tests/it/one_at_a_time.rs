//! N4: two runs on one state directory never overlap. The locks are the kernel's, so a killed holder leaves none.

use crate::support::killing::{Held, wait_until};
use crate::support::story::{Outlet, Story};
use crate::support::{Done, Site, subscribed};
use rustix::process::Signal;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Both locks of a run.
fn locks(site: &Site) -> [PathBuf; 2] {
    ["lock", "token.json.lock"].map(|name| site.state_dir().join(name))
}

/// Takes a lock as another process would.
fn take(path: &PathBuf) -> File {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    file.try_lock().unwrap();
    file
}

fn three_readers() -> Story {
    let story = Story::new(Outlet::Directory);
    story.more(3);
    story
}

/// 75 at once, with nothing asked and nothing touched, the ledger's bytes included.
fn assert_turned_away(site: &Site) -> Done {
    site.forget_requests();
    let everything = || {
        let ledger = std::fs::read(site.ledger_file()).ok();
        (site.contents(), ledger)
    };
    let before = everything();
    let began = Instant::now();
    let done = site.run(&[]);
    done.exits(75);
    assert!(began.elapsed() < Duration::from_secs(1));
    done.says("holds the lock").says("--lock-wait");
    assert_eq!(site.requests(), 0, "{done}");
    assert!(everything() == before, "{done}");
    done
}

#[test]
fn a_run_that_finds_either_lock_taken_leaves_at_once_and_touches_nothing() {
    let mut story = three_readers();
    for again in [false, true] {
        for lock in locks(&story.site) {
            let held = take(&lock);
            assert_turned_away(&story.site).says(lock.to_str().unwrap());
            drop(held);
        }
        let done = story.run_ok();
        story.assert_everybody_once(&format!("again: {again}"), &done);
        story.more(1);
    }
}

#[test]
fn a_run_under_way_holds_both_locks_from_its_first_request_to_its_last() {
    let undisturbed = three_readers();
    undisturbed.site.run_ok(&[]);
    for nth in 1..=undisturbed.site.requests() as u32 {
        let story = three_readers();
        let held = story.site.hold(&[], nth);
        for lock in locks(&story.site) {
            let taken = File::open(&lock).unwrap().try_lock();
            assert!(
                matches!(taken, Err(std::fs::TryLockError::WouldBlock)),
                "{lock:?} at request {nth}"
            );
        }
        story.site.kill(held);
    }
}

#[test]
fn a_second_run_is_turned_away_while_the_first_is_at_work() {
    let mut story = three_readers();
    let held = story.site.hold_on("/lists", &[], 1);
    assert_turned_away(&story.site);
    story.site.kill(held);
    let done = story.run_ok();
    story.assert_everybody_once("after the first", &done);
}

#[test]
fn two_state_directories_with_one_token_file_are_one_at_a_time_too() {
    let mut story = three_readers();
    let held = story.site.hold_on("/lists", &[], 1);
    let token = story.site.token_file();
    let other = [
        "run",
        "--state-dir",
        "other",
        "--token-file",
        token.to_str().unwrap(),
    ];
    let before = story.site.requests();
    story.site.finish(story.site.command(&other)).exits(75);
    assert_eq!(story.site.requests(), before);
    story.site.kill(held);
    story.run_ok();
}

#[test]
fn a_killed_holder_leaves_no_lock_behind() {
    let mut story = three_readers();
    for nth in 1..=3 {
        let held = story.site.hold(&[], nth);
        story.site.kill(held);
        let done = story.run_ok();
        story.assert_everybody_once(&format!("killed at request {nth}"), &done);
        story.more(1);
    }
}

/// A run that waits for its turn and says so in `waiting.log`.
fn waiting(site: &Site, wait: &str) -> Held {
    let log = File::options()
        .create(true)
        .append(true)
        .open(site.path("waiting.log"))
        .unwrap();
    let mut command = site.command(&["run", "-v", "--lock-wait", wait]);
    command.stderr(log);
    site.start(command)
}

fn wait_until_it_waits(site: &Site) {
    let log = site.path("waiting.log");
    wait_until("it waits", || {
        std::fs::read_to_string(&log)
            .unwrap()
            .contains("waiting for")
    });
}

#[test]
fn lock_wait_waits_for_its_turn() {
    for lock in 0..2 {
        let story = three_readers();
        let taken = take(&locks(&story.site)[lock]);
        let mut held = waiting(&story.site, "30s");
        wait_until_it_waits(&story.site);
        assert!(held.is_running());
        assert_eq!(story.site.requests(), 0);
        drop(taken);
        let done = story.site.end(held);
        done.exits(0);
        story.assert_everybody_once("after its turn has come", &done);
    }
}

#[test]
fn lock_wait_ends_with_75_when_the_time_is_over() {
    let story = three_readers();
    let _taken = take(&locks(&story.site)[0]);
    let began = Instant::now();
    let done = story.site.run(&["--lock-wait", "300ms"]);
    let took = began.elapsed();
    done.exits(75);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(story.site.requests(), 0);
}

#[test]
fn a_signal_ends_the_wait_for_the_lock_within_a_second() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let story = three_readers();
        let _taken = take(&locks(&story.site)[0]);
        let held = waiting(&story.site, "1h");
        wait_until_it_waits(&story.site);
        let (stopped, took) = story.site.stop(held, signal);
        stopped.exits(code);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(story.site.requests(), 0);
    }
}

#[test]
fn of_ten_runs_at_once_one_works_and_nine_are_turned_away() {
    let story = three_readers();
    // Whoever comes first is held at its first request until all others have left.
    let never = aweber_sandbox::FaultKind::Never { work_done: false };
    story.site.sandbox.with(|world| {
        world.fault(aweber_sandbox::Fault::on("/lists").answer(never));
    });
    let mut runs: Vec<Held> = (0..10)
        .map(|_| story.site.start(story.site.command(&["run"])))
        .collect();
    wait_until("nine have left", || {
        runs.iter_mut()
            .filter_map(|run| run.is_running().then_some(()))
            .count()
            == 1
    });
    wait_until("the tenth is at work", || {
        story.site.sandbox.with(|world| world.count("/lists")) == 1
    });
    assert_eq!(
        story.site.requests(),
        2,
        "a refresh and the lists, of one run"
    );
    let (mut working, mut turned_away) = (None, 0);
    for mut run in runs {
        if run.is_running() {
            working = Some(run);
        } else {
            story.site.end(run).exits(75);
            turned_away += 1;
        }
    }
    assert_eq!(turned_away, 9);
    story.site.kill(working.unwrap());
}

#[test]
fn ten_runs_that_wait_for_each_other_export_everybody_once_and_keep_the_token() {
    let story = three_readers();
    let runs: Vec<Held> = (0..10).map(|_| waiting(&story.site, "30s")).collect();
    for run in runs {
        story.site.end(run).exits(0);
    }
    assert_eq!(story.site.emails(), subscribed(&story.site, &[story.list]));
    assert!(story.site.token_is_live());
    let generation = story.site.tokens()["generation"].as_u64().unwrap();
    assert_eq!(generation, 11);
}
