//! Cuts the power at the system calls of the sweep's scenarios: `cargo test --test power`.
//!
//! The disturbed command of a scenario is killed at a point, under strace, which records every change of the disk. What
//! was not synced by then may be on the disk or not (`disk.rs`, `states.rs`): each such state is put in place, with
//! AWeber as it was, and judged as the sweep judges a kill. The power may also go later: when the next command has
//! recovered from the kill, or is at it. The method is that of ALICE (Pillai et al., OSDI 2014).
//!
//! `POWER=N` tries N cuts, `POWER=all` every one, with more states of each. Arguments choose scenarios and cuts by parts
//! of their names: `cargo test --test power -- 'idle run' 'fsync 3'`. The first one may choose something else:
//!
//! - `without`: each fsync is left out in turn, to see whether a state gives it away;
//! - `pairs`: a call that fails and a kill at once, in a refresh;
//! - `soak N`: N runs in a row on one site, most of them disturbed.
//!
//! Needs strace, and root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "../sweep/modules.rs"]
mod modules;

mod cut;
mod disk;
mod image;
mod pairs;
mod real;
mod record;
mod sites;
mod soak;
mod states;
mod without;
mod writers;

use modules::*;

use cut::{COLUMNS, Cut, Then, TriedDisk, replay, with_power_cut};
use scenario::{Scenario, Step};
use states::{Draw, Survivors};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;
use trace::Point;

/// Cuts that are tried unless `POWER` is set.
const SAMPLE: usize = 150;

/// One cut in how many of a sample is like very many others.
const REPETITIVE_SHARE: usize = 5;

/// Random states of each disk, in a sample and with `POWER=all`.
const DRAWN: (u64, u64) = (4, 12);

/// Calls that neither change the disk nor send or receive anything.
pub(crate) const IDLE_CALLS: [&str; 4] = ["fcntl", "flock", "close", "connect"];

/// A cut in a scenario.
pub(crate) struct PowerCase<'a> {
    scenario: &'a Scenario,
    cut: Cut,
    seed: u64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(soak::MEASURE) {
        soak::measure(arguments);
        return ExitCode::SUCCESS;
    }
    if !support::interrupt::has_strace_with_paths() {
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let mut parts: Vec<String> = std::env::args().skip(1).collect();
    let is_mode = |part: &String| ["without", "pairs", "soak"].contains(&part.as_str());
    let mode = parts.first().filter(|part| is_mode(part)).cloned();
    if mode.is_some() {
        parts.remove(0);
    }
    parts.resize(2, String::new());
    let scenarios = table::scenarios_with(&parts[0]);
    let failed = match mode.as_deref() {
        Some("soak") => soak::play(&parts[0]),
        _ if scenarios.is_empty() => panic!("the arguments match no scenario"),
        Some("without") => without::try_all(&scenarios),
        Some(_) => pairs::try_all(&scenarios),
        None => {
            writers::prove();
            try_cuts(&scenarios, &parts[1])
        }
    };
    println!("{} s", began.elapsed().as_secs());
    if failed > 0 {
        println!("{failed} FAILED, see above");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn try_cuts(scenarios: &[Scenario], part: &str) -> usize {
    let mut cases = Vec::new();
    for scenario in scenarios {
        cases.extend(cases_of(scenario));
    }
    cases.retain(|case| case.cut.to_string().contains(part));
    let all = cases.len();
    let (repetitive, others): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| case.cut.is_repetitive());
    let (size, drawn) = match std::env::var("POWER").ok().as_deref() {
        Some("all") => (all, DRAWN.1),
        Some(number) => (number.parse().expect("a number or `all`"), DRAWN.0),
        None => (SAMPLE, DRAWN.0),
    };
    let share = (size / REPETITIVE_SHARE).max(size.saturating_sub(others.len()));
    println!("{} of the {all} are like many others", repetitive.len());
    let mut chosen = sample::spread(others, size - share);
    chosen.extend(sample::spread(repetitive, share));
    println!("{} of {all} cuts are tried", chosen.len());
    let results = sample::try_all(&chosen, |case| (case, try_case(case, drawn)));
    report(&results)
}

/// The points of a scenario at which the power may go.
pub(crate) fn points_of(scenario: &Scenario) -> Vec<Point> {
    let mut points = scenario.undisturbed_trace().points();
    points.retain(|point| !IDLE_CALLS.contains(&point.call.as_str()));
    points
}

/// A cut at each point and at the end; at each also killed, and the power cut in the next command or at its end.
fn cases_of(scenario: &Scenario) -> Vec<PowerCase<'_>> {
    let mut draw = Draw(scenario.name.len() as u64);
    let mut cuts = Vec::new();
    for point in points_of(scenario) {
        let point = Some(point);
        let mut add = |then| {
            let point = point.clone();
            cuts.push(Cut { point, then });
        };
        add(Then::PowerCut);
        if scenario.is_repeated() {
            add(Then::EndOfNext);
            add(Then::SyncOfNext(1 + draw.below(40)));
        }
    }
    cuts.push(Cut {
        point: None,
        then: Then::PowerCut,
    });
    let case = |cut| PowerCase {
        scenario,
        cut,
        seed: draw.below(usize::MAX) as u64,
    };
    cuts.into_iter().map(case).collect()
}

impl Scenario {
    /// Whether its disturbed command is repeated next.
    pub(crate) fn is_repeated(&self) -> bool {
        let is_repetition = |pair: &[Step]| match pair {
            [Step::Disturbed(one), Step::Plain(next)] => one == next,
            _ => false,
        };
        self.steps.windows(2).any(is_repetition)
    }
}

/// Tries one cut; no disks if the command did not come to it.
fn try_case(case: &PowerCase<'_>, drawn: u64) -> Vec<TriedDisk> {
    let tried = std::panic::catch_unwind(|| {
        with_power_cut(case.scenario, &case.cut, |cut| {
            let mut disk = replay(&cut.before, &cut.events);
            disk.look_up(&cut.root());
            let drawn = (0..drawn).map(|n| Survivors::Some(case.seed.wrapping_add(n)));
            let all = [Survivors::None].into_iter().chain(drawn);
            cut.try_survivors(&disk, &all.collect::<Vec<_>>())
        })
        .unwrap_or_default()
    });
    let tried = tried.unwrap_or_else(|_| {
        vec![TriedDisk {
            survivors: Survivors::None,
            result: Err("panicked, see above".to_owned()),
        }]
    });
    for disk in &tried {
        if let Err(harm) = &disk.result {
            let (scenario, cut) = (&case.scenario.name, &case.cut);
            let text = format!("FAILED: {scenario}, {cut}, {:?}: {harm}\n", disk.survivors);
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text.as_bytes()).unwrap();
        }
    }
    tried
}

/// Prints what became of all disks; returns how many have failed.
fn report(results: &[(&PowerCase<'_>, Vec<TriedDisk>)]) -> usize {
    let mut rows: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for (case, disks) in results {
        for name in [case.scenario.name.as_str(), "~all"] {
            let row = rows.entry(name).or_default();
            row[0] += usize::from(!disks.is_empty());
            row[1] += disks.len();
            for disk in disks {
                let column = match &disk.result {
                    Ok(column) => COLUMNS.iter().position(|name| name == column).unwrap(),
                    Err(_) => COLUMNS.len(),
                };
                row[2 + column] += 1;
            }
        }
    }
    let names = ["cuts", "disks"]
        .into_iter()
        .chain(COLUMNS)
        .chain(["FAILED"]);
    let heading: String = names.map(|name| format!(" {name:>11}")).collect();
    println!("{:42}{heading}", "");
    for (name, row) in &rows {
        let numbers: String = row.iter().map(|number| format!(" {number:11}")).collect();
        println!("{:42}{numbers}", name.trim_start_matches('~'));
    }
    rows.get("~all").map_or(0, |row| row[4])
}
