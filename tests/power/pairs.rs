//! A call that fails and a kill at once, at every pair of points of one refresh: the first call fails, and the command is
//! killed before the second one.
//!
//! strace cannot do both to calls of one name. Then the kill comes at the next call of another name, and what the disk
//! has got since the second point is taken back.

use crate::cut::{Cut, PowerCut, Then, TriedDisk, replay, with_options};
use crate::record::events;
use crate::scenario::Scenario;
use crate::states::Survivors;
use crate::trace::{Point, Trace};
use crate::{IDLE_CALLS, sample};
use std::path::Path;

/// What a disk answers: once, and from then on.
const EFFECTS: [(&str, &str); 2] = [("error=EIO", ""), ("error=EIO", "+")];

/// A call that fails, and the point of the kill.
struct Pair {
    /// strace's argument.
    failure: String,
    point: Point,
    /// Where strace kills.
    kill: Point,
    /// How many changes of the disk came before the point.
    events: usize,
}

/// Tries all pairs of the first refresh of a scenario's command; returns how many have failed.
pub(crate) fn try_all(scenarios: &[Scenario]) -> usize {
    let mut failed = 0;
    for scenario in scenarios {
        let pairs: Vec<Pair> = failures(scenario)
            .into_iter()
            .flat_map(|failure| pairs_with(scenario, &failure))
            .collect();
        let results = sample::try_all(&pairs, |pair| (pair, try_pair(scenario, pair)));
        let tried: Vec<_> = results.iter().flat_map(|(_, tried)| tried).collect();
        let lost = tried.iter().filter(|one| {
            let column = one.result.as_ref().ok();
            column.is_some_and(|column| *column != crate::cut::RECOVERED)
        });
        println!(
            "{}: {} pairs, {} tried, {} times the token was lost in the window",
            scenario.name,
            pairs.len(),
            tried.len(),
            lost.count()
        );
        for (pair, tried) in &results {
            for harm in tried.iter().filter_map(|one| one.result.as_ref().err()) {
                failed += 1;
                println!(
                    "FAILED: {}, {}, killed at {}: {harm}",
                    scenario.name, pair.failure, pair.point
                );
            }
        }
    }
    failed
}

/// The failing calls: those of the first refresh that change the disk.
fn failures(scenario: &Scenario) -> Vec<String> {
    let points = scenario.undisturbed_trace().points();
    let range = refresh(&points);
    let on_disk = points[range]
        .iter()
        .filter(|point| point.file.is_some() && !IDLE_CALLS.contains(&point.call.as_str()));
    on_disk
        .flat_map(|point| {
            EFFECTS.map(|(effect, plus)| {
                format!("inject={}:{effect}:when={}{plus}", point.call, point.nth)
            })
        })
        .collect()
}

/// From the first call on the journal to the last one on the token file, or in another place for tokens.
fn refresh(points: &[Point]) -> std::ops::Range<usize> {
    let is_of_tokens = |point: &Point| {
        let file = point.file.as_deref().unwrap_or_default();
        let is_token = file.contains("token.json.next") || file.ends_with("token.json");
        is_token || file.starts_with("tmp/")
    };
    let first = points.iter().position(is_of_tokens).expect("a refresh");
    let last = points.iter().rposition(is_of_tokens).expect("a refresh");
    first..last + 1
}

/// The points at which the command can be killed once that call has failed.
fn pairs_with(scenario: &Scenario, failure: &str) -> Vec<Pair> {
    let at = scenario.play_to_fault();
    let (_, trace) = at.command.run_traced(&at.site, &["-e", failure]);
    let root = at.site.path("");
    let failing = failure.split(['=', ':']).nth(1).unwrap_or_default();
    let points = trace.points();
    let range = refresh(&points);
    let first = trace.failed_point().unwrap_or(range.end);
    let mut pairs = Vec::new();
    for n in first + 1..(range.end + 2).min(points.len()) {
        if IDLE_CALLS.contains(&points[n].call.as_str()) {
            continue;
        }
        // Up to there only the disk may have changed.
        let later = points[n..].iter();
        let on_disk = later.take_while(|point| point.file.is_some() || point.call == "fcntl");
        let kill = std::iter::once(&points[n])
            .chain(on_disk)
            .find(|point| point.call != failing);
        if let Some(kill) = kill {
            pairs.push(Pair {
                failure: failure.to_owned(),
                point: points[n].clone(),
                kill: kill.clone(),
                events: events_before(&trace, n, &root),
            });
        }
    }
    pairs
}

/// How many changes of the disk are in a trace before its nth point.
fn events_before(trace: &Trace, nth: usize, root: &Path) -> usize {
    let before: String = trace.text_before(nth);
    events(&before, root).len()
}

fn try_pair(scenario: &Scenario, pair: &Pair) -> Vec<TriedDisk> {
    let cut = Cut {
        point: Some(pair.kill.clone()),
        then: Then::PowerCut,
    };
    let try_disk = |cut: &mut PowerCut<'_>| {
        cut.keep_events(pair.events);
        let disk = replay(&cut.before, &cut.events);
        cut.try_survivors(&disk, &[Survivors::All])
    };
    with_options(scenario, &cut, &["-e", &pair.failure], try_disk).unwrap_or_default()
}
