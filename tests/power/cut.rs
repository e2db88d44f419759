//! Cuts the power at one point of a scenario, and tries what the disk may hold then: each time the plain commands that
//! follow, and the judgement of the sweep.

use crate::disk::Disk;
use crate::judge::{Disturbed, Judgement, LostToken, TOKEN_LOST};
use crate::record::{Event, OPTIONS, events};
use crate::scenario::{AtFault, CommandLine, Scenario, Step, TEMPORARY};
use crate::states::{State, Survivors, What};
use crate::support::interrupt::KILLED;
use crate::support::{Done, Site};
use crate::tokens::has_working_token;
use crate::trace::{Point, Trace};
use crate::watch::Watch;
use aweber_sandbox::World;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// How long AWeber may take for a request whose sender was killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the power goes.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// Just before this call; `None`: when the command has ended.
    pub(crate) point: Option<Point>,
    pub(crate) then: Then,
}

/// What happens at the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The power goes.
    PowerCut,
    /// The command is killed and started again; the power goes when that one has ended.
    EndOfNext,
    /// As [`Then::EndOfNext`], but before this fsync of it.
    SyncOfNext(usize),
}

impl Cut {
    /// The power goes at this point.
    pub(crate) fn at(point: Point) -> Cut {
        Cut {
            point: Some(point),
            then: Then::PowerCut,
        }
    }

    /// Whether very many others are like this one: writes into the ledger and of the times of requests.
    pub(crate) fn is_repetitive(&self) -> bool {
        let is_often_written =
            |file: &String| file.contains("ledger-") || file.ends_with(".requests");
        self.point.as_ref().is_some_and(|point| {
            point.call == "pwrite64" && point.file.as_ref().is_some_and(is_often_written)
        })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.point {
            Some(point) => write!(f, "{point}")?,
            None => write!(f, "the end")?,
        }
        match self.then {
            Then::PowerCut => Ok(()),
            Then::EndOfNext => write!(f, ", killed, then the end of the next command"),
            Then::SyncOfNext(nth) => write!(f, ", killed, then fsync {nth} of the next command"),
        }
    }
}

/// What became of one disk.
pub(crate) struct TriedDisk {
    pub(crate) survivors: Survivors,
    /// The column of the report; an error describes the harm.
    pub(crate) result: Result<&'static str, String>,
}

/// A scenario whose power has gone.
pub(crate) struct PowerCut<'a> {
    /// An answer with tokens may be lost.
    is_waiting: bool,
    pub(crate) before: Disk,
    pub(crate) events: Vec<Event>,
    /// How many of them are those of the command that was killed; all, if the power went then.
    pub(crate) events_before_next: usize,
    watch: Watch,
    disturbed: Disturbed<'a>,
    world: World,
    steps_after: &'a [Step],
}

/// The columns of the report.
pub(crate) const RECOVERED: &str = "recovered";
pub(crate) const COLUMNS: [&str; 2] = [RECOVERED, TOKEN_LOST];

/// Plays a scenario up to the cut, hands it over; `None` if the commands did not come to that point.
pub(crate) fn with_power_cut<T>(
    scenario: &Scenario,
    cut: &Cut,
    try_disks: impl FnOnce(&mut PowerCut<'_>) -> T,
) -> Option<T> {
    with_options(scenario, cut, &[], try_disks)
}

/// As [`with_power_cut`], with further options of strace's for the disturbed command.
pub(crate) fn with_options<T>(
    scenario: &Scenario,
    cut: &Cut,
    options: &[&str],
    try_disks: impl FnOnce(&mut PowerCut<'_>) -> T,
) -> Option<T> {
    let at = scenario.play_to_fault();
    let root = at.site.path("");
    let before = Disk::read(&root);
    let published = crate::exports::published_rows(&at.site);
    let watch = Watch::begin(&at.site);
    let asked_before = at.site.sandbox.with(|world| world.requests.len());
    let Recorded {
        done,
        trace,
        events_before_next,
    } = record_to(&at, cut, options)?;
    let events = events(trace.text(), &root);
    wait_for_answers(&at.site, asked_before);
    let world = at.site.sandbox.with(|world| world.clone());
    let is_waiting = is_waiting_for_tokens(&events, true);
    let disturbed = Disturbed {
        site: &at.site,
        command: at.command,
        code_without_fault: at.code,
        published,
        end: scenario.end,
        done,
        trace,
        may_be_torn: true,
    };
    Some(try_disks(&mut PowerCut {
        is_waiting,
        before,
        events,
        events_before_next,
        watch,
        disturbed,
        world,
        steps_after: at.steps_after,
    }))
}

/// What strace has recorded up to the cut.
struct Recorded {
    done: Done,
    trace: Trace,
    events_before_next: usize,
}

/// Runs the command up to the cut.
fn record_to(at: &AtFault<'_>, cut: &Cut, options: &[&str]) -> Option<Recorded> {
    let (done, trace) = record_first(at, cut, options)?;
    let events = events(trace.text(), &at.site.path(""));
    let events_before_next = events.len();
    if cut.then == Then::PowerCut {
        return Some(Recorded {
            done,
            trace,
            events_before_next,
        });
    }
    // A lost token ends the next command at once.
    if is_waiting_for_tokens(&events, false) {
        return None;
    }
    let kill = match cut.then {
        Then::SyncOfNext(nth) => Some(format!("inject=fsync:signal=KILL:when={nth}")),
        _ => None,
    };
    let (done, next) = record(at.command, &at.site, options, kill);
    Some(Recorded {
        done,
        trace: trace.followed_by(&next),
        events_before_next,
    })
}

fn record_first(at: &AtFault<'_>, cut: &Cut, options: &[&str]) -> Option<(Done, Trace)> {
    let kill = |point: &Point| format!("inject={}:signal=KILL:when={}", point.call, point.nth);
    let kill = cut.point.as_ref().map(kill);
    let (done, trace) = record(at.command, &at.site, options, kill);
    let is_killed = done.code == KILLED;
    // The number of calls differs slightly from run to run.
    (is_killed == cut.point.is_some()).then_some((done, trace))
}

/// Runs the command up to the cut, then again; returns the step of each sync of that.
pub(crate) fn sites_of_next(scenario: &Scenario, cut: &Cut) -> Vec<String> {
    let at = scenario.play_to_fault();
    match record_first(&at, cut, &[]) {
        Some(_) => at.sites(),
        None => Vec::new(),
    }
}

fn record(
    command: CommandLine,
    site: &Site,
    options: &[&str],
    kill: Option<String>,
) -> (Done, Trace) {
    let kill = kill.iter().flat_map(|argument| ["-e", argument]);
    let options: Vec<&str> = OPTIONS.iter().chain(options).copied().chain(kill).collect();
    command.run_traced(site, &options)
}

/// Waits for the answers to all requests but the first ones, among which a run that was stopped has left one that is
/// never answered.
fn wait_for_answers(site: &Site, asked_before: usize) {
    let is_settled = |world: &mut World| {
        let mut requests = world.requests.iter().skip(asked_before);
        requests.all(|request| request.status.is_some())
    };
    site.sandbox.wait_until(PATIENCE, is_settled);
}

/// Whether AWeber had been asked for tokens, and its answer was not durable yet, or not even written.
fn is_waiting_for_tokens(events: &[Event], needs_sync: bool) -> bool {
    // Or a copy in another directory.
    let is_journal = |path: &str| path.contains(".next") || path.starts_with(TEMPORARY);
    let (mut has_asked, mut has_written) = (false, false);
    for event in events {
        match event {
            Event::Asked => (has_asked, has_written) = (true, false),
            Event::Write { path, .. } if is_journal(path) => {
                has_written = has_asked;
                has_asked &= needs_sync;
            }
            Event::Sync { path } if is_journal(path) && has_written => has_asked = false,
            _ => {}
        }
    }
    has_asked
}

/// The disk after these events.
pub(crate) fn replay(before: &Disk, events: &[Event]) -> Disk {
    let mut disk = before.clone();
    for event in events {
        disk.apply(event);
    }
    disk
}

impl PowerCut<'_> {
    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.disturbed.site.path("")
    }

    /// Takes back what came after so many events; a kill loses nothing that was written.
    pub(crate) fn keep_events(&mut self, count: usize) {
        self.events.truncate(count);
        self.is_waiting = is_waiting_for_tokens(&self.events, false);
    }

    /// Tries what may be on the disk: each different state once.
    pub(crate) fn try_survivors(&self, disk: &Disk, all: &[Survivors]) -> Vec<TriedDisk> {
        let mut states: Vec<State> = Vec::new();
        let mut tried = Vec::new();
        for survivors in all {
            let state = disk.state(*survivors);
            if !states.contains(&state) {
                let result = self.try_state(&state);
                let survivors = *survivors;
                tried.push(TriedDisk { survivors, result });
                states.push(state);
            }
        }
        tried
    }

    /// As [`PowerCut::try_state`], if the power went after so many events.
    pub(crate) fn try_state_after(
        &mut self,
        count: usize,
        state: &State,
    ) -> Result<&'static str, String> {
        let (is_waiting, code) = (self.is_waiting, self.disturbed.done.code);
        self.is_waiting = is_waiting_for_tokens(&self.events[..count], true);
        if count < self.events.len() {
            self.disturbed.done.code = KILLED;
        }
        let result = self.try_state(state);
        (self.is_waiting, self.disturbed.done.code) = (is_waiting, code);
        result
    }

    /// Switches the power on again: the column of the report, or the harm.
    pub(crate) fn try_state(&self, state: &State) -> Result<&'static str, String> {
        let (site, disturbed) = (self.disturbed.site, &self.disturbed);
        let world = self.world.clone();
        site.sandbox.with(|now| *now = world);
        let root: &Path = &self.root();
        state.put_into(root);
        let mut watch = self.watch.clone();
        if self.is_waiting {
            watch.excuse(site, &disturbed.trace);
        }
        let checked = watch.check(site);
        checked.map_err(|harm| disturbed.report(&harm, &disturbed.done))?;
        let judgement = Judgement {
            column: RECOVERED,
            note: None,
            lost_token: self.is_waiting.then(|| LostToken {
                at: "the answer was not durable".to_owned(),
                is_certain: !has_working_token(site) && !disturbed.command.is_authorize(),
            }),
        };
        let played = disturbed.play_after(self.steps_after, watch, judgement);
        played
            .map(|judgement| judgement.column)
            .map_err(|harm| format!("{harm}\n--- the disk\n{state}"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, item) in &self.0 {
            let what = match &item.what {
                What::File(content) => {
                    let zeros = content.iter().filter(|byte| **byte == 0).count();
                    format!("{} bytes, {zeros} of them zero", content.len())
                }
                What::Directory => "directory".to_owned(),
                What::Link(target) => format!("link to {}", target.display()),
            };
            writeln!(f, "  {:o} {path}: {what}", item.mode)?;
        }
        Ok(())
    }
}
