//! The scenarios: each is a new site and a list of steps, one of which is the command that a fault disturbs. The steps
//! after it are what a user does next; when they are done, no harm may be found.

use crate::setup::{
    authorized, break_disk_at_new_token, expire_access_token, kill_at_append, kill_at_publication,
    kill_at_token_rename, stop_first_export, subscribe_more, unauthorized,
};
use crate::support::browser::code_at;
use crate::support::process::through;
use crate::support::{Done, Site};
use crate::trace::{TRACED_CALLS, Trace};
use Step::{Change, Disturbed, Plain};
use std::process::Command;

/// The growing file, below the site's directory.
pub(crate) const GROWING_FILE: &str = "grown.csv";

/// The directory for temporary files, below the site's directory.
pub(crate) const TEMPORARY: &str = "tmp";

const RUN: CommandLine = CommandLine(&["run"]);
const APPEND: CommandLine = CommandLine(&["run", "--output", GROWING_FILE]);
const AUTHORIZE: CommandLine = CommandLine(&["authorize"]);

/// A site and what happens on it.
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Starts a server with an account, and creates a directory for the job.
    start: fn() -> Site,
    /// Exactly one is [`Step::Disturbed`].
    steps: Vec<Step>,
}

/// One step of a scenario.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A command that must succeed.
    Plain(CommandLine),
    /// The command that the fault disturbs.
    Disturbed(CommandLine),
    /// A change of the account, or of what an earlier failure has left on disk.
    Change(fn(&Site)),
}

/// The arguments of a command; `authorize` is given its code on standard input.
#[derive(Clone, Copy)]
pub(crate) struct CommandLine(&'static [&'static str]);

/// All scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let (add, run, append) = (Change(subscribe_more), Plain(RUN), Plain(APPEND));
    let (disturbed_run, disturbed_append) = (Disturbed(RUN), Disturbed(APPEND));
    let half_append = Change(kill_at_append);
    let authorize_twice = [Disturbed(AUTHORIZE), Plain(AUTHORIZE), run];
    let scenario = |name: &str, steps: &[Step]| Scenario {
        name: name.to_owned(),
        start: authorized,
        steps: steps.to_vec(),
    };
    let second_run = |name: &str, change: fn(&Site)| {
        scenario(name, &[run, add, Change(change), disturbed_run, run])
    };
    vec![
        scenario("first export", &[disturbed_run, run]),
        scenario(
            "first export into a growing file",
            &[disturbed_append, append],
        ),
        scenario("incremental run", &[run, add, disturbed_run, run]),
        scenario(
            "incremental run, growing file",
            &[append, add, disturbed_append, append],
        ),
        scenario("idle run", &[run, disturbed_run, run]),
        second_run("run with a 401", expire_access_token),
        Scenario {
            start: unauthorized,
            ..scenario("authorize", &authorize_twice)
        },
        scenario("authorize again", &authorize_twice),
        second_run("recovery of a stored token", kill_at_token_rename),
        second_run("recovery of tokens kept elsewhere", break_disk_at_new_token),
        scenario(
            "recovery of an open batch",
            &[Change(stop_first_export), disturbed_run, run],
        ),
        second_run("recovery of a ready batch", kill_at_publication),
        scenario(
            "recovery of half an append",
            &[append, add, half_append, disturbed_append, append],
        ),
    ]
}

impl Scenario {
    /// Plays the steps before the disturbed one; returns that one and the steps after it.
    pub(crate) fn play_to_fault(&self) -> (Site, CommandLine, &[Step]) {
        let site = (self.start)();
        std::fs::create_dir(site.path(TEMPORARY)).unwrap();
        for (n, step) in self.steps.iter().enumerate() {
            match step {
                Disturbed(command) => return (site, *command, &self.steps[n + 1..]),
                Change(change) => change(&site),
                Plain(command) => {
                    let done = command.run(&site);
                    assert_eq!(done.code, 0, "{}: {}", self.name, done);
                }
            }
        }
        panic!("{}: no step is disturbed", self.name);
    }

    /// The trace of its disturbed command without a fault.
    pub(crate) fn undisturbed_trace(&self) -> Trace {
        let (site, command, _) = self.play_to_fault();
        let (done, trace) = command.run_traced(&site, &[]);
        assert_eq!(done.code, 0, "{}: {}", self.name, done);
        trace
    }
}

impl CommandLine {
    /// Whether it connects an account.
    pub(crate) fn is_authorize(self) -> bool {
        self.0[0] == "authorize"
    }

    /// Runs it to its end.
    pub(crate) fn run(self, site: &Site) -> Done {
        self.finish(site, self.command(site))
    }

    /// Runs it under strace with these further options.
    pub(crate) fn run_traced(self, site: &Site, options: &[&str]) -> (Done, Trace) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let calls = format!("trace={TRACED_CALLS}");
        // -y: the trace names the file behind each descriptor.
        let strace = [
            "strace", "-f", "-qq", "-y", "-s", "24", "-o", path, "-e", &calls,
        ];
        let command = through(&[&strace, options, &["--"]].concat(), &self.command(site));
        let done = self.finish(site, command);
        (done, Trace::read(file.path(), &site.path("")))
    }

    fn command(self, site: &Site) -> Command {
        let mut command = site.command(self.0);
        command.env("TMPDIR", site.path(TEMPORARY));
        if self.is_authorize() {
            command.env("AWEBER_CLIENT_ID", site.client_id());
        }
        command
    }

    fn finish(self, site: &Site, command: Command) -> Done {
        if self.is_authorize() {
            site.finish_with_answer(command, code_at)
        } else {
            site.finish(command)
        }
    }
}
