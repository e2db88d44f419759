//! Faults, and what a kind of them has to say: where they apply, how strace injects them, how their end is judged.

use crate::errno::Errno;
use crate::judge::{Disturbed, Judgement};
use crate::kill::Kill;
use crate::scenario::{CommandLine, Scenario};
use crate::support::{Done, Site};
use crate::trace::{Point, Trace};
use std::fmt;
use std::panic::RefUnwindSafe;

/// All kinds.
pub(crate) const KINDS: &[&dyn Kind] = &[&Kill, &Errno];

/// A kind of faults.
pub(crate) trait Kind: Sync + RefUnwindSafe {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// How many faults are tried unless `SWEEP` is set.
    fn sample_size(&self) -> usize;

    /// The faults to try at a point; none where the kind does not apply.
    fn faults_at(&self, point: &Point) -> Vec<Fault>;

    /// Whether very many faults are like this one; together they get a `repetitive_share` of the sample.
    fn is_repetitive(&self, point: &Point) -> bool;

    /// One in how many.
    fn repetitive_share(&self) -> usize;

    /// Runs the command with the fault, and leaves the site as the next command finds it.
    fn disturb(&self, site: &Site, command: CommandLine, fault: &Fault) -> (Done, Trace) {
        command.run_traced(site, &["-e", &fault.injection()])
    }

    /// Judges what the disturbed command has left, before any other command runs.
    fn judge(&self, disturbed: &Disturbed<'_>) -> Result<Judgement, String>;

    /// The columns of the report, in order: every [`Judgement::column`].
    fn columns(&self) -> &'static [&'static str];

    /// The heading above the notes of all judgements.
    fn notes_heading(&self) -> &'static str;
}

/// A fault at one point.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) point: Point,
    /// What strace does at the point: `signal=KILL`, `error=EIO`.
    pub(crate) effect: &'static str,
    /// It does so at each later call of that name too, whatever file it is on.
    pub(crate) lasting: bool,
}

/// A fault in a scenario.
pub(crate) struct Case<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) fault: Fault,
}

impl Fault {
    /// The argument of strace's `-e`.
    pub(crate) fn injection(&self) -> String {
        let (call, effect, nth) = (&self.point.call, self.effect, self.point.nth);
        let plus = if self.lasting { "+" } else { "" };
        format!("inject={call}:{effect}:when={nth}{plus}")
    }

    /// The effect in the report.
    pub(crate) fn effect_name(&self) -> String {
        let name = self.effect.split('=').next_back().unwrap_or_default();
        format!("{name}{}", if self.lasting { ", lasting" } else { "" })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.effect_name(), self.point)
    }
}
