//! Disturbs commands at their system calls, one fault at a time: `cargo test --test sweep`.
//!
//! The disturbed command of each scenario runs once under strace without a fault, which gives its points: each call that
//! changes files, sends or receives. Then, for each fault of a sample, the scenario is played anew with the fault at its
//! point. At the end
//!
//! - AWeber accepts the refresh token in the token file;
//! - the published rows are those of all subscribed subscribers, once each, in complete records;
//! - no unfinished file is left.
//!
//! After each command what `watch.rs` says of refresh tokens is true. What else must be true right after the fault depends
//! on its kind: `kill.rs`, `errno.rs`. The scenarios are in `single.rs` and `chains.rs`.
//!
//! `SWEEP=N` tries N faults of each kind, `SWEEP=all` every one. Arguments choose kinds by their names, then a scenario and
//! a fault by parts of theirs: `cargo test --test sweep -- errno 'idle run' 'EIO at fsync 3'`. Needs strace, and root,
//! since the program hides its files from strace otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "modules.rs"]
mod modules;

use modules::*;

use fault::{Case, KINDS, Kind};
use scenario::Scenario;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;
use trace::Point;

/// Fewer points than this mean that strace does not see the command's calls.
const FEWEST_POINTS: usize = 20;

/// What the arguments choose.
struct Choice {
    kinds: Vec<&'static dyn Kind>,
    scenario: String,
    fault: String,
}

fn main() -> ExitCode {
    if !support::interrupt::has_strace_with_paths() {
        return ExitCode::SUCCESS;
    }
    let choice = Choice::from_arguments();
    let began = Instant::now();
    let scenarios = table::scenarios_with(&choice.scenario);
    let points = find_points(&scenarios, &choice.kinds);
    let cases = choice.kinds.iter().map(|kind| {
        let cases = cases(*kind, &points, &choice.fault);
        (*kind, cases)
    });
    let mut cases: Vec<_> = cases.collect();
    cases.retain(|(_, cases)| !cases.is_empty());
    assert!(!cases.is_empty(), "the arguments match no fault");
    let failed: usize = cases
        .into_iter()
        .map(|(kind, cases)| try_sample(kind, cases))
        .sum();
    println!("{} s", began.elapsed().as_secs());
    if failed > 0 {
        println!("{failed} FAILED, see above");
        return ExitCode::FAILURE;
    }
    println!("No fault has lost a token, lost or doubled a row, or left a file behind.");
    ExitCode::SUCCESS
}

impl Choice {
    fn from_arguments() -> Choice {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let is_kind = |name: &String| KINDS.iter().any(|kind| kind.name() == name);
        let (names, mut parts): (Vec<_>, Vec<_>) = arguments.into_iter().partition(is_kind);
        assert!(parts.len() < 3, "too many arguments: {parts:?}");
        parts.resize(2, String::new());
        let mut kinds = KINDS.to_vec();
        kinds.retain(|kind| names.is_empty() || names.iter().any(|name| name == kind.name()));
        let [scenario, fault] = parts.try_into().unwrap();
        Choice {
            kinds,
            scenario,
            fault,
        }
    }
}

/// The points of each scenario; prints how many a kind applies to.
fn find_points<'a>(
    scenarios: &'a [Scenario],
    kinds: &[&dyn Kind],
) -> Vec<(&'a Scenario, Vec<Point>)> {
    let names = kinds.iter().map(|kind| format!(" {:>7}", kind.name()));
    println!("{:34}{}", "points", names.collect::<String>());
    let find = |scenario: &'a Scenario| {
        let points = scenario.undisturbed_trace().points();
        let mut line = format!("{:34}", scenario.name);
        for kind in kinds {
            let applies = |point: &&Point| !kind.faults_at(point).is_empty();
            let count = points.iter().filter(applies).count();
            assert!(count > FEWEST_POINTS, "{line}: only {count} calls traced");
            line.push_str(&format!(" {count:7}"));
        }
        println!("{line}");
        (scenario, points)
    };
    scenarios.iter().map(find).collect()
}

/// The kind's faults in all scenarios, if `part` is in their names.
fn cases<'a>(kind: &dyn Kind, points: &[(&'a Scenario, Vec<Point>)], part: &str) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for (scenario, points) in points {
        let faults = points.iter().flat_map(|point| kind.faults_at(point));
        cases.extend(faults.map(|fault| Case { scenario, fault }));
    }
    cases.retain(|case| case.fault.to_string().contains(part));
    cases
}

/// Tries a sample of the cases, and prints the report; returns how many have failed.
fn try_sample(kind: &dyn Kind, cases: Vec<Case<'_>>) -> usize {
    let (name, all) = (kind.name(), cases.len());
    let chosen = sample::sample(kind, cases);
    println!("\n{name}: {} of {all} faults are tried", chosen.len());
    let results = sample::try_all(&chosen, |case| {
        let result = judge::try_fault(case.scenario, kind, &case.fault);
        if let Err(harm) = &result {
            print_failure(case, harm);
        }
        (case, result)
    });
    report::report(kind, &results)
}

/// Prints in one piece, since two threads print.
fn print_failure(case: &Case<'_>, harm: &str) {
    let (scenario, fault) = (&case.scenario.name, &case.fault);
    let text = format!("FAILED: {scenario}, {fault}: {harm}\n");
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).unwrap();
    stdout.flush().unwrap();
}
