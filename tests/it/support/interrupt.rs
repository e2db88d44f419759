//! Interrupted runs: killed before the nth call of a kind, or held at their nth request. Only processes started here
//! are signalled, by their handle.

use super::process::through;
use super::{Done, Site};
use aweber_sandbox::{Fault, FaultKind};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Far longer than any wait here, also on a busy machine; a test that reaches it has failed.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// A run that has not reacted to a signal by then is killed.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The exit code that `wait` returns after SIGKILL.
pub(crate) const KILLED: i32 = 128 + 9;

/// The system call before which a run is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KillPoint<'a> {
    pub(crate) call: &'a str,
    /// Which of these calls, from 1.
    pub(crate) nth: usize,
    /// Only calls on this file count.
    pub(crate) on: Option<&'a Path>,
}

/// Reports that tests are skipped, once for each reason, directly on stderr, since the harness hides the output of passing
/// tests.
pub(crate) fn skipped(why: &str) {
    static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if REPORTED.lock().unwrap().insert(why.to_owned()) {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: {why}").unwrap();
    }
}

/// Whether strace is installed; reports a skip if not.
pub(crate) fn has_strace() -> bool {
    let installed = Command::new("strace").arg("-V").output().is_ok();
    if !installed {
        skipped("strace is not installed, so no run can be killed at a system call");
    }
    installed
}

/// As [`has_strace`], with file names: only root can read the memory of the program.
pub(crate) fn has_strace_with_paths() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skipped("only root sees in a trace which file a call is on");
    }
    is_root && has_strace()
}

impl Site {
    /// `aweber-sync run`, killed just before that call; exits with [`KILLED`], or with its own code if the call never
    /// came.
    pub(crate) fn run_killed(&self, arguments: &[&str], before: KillPoint<'_>) -> Done {
        let plain = self.command(&[&["run"], arguments].concat());
        // The question mark allows calls that do not exist on this machine.
        let inject = format!("inject=?{}:signal=KILL:when={}", before.call, before.nth);
        let trace = format!("trace=?{}", before.call);
        let mut front = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
        front.extend(["-e", &trace, "-e", &inject]);
        if let Some(path) = before.on {
            front.extend(["-P", path.to_str().unwrap()]);
        }
        front.push("--");
        self.finish(through(&front, &plain))
    }

    /// Starts a run whose nth request from now is never answered, and waits for that request.
    pub(crate) fn hold(&self, arguments: &[&str], nth: u32) -> HeldRun {
        self.hold_on("http://", arguments, nth)
    }

    /// As [`Site::hold`]; only requests whose address contains `text` count.
    pub(crate) fn hold_on(&self, text: &str, arguments: &[&str], nth: u32) -> HeldRun {
        let never = FaultKind::Never { work_done: false };
        let before = self.sandbox.with(|world| {
            world.fault(Fault::on(text).skip(nth - 1).answer(never));
            world.count(text)
        });
        let command = self.command(&[&["run"], arguments].concat());
        let held = self.start(command);
        let arrived = self.sandbox.wait_until(WAIT_LIMIT, |world| {
            world.count(text) >= before + nth as usize
        });
        assert!(arrived, "request {nth} with {text:?} never came");
        held
    }

    pub(crate) fn start(&self, mut command: Command) -> HeldRun {
        HeldRun(Some(command.spawn().unwrap()))
    }

    /// Kills a run and removes all faults.
    pub(crate) fn kill(&self, mut held: HeldRun) -> Done {
        let mut child = held.0.take().unwrap();
        child.kill().unwrap();
        let done = self.wait(child);
        self.sandbox.with(|world| world.clear_faults());
        done
    }

    /// Sends a signal; returns the finished run and the time until its end.
    pub(crate) fn stop(&self, mut held: HeldRun, signal: Signal) -> (Done, Duration) {
        let mut child = held.0.take().unwrap();
        let sent = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        while child.try_wait().unwrap().is_none() {
            if sent.elapsed() > STOP_LIMIT {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = sent.elapsed();
        let done = self.wait(child);
        self.sandbox.with(|world| world.clear_faults());
        (done, took)
    }

    /// Waits for a run to end by itself.
    pub(crate) fn end(&self, mut held: HeldRun) -> Done {
        self.wait(held.0.take().unwrap())
    }
}

/// A run in progress; killed on drop.
#[derive(Debug)]
pub(crate) struct HeldRun(Option<Child>);

impl HeldRun {
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }
}

impl Drop for HeldRun {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until the condition holds; panics after [`WAIT_LIMIT`].
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT_LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "timeout while waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
