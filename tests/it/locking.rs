//! N4: two runs on one state directory never overlap. The locks are the kernel's, so a killed holder leaves none
//! behind.

use crate::support::interrupt::{HeldRun, wait_until};
use crate::support::job::{Job, OutputKind};
use crate::support::{Done, Site, subscribed};
use rustix::process::Signal;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn locks(site: &Site) -> [PathBuf; 2] {
    ["lock", "token.json.lock"].map(|name| site.state_dir().join(name))
}

/// Takes a lock as another process would.
fn take_lock(path: &PathBuf) -> File {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    file.try_lock().unwrap();
    file
}

fn job_with_three_subscribers() -> Job {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    job
}

/// Asserts that a run exits with 75 at once, without a request or a change, even of the ledger's bytes.
fn assert_locked_out(site: &Site) -> Done {
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
fn a_run_that_finds_either_lock_taken_exits_at_once_and_changes_nothing() {
    let mut job = job_with_three_subscribers();
    for again in [false, true] {
        for lock in locks(&job.site) {
            let held = take_lock(&lock);
            assert_locked_out(&job.site).says(lock.to_str().unwrap());
            drop(held);
        }
        let done = job.run_ok();
        job.assert_exported_once(&format!("again: {again}"), &done);
        job.add_subscribers(1);
    }
}

#[test]
fn a_run_holds_both_locks_from_its_first_request_to_its_last() {
    let undisturbed = job_with_three_subscribers();
    undisturbed.site.run_ok(&[]);
    for nth in 1..=undisturbed.site.requests() as u32 {
        let job = job_with_three_subscribers();
        let held = job.site.hold(&[], nth);
        for lock in locks(&job.site) {
            let taken = File::open(&lock).unwrap().try_lock();
            assert!(
                matches!(taken, Err(std::fs::TryLockError::WouldBlock)),
                "{lock:?} at request {nth}"
            );
        }
        job.site.kill(held);
    }
}

#[test]
fn a_second_run_exits_while_the_first_is_in_progress() {
    let mut job = job_with_three_subscribers();
    let held = job.site.hold_on("/lists", &[], 1);
    assert_locked_out(&job.site);
    job.site.kill(held);
    let done = job.run_ok();
    job.assert_exported_once("after the first", &done);
}

#[test]
fn two_state_directories_with_one_token_file_exclude_each_other() {
    let mut job = job_with_three_subscribers();
    let held = job.site.hold_on("/lists", &[], 1);
    let token = job.site.token_file();
    let other = [
        "run",
        "--state-dir",
        "other",
        "--token-file",
        token.to_str().unwrap(),
    ];
    let before = job.site.requests();
    job.site.finish(job.site.command(&other)).exits(75);
    assert_eq!(job.site.requests(), before);
    job.site.kill(held);
    job.run_ok();
}

#[test]
fn a_killed_holder_leaves_no_lock_behind() {
    let mut job = job_with_three_subscribers();
    for nth in 1..=3 {
        let held = job.site.hold(&[], nth);
        job.site.kill(held);
        let done = job.run_ok();
        job.assert_exported_once(&format!("killed at request {nth}"), &done);
        job.add_subscribers(1);
    }
}

/// Starts a run that waits for the lock and logs to `waiting.log`.
fn start_waiting_run(site: &Site, wait: &str) -> HeldRun {
    let log = File::options()
        .create(true)
        .append(true)
        .open(site.path("waiting.log"))
        .unwrap();
    let mut command = site.command(&["run", "-v", "--lock-wait", wait]);
    command.stderr(log);
    site.start(command)
}

fn wait_until_waiting(site: &Site) {
    let log = site.path("waiting.log");
    wait_until("the run waits for the lock", || {
        std::fs::read_to_string(&log)
            .unwrap()
            .contains("waiting for")
    });
}

#[test]
fn lock_wait_waits_for_the_lock() {
    for lock in 0..2 {
        let job = job_with_three_subscribers();
        let taken = take_lock(&locks(&job.site)[lock]);
        let mut held = start_waiting_run(&job.site, "30s");
        wait_until_waiting(&job.site);
        assert!(held.is_running());
        assert_eq!(job.site.requests(), 0);
        drop(taken);
        let done = job.site.end(held);
        done.exits(0);
        job.assert_exported_once("after the lock was released", &done);
    }
}

#[test]
fn lock_wait_ends_with_75_on_timeout() {
    let job = job_with_three_subscribers();
    let _taken = take_lock(&locks(&job.site)[0]);
    let began = Instant::now();
    let done = job.site.run(&["--lock-wait", "300ms"]);
    let took = began.elapsed();
    done.exits(75);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(job.site.requests(), 0);
}

#[test]
fn a_signal_ends_the_wait_for_the_lock_within_a_second() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let job = job_with_three_subscribers();
        let _taken = take_lock(&locks(&job.site)[0]);
        let held = start_waiting_run(&job.site, "1h");
        wait_until_waiting(&job.site);
        let (stopped, took) = job.site.stop(held, signal);
        stopped.exits(code);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(job.site.requests(), 0);
    }
}

#[test]
fn of_ten_runs_at_once_one_works_and_nine_exit() {
    let job = job_with_three_subscribers();
    // The first run is held at its first API request until all others have exited.
    let never = aweber_sandbox::FaultKind::Never { work_done: false };
    job.site.sandbox.with(|world| {
        world.fault(aweber_sandbox::Fault::on("/lists").answer(never));
    });
    let mut runs: Vec<HeldRun> = (0..10)
        .map(|_| job.site.start(job.site.command(&["run"])))
        .collect();
    wait_until("nine runs have exited", || {
        runs.iter_mut()
            .filter_map(|run| run.is_running().then_some(()))
            .count()
            == 1
    });
    wait_until("the tenth requests the lists", || {
        job.site.sandbox.with(|world| world.count("/lists")) == 1
    });
    assert_eq!(
        job.site.requests(),
        2,
        "a refresh and the lists, of one run"
    );
    let (mut working, mut locked_out) = (None, 0);
    for mut run in runs {
        if run.is_running() {
            working = Some(run);
        } else {
            job.site.end(run).exits(75);
            locked_out += 1;
        }
    }
    assert_eq!(locked_out, 9);
    job.site.kill(working.unwrap());
}

#[test]
fn ten_waiting_runs_export_each_subscriber_once_and_keep_the_token() {
    let job = job_with_three_subscribers();
    let runs: Vec<HeldRun> = (0..10)
        .map(|_| start_waiting_run(&job.site, "30s"))
        .collect();
    for run in runs {
        job.site.end(run).exits(0);
    }
    assert_eq!(job.site.emails(), subscribed(&job.site, &[job.list]));
    assert!(job.site.token_is_live());
    let generation = job.site.tokens()["generation"].as_u64().unwrap();
    assert_eq!(generation, 11);
}
