//! Every call by which a run changes the disk, failing: `cargo test --test disk`.
//!
//! Each scenario runs once undisturbed under strace, which tells the calls on files: opening for writing, writing,
//! syncing, renaming, cutting, removing, making. Then, for each fault of a sample, the scenario is set up anew, one such
//! call fails with ENOSPC, EIO, EROFS or EDQUOT, once or from there on, and a plain run on the healed disk follows.
//! What must hold then:
//!
//! - the exit code is 74, or 73 if all that failed was on the output; 0 only if all was published all the same;
//! - a message that asks for a person names a path, says what is safe and what to type next;
//! - the refresh token that lives at AWeber is on disk;
//! - after the plain run the published rows are everybody subscribed, each once, and nothing unfinished lies around.
//!
//! `DISK_FAULTS` is how many faults are tried, spread over all (600 unless set), or `all`. `DISK_ONLY` takes a part of a
//! scenario's name, `DISK_FAULT` a fault as a failure shows it. Needs strace, and root, since the program lets nobody else
//! look into it.

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

#[allow(dead_code, reason = "shared with the test `crash`")]
#[path = "../points/mod.rs"]
mod points;

mod check;

use check::Outcome;
use points::sample::{in_turn, say, spread};
use points::scenario::{SCENARIOS, Scenario};
use points::trace::OnFile;
use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Instant;

/// How many faults are tried unless `DISK_FAULTS` says otherwise.
const SAMPLE: usize = 600;

/// What the disk says.
const ERRNOS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];

/// Those that stay: a disk that is full, and one that has broken.
const LASTING: [&str; 2] = ["ENOSPC", "EIO"];

/// A call that fails.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    at: OnFile,
    errno: &'static str,
    /// All later calls of that name fail too, whatever they are on.
    lasting: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errno, point, file) = (self.errno, &self.at.point, &self.at.file);
        let end = if self.lasting {
            " and from there on"
        } else {
            ""
        };
        write!(f, "{errno} at {} {} of {file}{end}", point.call, point.nth)
    }
}

fn main() -> ExitCode {
    if !support::killing::has_strace_that_sees_names() {
        return ExitCode::SUCCESS;
    }
    let only = |name: &str| std::env::var(name).unwrap_or_default();
    let (scenario, fault) = (only("DISK_ONLY"), only("DISK_FAULT"));
    let began = Instant::now();
    let mut faults: Vec<(&Scenario, Fault)> = Vec::new();
    for scenario in SCENARIOS.iter().filter(|one| one.name.contains(&scenario)) {
        let calls = scenario.disk_calls();
        println!("{:34} {:5} calls on files", scenario.name, calls.len());
        assert!(
            calls.len() > 15,
            "hardly a call traced: is strace of use here?"
        );
        faults.extend(calls.iter().flat_map(faults_at).map(|one| (scenario, one)));
    }
    faults.retain(|(_, one)| one.to_string().contains(&fault));
    let all = faults.len();
    let chosen = sample(faults);
    println!("{} of {all} faults are tried\n", chosen.len());

    let results = in_turn(&chosen, |(scenario, fault)| {
        let outcome = check::fail_and_check(scenario, fault);
        if let Outcome::Failed(why) = &outcome {
            say(&format!("FAILED: {}, {fault}: {why}\n", scenario.name));
        }
        (*scenario, fault.clone(), outcome)
    });
    let failed = report(&results);
    println!("{} s", began.elapsed().as_secs());
    if failed > 0 {
        println!("{failed} FAILED");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What can befall a call.
fn faults_at(call: &OnFile) -> Vec<Fault> {
    let fault = |errno, lasting| Fault {
        at: call.clone(),
        errno,
        lasting,
    };
    let once = ERRNOS.iter().map(|errno| fault(*errno, false));
    once.chain(LASTING.iter().map(|errno| fault(*errno, true)))
        .collect()
}

/// The faults to try, spread evenly, but for those at the ledger's pages (`pwrite64`): they are half of all, and get a
/// quarter.
fn sample(faults: Vec<(&'static Scenario, Fault)>) -> Vec<(&'static Scenario, Fault)> {
    let wanted = match std::env::var("DISK_FAULTS").ok().as_deref() {
        Some("all") => return faults,
        Some(number) => number.parse().expect("DISK_FAULTS is a number or `all`"),
        None => SAMPLE,
    };
    let (pages, others): (Vec<_>, Vec<_>) = faults.into_iter().partition(|(_, fault)| {
        fault.at.point.call == "pwrite64" && fault.at.file.contains("ledger-")
    });
    let mut chosen = spread(others, wanted - wanted / 4);
    chosen.extend(spread(pages, wanted / 4));
    chosen
}

/// Prints the tables; how many checks have failed.
fn report(results: &[(&Scenario, Fault, Outcome)]) -> usize {
    let mut tables: [BTreeMap<String, [usize; 5]>; 3] = Default::default();
    let mut failed = 0;
    for (scenario, fault, outcome) in results {
        let column = match outcome {
            Outcome::NotReached => 1,
            Outcome::Well => 2,
            Outcome::Output => 3,
            Outcome::LocalIo => 4,
            Outcome::Failed(_) => {
                failed += 1;
                continue;
            }
        };
        let kind = if fault.lasting {
            "from there on"
        } else {
            "once"
        };
        for (table, row) in [
            (0, scenario.name.to_owned()),
            (1, format!("{}, {kind}", fault.errno)),
            (2, fault.at.point.call.clone()),
            (2, "~ all of them".to_owned()),
        ] {
            let row = tables[table].entry(row).or_default();
            row[0] += 1;
            row[column] += 1;
        }
    }
    for table in &tables {
        println!(
            "{:34} {:>7} {:>12} {:>9} {:>7} {:>7}",
            "", "faults", "not reached", "0: done", "73", "74"
        );
        for (name, [all, not_reached, well, output, local]) in table {
            println!("{name:34} {all:7} {not_reached:12} {well:9} {output:7} {local:7}");
        }
        println!();
    }
    let mut survived: BTreeMap<String, usize> = BTreeMap::new();
    for (_, fault, outcome) in results {
        if let Outcome::Well = outcome {
            let what = format!("{} of {}", fault.at.point.call, kind_of(&fault.at.file));
            *survived.entry(what).or_default() += 1;
        }
    }
    println!("Done all the same, though this failed:");
    for (what, times) in survived {
        println!("  {times:4} {what}");
    }
    println!();
    if failed > 0 {
        println!("All is well, except for those that FAILED above.");
    } else {
        println!("None has lost a token, lost or doubled a row, or left a file behind.");
    }
    failed
}

/// What a file is, whatever its name in this run.
fn kind_of(file: &str) -> &str {
    let ends = [
        (".part", "a stage file"),
        (".ready", "a marker"),
        ("-journal", "the ledger's journal"),
        (".sqlite3", "the ledger"),
    ];
    let found = ends.iter().find(|(end, _)| file.ends_with(end));
    found.map_or(file, |(_, kind)| kind)
}
