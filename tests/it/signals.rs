//! SIGTERM and SIGINT stop a run at the next safe point, within a second; its rows and tokens are kept for the next
//! run.

use crate::support::Site;
use crate::support::interrupt::wait_until;
use crate::support::job::{Job, OutputKind};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

const A_SECOND: Duration = Duration::from_secs(1);

/// The signals that end a run. Without SIGHUP if the tests themselves run under `nohup`: runs inherit that it is ignored.
fn signals_and_codes() -> Vec<(Signal, i32)> {
    let mut signals = vec![(Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)];
    if !hangup_is_ignored() {
        signals.push((Signal::HUP, 129));
    }
    signals
}

fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[test]
fn a_signal_ends_the_run_within_a_second_and_the_next_run_resumes() {
    for (signal, code) in signals_and_codes() {
        for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
            let mut job = Job::new(output);
            job.add_subscribers(250);
            let held = job.hold_at_third_page();
            let (stopped, took) = job.site.stop(held, signal);
            stopped.exits(code);
            assert!(took < A_SECOND, "{took:?}");
            stopped.prints_nothing().says("is kept");
            job.assert_resumes(&format!("{output:?}, {signal:?}"));
        }
    }
}

#[test]
fn a_signal_at_any_request_except_the_refresh_ends_the_run_within_a_second() {
    let undisturbed = Job::new(OutputKind::Directory);
    undisturbed.add_subscribers(120);
    undisturbed.site.run_ok(&[]);
    for nth in 2..=undisturbed.site.requests() as u32 {
        let mut job = Job::new(OutputKind::Directory);
        job.add_subscribers(120);
        let held = job.site.hold(&[], nth);
        let (stopped, took) = job.site.stop(held, Signal::TERM);
        stopped.case(&nth).exits(143);
        assert!(took < A_SECOND, "request {nth}: {took:?}");
        assert!(job.site.token_is_live());
        let done = job.run_ok();
        job.assert_exported_once(&format!("stopped at request {nth}"), &done);
    }
}

#[test]
fn a_repeatedly_stopped_export_completes() {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(450);
    for stop in 1..=5 {
        let held = job.site.hold_on("status=subscribed", job.arguments(), 2);
        let (stopped, _) = job.site.stop(held, Signal::INT);
        stopped.case(&format_args!("stop {stop}")).exits(130);
    }
    let done = job.run_ok();
    job.assert_exported_once("stopped five times", &done);
}

/// Starts a run with a pipe as standard output that is full before the batch is printed; returns its reading end.
fn run_into_a_full_pipe(site: &Site) -> (crate::support::interrupt::HeldRun, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.command(&["run", "--output", "-"]);
    command.stdout(writer);
    let held = site.start(command);
    (held, File::from(std::os::fd::OwnedFd::from(reader)))
}

#[test]
fn a_signal_ends_a_run_blocked_on_a_full_pipe() {
    let mut job = Job::new(OutputKind::Stdout);
    job.add_subscribers(1000);
    let (mut held, mut reader) = run_into_a_full_pipe(&job.site);
    wait_until("the batch is being printed", || {
        job.site.ledger_file().exists() && job.batch_state().as_deref() == Some("ready")
    });
    assert!(held.is_running());
    let (stopped, took) = job.site.stop(held, Signal::TERM);
    stopped.exits(143);
    assert!(took < A_SECOND, "{took:?}");
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert!(printed.len() >= 4096, "{}", printed.len());
    let done = job.run_ok();
    job.assert_exported_once("printed again as a whole", &done);
}

#[test]
fn a_signal_ends_a_wait_between_retries_within_a_second() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    job.site.sandbox.with(|world| {
        let down = aweber_sandbox::FaultKind::status(503);
        world.fault(aweber_sandbox::Fault::on("/lists").always().answer(down));
    });
    let held = {
        let mut command = job.site.command(&["run", "--retry-wait", "1h"]);
        command.stdout(std::process::Stdio::null());
        job.site.start(command)
    };
    wait_until("AWeber has failed", || {
        job.site.sandbox.with(|world| world.count("/lists")) == 1
    });
    let (stopped, took) = job.site.stop(held, Signal::TERM);
    stopped.exits(143);
    assert!(took < A_SECOND, "{took:?}");
}

#[test]
fn a_signal_while_another_process_locks_the_ledger_ends_the_run_within_a_second() {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    job.run_ok();
    let other = rusqlite::Connection::open(job.site.ledger_file()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let held = job.site.start(job.site.command(&["run"]));
    // It takes its locks before it opens the ledger.
    std::thread::sleep(Duration::from_millis(300));
    let (stopped, took) = job.site.stop(held, Signal::TERM);
    stopped.exits(143);
    assert!(took < A_SECOND, "{took:?}");
    other.execute_batch("ROLLBACK").unwrap();
    let done = job.run_ok();
    job.assert_exported_once("the ledger is free again", &done);
}

#[test]
fn a_signal_during_a_refresh_ends_the_run_once_the_new_tokens_are_stored() {
    for (signal, code) in signals_and_codes() {
        let site = Site::new();
        let delay = aweber_sandbox::FaultKind::DelayBefore(Duration::from_millis(300));
        site.sandbox.with(|world| {
            world.fault(aweber_sandbox::Fault::on("/oauth2/token").answer(delay));
        });
        let held = site.start(site.command(&["run"]));
        wait_until("the refresh is under way", || site.token_requests() == 1);
        let (stopped, _) = site.stop(held, signal);
        stopped.case(&format_args!("{signal:?}")).exits(code);
        assert!(site.token_is_live(), "{stopped}");
    }
}

#[test]
fn under_nohup_a_hangup_is_ignored() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(250);
    let command = crate::support::process::through_shell(
        "trap '' HUP; exec \"$@\"",
        &job.site.command(&["run"]),
    );
    let delay = aweber_sandbox::FaultKind::DelayBefore(Duration::from_millis(300));
    job.site.sandbox.with(|world| {
        world.fault(aweber_sandbox::Fault::on("status=subscribed").answer(delay));
    });
    let held = job.site.start(command);
    wait_until("a page is requested", || {
        job.site
            .sandbox
            .with(|world| world.count("status=subscribed"))
            == 1
    });
    let (done, _) = job.site.stop(held, Signal::HUP);
    done.exits(0);
    assert_eq!(job.site.rows().len(), 250);
}

#[test]
fn a_second_signal_is_handled_like_the_first() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut job = Job::new(OutputKind::Directory);
        job.add_subscribers(250);
        let held = job.hold_at_third_page();
        let run = Pid::from_raw(held.id() as i32).unwrap();
        kill_process(run, signal).unwrap();
        let (stopped, took) = job.site.stop(held, signal);
        stopped.exits(code);
        assert!(took < A_SECOND, "{took:?}");
        stopped.says("is kept");
        job.assert_resumes(&format!("{signal:?} twice"));
    }
}
