//! Killed at every system call by which it changes the world: `cargo test --test crash`.
//!
//! Each scenario runs once undisturbed under strace, which tells the points at which a kill can fall: (call, how many
//! of its kind). Then, for each point of a sample, the scenario is set up anew, killed just before that call, and
//! followed by a plain run. What must hold then:
//!
//! - a live refresh token is on disk; excused only if the kill fell after AWeber had been asked for new tokens and
//!   before the write of its answer had returned, as the trace of that very run shows;
//! - the published rows are everybody subscribed, each once, in whole records;
//! - nothing unfinished lies around.
//!
//! `CRASH_POINTS` is how many points are tried, spread over all (700 unless set), or `all`. `CRASH_ONLY` takes a
//! part of a scenario's name. Needs strace, and root,
//! since the program lets nobody else look into it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[allow(dead_code, unused_imports, reason = "shared with the tests in `it`")]
#[path = "../it/support/mod.rs"]
mod support;

#[allow(dead_code, reason = "shared with the test `disk`")]
#[path = "../points/mod.rs"]
mod points;

mod check;

use check::Outcome;
use points::sample::{in_turn, say, spread};
use points::scenario::{SCENARIOS, Scenario};
use points::trace::Point;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// How many points are tried unless `CRASH_POINTS` says otherwise.
const SAMPLE: usize = 700;

/// What became of the kills at one kind of call, or of all.
#[derive(Clone, Copy, Default)]
struct Tally {
    points: usize,
    killed: usize,
    /// The call did not come that often this time: a plain run, in effect.
    not_reached: usize,
    excused: usize,
}

fn main() -> ExitCode {
    if !support::killing::has_strace_that_sees_names() {
        return ExitCode::SUCCESS;
    }
    let only = std::env::var("CRASH_ONLY").unwrap_or_default();
    let began = Instant::now();
    let mut points: Vec<(&Scenario, Point)> = Vec::new();
    for scenario in SCENARIOS.iter().filter(|one| one.name.contains(&only)) {
        let found = scenario.points();
        println!("{:34} {:5} points", scenario.name, found.len());
        assert!(
            found.len() > 20,
            "hardly a call traced: is strace of use here?"
        );
        points.extend(found.into_iter().map(|point| (scenario, point)));
    }
    let all = points.len();
    let chosen = sample(points);
    println!("{} of {all} points are tried\n", chosen.len());

    let results = in_turn(&chosen, |(scenario, point)| {
        let outcome = check::kill_and_check(scenario, point);
        if let Outcome::Failed(why) = &outcome {
            say(&format!("FAILED: {}, {point}: {why}\n", scenario.name));
        }
        (*scenario, point.clone(), outcome)
    });
    let failed = report(&results);
    println!("{} s", began.elapsed().as_secs());
    if failed > 0 {
        println!("{failed} FAILED");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The points to try, spread evenly, but for the locks that SQLite takes and gives back in between (`fcntl`): they are
/// four of five calls, and get a tenth.
fn sample(points: Vec<(&'static Scenario, Point)>) -> Vec<(&'static Scenario, Point)> {
    let wanted = match std::env::var("CRASH_POINTS").ok().as_deref() {
        Some("all") => return points,
        Some(number) => number.parse().expect("CRASH_POINTS is a number or `all`"),
        None => SAMPLE,
    };
    let (locks, others): (Vec<_>, Vec<_>) = points
        .into_iter()
        .partition(|(_, point)| point.call == "fcntl");
    let mut chosen = spread(others, wanted - wanted / 10);
    chosen.extend(spread(locks, wanted / 10));
    chosen
}

/// Prints the tables; how many checks have failed.
fn report(results: &[(&Scenario, Point, Outcome)]) -> usize {
    let mut tables: [BTreeMap<&str, Tally>; 2] = Default::default();
    let mut failed = 0;
    for (scenario, point, outcome) in results {
        for (table, row) in [
            (0, scenario.name),
            (1, point.call.as_str()),
            (1, "~ all of them"),
        ] {
            let tally = tables[table].entry(row).or_default();
            tally.points += 1;
            tally.not_reached += usize::from(matches!(outcome, Outcome::NotReached));
            tally.killed += usize::from(!matches!(outcome, Outcome::NotReached));
            tally.excused += usize::from(matches!(outcome, Outcome::Excused(_)));
        }
        failed += usize::from(matches!(outcome, Outcome::Failed(_)));
    }
    for table in &tables {
        println!(
            "{:34} {:>7} {:>7} {:>12} {:>8}",
            "", "points", "killed", "not reached", "excused"
        );
        for (name, tally) in table {
            println!(
                "{name:34} {:7} {:7} {:12} {:8}",
                tally.points, tally.killed, tally.not_reached, tally.excused
            );
        }
        println!();
    }
    println!(
        "Excused: AWeber had been asked for new tokens, and its answer was not on disk yet. The kill fell"
    );
    for (scenario, point, outcome) in results {
        if let Outcome::Excused(at) = outcome {
            println!("  {}, {point}: {at}", scenario.name);
        }
    }
    println!(
        "\nOf all others none has lost a token, lost or doubled a row, or left a file behind."
    );
    if failed > 0 {
        println!("... except for those that FAILED above.");
    }
    failed
}
