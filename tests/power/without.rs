//! Leaves out each fsync of a command in turn: does a state of the disk give it away?
//!
//! Steps of the program, as `sites.rs` names them, are looked at until one state has given them away; those of a command
//! that recovers from a kill too.

use crate::cut::{Cut, PowerCut, Then, replay, sites_of_next, with_power_cut};
use crate::disk::Disk;
use crate::record::{Event, events};
use crate::scenario::Scenario;
use crate::states::{State, Survivors};
use crate::{IDLE_CALLS, sample};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Random states of each disk.
const DRAWN: u64 = 4;

/// At how many moments after a sync that was left out the power goes.
const MOMENTS: usize = 8;

/// After so many states a step counts as not noticed.
const MOST_STATES: usize = 150;

/// At how many points of a scenario the command is killed, for the syncs of the one that follows.
const KILLS: usize = 24;

/// How many syncs of the next command later the power goes.
const LATER: [usize; 4] = [1, 2, 4, 8];

/// What is known of a step.
#[derive(Default)]
struct Finding {
    /// Where a state has given it away, and the harm.
    noticed: Option<String>,
    tried: usize,
    /// What made durable what it would have, mostly.
    covers: BTreeMap<String, usize>,
}

type Findings = Mutex<BTreeMap<String, Finding>>;

/// Tries all scenarios, and prints what gives each step away.
pub(crate) fn try_all(scenarios: &[Scenario]) -> usize {
    let found = Findings::default();
    for scenario in scenarios {
        let windows = windows(scenario);
        let sites = scenario.play_to_fault().sites();
        sample::try_all(&windows, |window| {
            let tried = std::panic::catch_unwind(|| try_window(scenario, window, &sites, &found));
            tried.unwrap_or_else(|_| println!("{}: panicked, see above", scenario.name));
        });
        if scenario.is_repeated() {
            let kills = sample::spread(crate::points_of(scenario), KILLS);
            let cuts: Vec<Cut> = kills.into_iter().map(Cut::at).collect();
            sample::try_all(&cuts, |cut| {
                let tried = std::panic::catch_unwind(|| try_next(scenario, cut, &found));
                tried.unwrap_or_else(|_| println!("{}: panicked, see above", scenario.name));
            });
        }
        let found = found.lock().unwrap();
        let noticed = found.values().filter(|one| one.noticed.is_some()).count();
        println!(
            "{}: {} steps, {noticed} noticed",
            scenario.name,
            found.len()
        );
    }
    let found = found.into_inner().unwrap();
    for (site, finding) in &found {
        let result = match &finding.noticed {
            Some(harm) => format!("noticed: {harm}"),
            None => {
                let cover = finding.covers.iter().max_by_key(|(_, count)| **count);
                let cover = cover.map_or("nothing", |(event, _)| event);
                format!(
                    "NOT NOTICED by {} states; covered by {cover}",
                    finding.tried
                )
            }
        };
        println!("{site}\n    {result}");
    }
    0
}

/// A part of a command without a request in it: what AWeber knows is the same all the time.
struct Window {
    /// At its end.
    cut: Cut,
    /// How many changes of the disk were made before it.
    from: usize,
}

fn windows(scenario: &Scenario) -> Vec<Window> {
    let (trace, root) = scenario.undisturbed();
    let points = trace.points();
    let mut windows = Vec::new();
    let mut from = 0;
    let mut has_changes = false;
    for (n, point) in points.into_iter().enumerate() {
        if IDLE_CALLS.contains(&point.call.as_str()) {
            continue;
        }
        if point.file.is_none() && has_changes {
            let count = events(&trace.text_before(n), &root).len();
            windows.push(Window {
                cut: Cut::at(point),
                from,
            });
            from = count;
            has_changes = false;
        } else {
            has_changes |= point.file.is_some();
        }
    }
    windows.push(Window {
        cut: Cut {
            point: None,
            then: Then::PowerCut,
        },
        from,
    });
    windows
}

fn try_window(scenario: &Scenario, window: &Window, sites: &[String], found: &Findings) {
    with_power_cut(scenario, &window.cut, |cut| {
        let asked = cut.events.iter().rposition(|one| *one == Event::Asked);
        let mut trial = Trial::new(cut, window.from.max(asked.map_or(0, |n| n + 1)));
        let name = format!("{}, {}", scenario.name, window.cut);
        for (sync, site) in syncs(&trial.cut.events).into_iter().zip(sites) {
            trial.leave_out(sync, (site, &name), found);
        }
    });
}

/// Leaves out the syncs with which a command recovers from the kill at a point.
fn try_next(scenario: &Scenario, cut: &Cut, found: &Findings) {
    for (nth, site) in sites_of_next(scenario, cut).iter().enumerate() {
        for later in LATER {
            if is_known(found, site) {
                break;
            }
            let cut = Cut {
                point: cut.point.clone(),
                then: Then::SyncOfNext(nth + 1 + later),
            };
            with_power_cut(scenario, &cut, |power| {
                let from = power.events.len();
                let mut of_next = syncs(&power.events);
                of_next.retain(|sync| *sync >= power.events_before_next);
                let mut trial = Trial::new(power, from);
                if let Some(sync) = of_next.get(nth) {
                    let name = format!("{}, {cut}", scenario.name);
                    trial.leave_out(*sync, (site, &name), found);
                }
            });
        }
    }
}

/// Whether enough is known of a step.
fn is_known(found: &Findings, site: &str) -> bool {
    let found = found.lock().unwrap();
    found
        .get(site)
        .is_some_and(|one| one.noticed.is_some() || one.tried >= MOST_STATES)
}

fn finding<T>(found: &Findings, site: &str, change: impl FnOnce(&mut Finding) -> T) -> T {
    change(found.lock().unwrap().entry(site.to_owned()).or_default())
}

/// Which events are syncs.
fn syncs(events: &[Event]) -> Vec<usize> {
    let is_sync = |n: &usize| matches!(events[*n], Event::Sync { .. });
    (0..events.len()).filter(is_sync).collect()
}

/// A command whose syncs are left out.
struct Trial<'a, 'b> {
    cut: &'a mut PowerCut<'b>,
    at_end: Disk,
    /// After how many events the power may go.
    from: usize,
}

impl<'a, 'b> Trial<'a, 'b> {
    fn new(cut: &'a mut PowerCut<'b>, from: usize) -> Self {
        let mut at_end = replay(&cut.before, &cut.events);
        at_end.look_up(&cut.root());
        Trial { cut, at_end, from }
    }

    /// Tries states without one sync; `(site, name)`: what it belongs to, and where that is.
    fn leave_out(&mut self, sync: usize, (site, name): (&str, &str), found: &Findings) {
        if is_known(found, site) {
            return;
        }
        let (moments, cover) = self.moments(sync);
        if let Some(cover) = cover {
            finding(found, site, |one| {
                *one.covers.entry(cover).or_default() += 1
            });
        }
        for (count, states) in sample::spread(moments, MOMENTS) {
            for state in states {
                finding(found, site, |one| one.tried += 1);
                let attempt = || self.cut.try_state_after(count, &state);
                let tried = catch_unwind(AssertUnwindSafe(attempt));
                let Err(harm) = tried.unwrap_or(Err("panicked, see above".to_owned())) else {
                    continue;
                };
                let harm = harm.lines().next().unwrap_or_default();
                let harm: String = harm.chars().take(120).collect();
                let harm = format!("{name}, after {count} changes: {harm}");
                return finding(found, site, |one| one.noticed = Some(harm));
            }
        }
    }

    /// The states that only the missing sync allows: after how many events, and which. Then what makes the same durable.
    fn moments(&self, sync: usize) -> (Vec<(usize, Vec<State>)>, Option<String>) {
        let events = &self.cut.events;
        let mut without = replay(&self.cut.before, &events[..sync]);
        let mut whole = without.clone();
        whole.apply(&events[sync]);
        let mut moments = Vec::new();
        for n in sync + 1..=events.len() {
            let is_repetition = matches!(
                (events.get(n - 1), events.get(n)),
                (Some(Event::Write { path, .. }), Some(Event::Write { path: next, .. })) if path == next
            );
            if !is_repetition {
                let states = self.new_states(&without, &whole);
                if states.is_empty() {
                    return (moments, Some(cover(events, sync, n)));
                }
                if n >= self.from {
                    moments.push((n, states));
                }
            }
            if let Some(event) = events.get(n) {
                without.apply(event);
                whole.apply(event);
            }
        }
        (moments, None)
    }

    fn new_states(&self, without: &Disk, whole: &Disk) -> Vec<State> {
        let state = |disk: &Disk, survivors| {
            let mut disk = disk.clone();
            disk.take_lookup(&self.at_end);
            disk.state(survivors)
        };
        let drawn = (0..DRAWN).map(Survivors::Some);
        let mut states = Vec::new();
        for survivors in [Survivors::None].into_iter().chain(drawn) {
            let new = state(without, survivors);
            if new != state(whole, survivors) && !states.contains(&new) {
                states.push(new);
            }
        }
        states
    }
}

/// The event after which nothing depends on the sync any more.
fn cover(events: &[Event], sync: usize, n: usize) -> String {
    match &events[n - 1] {
        _ if n == sync + 1 => "nothing: all was durable before".to_owned(),
        Event::Sync { path } => format!("a sync of {path}"),
        Event::Unlink { path } => format!("the removal of {path}"),
        other => format!("{other:?}").chars().take(60).collect(),
    }
}
