//! What a scenario is: a new site and a list of steps, one of which is the command that a fault disturbs. The steps after it
//! are what a user does next; when they are done, no harm may be found. `single.rs` and `chains.rs` list them.

use crate::setup::{TRADED_CODE, start};
use crate::support::browser::code_at;
use crate::support::process::through;
use crate::support::{Done, Site};
use crate::trace::{TRACED_CALLS, Trace};
use Step::{Change, Disturbed, Ends, Failing, OnFailure, Plain};
use aweber_sandbox::Rotation;
use std::path::PathBuf;
use std::process::Command;

/// The growing file, below the site's directory.
pub(crate) const GROWING_FILE: &str = "grown.csv";

/// The growing file after a log rotation, below the site's directory.
pub(crate) const ROTATED_FILE: &str = "grown.csv.1";

/// The directory for temporary files, below the site's directory.
pub(crate) const TEMPORARY: &str = "tmp";

pub(crate) const RUN: CommandLine = CommandLine(&["run"]);
/// A directory beside the state directory, below the site's directory, for files that a group may read.
pub(crate) const SHARED: &str = "shared/";
pub(crate) const RUN_SHARED: CommandLine =
    CommandLine(&["run", "--output", SHARED, "--output-mode", "0640"]);
/// With unsubscriptions.
pub(crate) const RUN_BOTH: CommandLine =
    CommandLine(&["run", "--status", "subscribed,unsubscribed"]);
pub(crate) const APPEND: CommandLine = CommandLine(&["run", "--output", GROWING_FILE]);

/// A site and what happens on it.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Whether the job holds tokens at the start.
    pub(crate) is_authorized: bool,
    /// What a refresh does to the old refresh token.
    pub(crate) rotation: Rotation,
    /// Exactly one is [`Step::Disturbed`] or [`Step::Failing`].
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// One step of a scenario.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A command that must succeed.
    Plain(CommandLine),
    /// A command that must end with one of these codes.
    Ends(CommandLine, &'static [i32]),
    /// The command that the fault disturbs.
    Disturbed(CommandLine),
    /// As [`Step::Disturbed`], where the command ends with this code without the fault.
    Failing(CommandLine, i32),
    /// A change of the account, or of what an earlier failure has left on disk.
    Change(fn(&Site)),
    /// A change made only if the command before it failed.
    OnFailure(fn(&Site)),
}

/// What must be true when all steps are done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The current token works, and each row is published once.
    Complete,
    /// As [`End::Complete`], but a list that was forgotten may have been published once more.
    Forgotten,
    /// As [`End::Complete`], but an answer of AWeber's that could not be parsed may be kept.
    AnswerKept,
    /// AWeber accepts none of the tokens that the job held, and none is on disk.
    Revoked,
}

/// The arguments of a command; `authorize` is given its code on standard input, or in place of [`TRADED_CODE`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandLine(pub(crate) &'static [&'static str]);

/// A scenario that has come to its disturbed command.
pub(crate) struct AtFault<'a> {
    pub(crate) site: Site,
    pub(crate) command: CommandLine,
    /// The exit code of the command without a fault.
    pub(crate) code: i32,
    pub(crate) steps_after: &'a [Step],
}

impl Scenario {
    /// Plays the steps before the disturbed one.
    pub(crate) fn play_to_fault(&self) -> AtFault<'_> {
        let site = start(self.rotation, self.is_authorized);
        std::fs::create_dir(site.path(TEMPORARY)).unwrap();
        for (n, step) in self.steps.iter().enumerate() {
            let (command, codes) = match step {
                Plain(command) => (command, &[0][..]),
                Ends(command, codes) => (command, *codes),
                Disturbed(command) => return self.at_fault(site, *command, 0, n),
                Failing(command, code) => return self.at_fault(site, *command, *code, n),
                Change(change) | OnFailure(change) => {
                    change(&site);
                    continue;
                }
            };
            let done = command.run(&site);
            assert!(codes.contains(&done.code), "{}: {}", self.name, done);
        }
        panic!("{}: no step is disturbed", self.name);
    }

    fn at_fault(&self, site: Site, command: CommandLine, code: i32, n: usize) -> AtFault<'_> {
        AtFault {
            site,
            command,
            code,
            steps_after: &self.steps[n + 1..],
        }
    }

    /// The trace of its disturbed command without a fault.
    pub(crate) fn undisturbed_trace(&self) -> Trace {
        self.undisturbed().0
    }

    /// As [`Scenario::undisturbed_trace`], with the directory of the site.
    pub(crate) fn undisturbed(&self) -> (Trace, PathBuf) {
        let at = self.play_to_fault();
        let (done, trace) = at.command.run_traced(&at.site, &[]);
        assert_eq!(done.code, at.code, "{}: {}", self.name, done);
        (trace, at.site.path(""))
    }
}

impl CommandLine {
    /// Whether it connects an account.
    pub(crate) fn is_authorize(self) -> bool {
        self.0[0] == "authorize"
    }

    /// Whether it exports.
    pub(crate) fn is_run(self) -> bool {
        self.0[0] == "run"
    }

    /// The mode of the files that it publishes.
    pub(crate) fn output_mode(self) -> u32 {
        match self.0 {
            [.., "--output-mode", mode] => u32::from_str_radix(mode, 8).unwrap(),
            _ => 0o600,
        }
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
        let code = std::fs::read_to_string(site.path(TRADED_CODE)).unwrap_or_default();
        let given = self.0.iter().map(|argument| match *argument {
            TRADED_CODE => code.as_str(),
            other => other,
        });
        let mut command = site.command(&given.collect::<Vec<_>>());
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
