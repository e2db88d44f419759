//! Leaves out each fsync of a command in turn: does a state of the disk give it away?

use crate::cut::{Cut, PowerCut, Then, replay, with_power_cut};
use crate::record::Event;
use crate::scenario::Scenario;
use crate::states::Survivors;
use crate::{points_of, sample};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Random states of each disk.
const DRAWN: u64 = 3;

/// Which fsync of a command, and on what.
type Sync = (usize, String);

/// Tries all scenarios, and prints which fsyncs no state gives away.
pub(crate) fn try_all(scenarios: &[Scenario]) -> usize {
    for scenario in scenarios {
        // Whether a state without it has failed, and how many were tried.
        let found: Mutex<BTreeMap<Sync, (bool, usize)>> = Mutex::default();
        let mut cuts: Vec<Cut> = points_of(scenario).into_iter().map(Cut::at).collect();
        cuts.push(Cut {
            point: None,
            then: Then::PowerCut,
        });
        sample::try_all(&cuts, |cut| {
            with_power_cut(scenario, cut, |cut| try_each(cut, &found))
        });
        println!("{}", scenario.name);
        for ((nth, file), (is_noticed, tried)) in found.into_inner().unwrap() {
            let result = if is_noticed { "noticed" } else { "NOT NOTICED" };
            println!("  {nth:3} {file:50} {result} ({tried} states)");
        }
    }
    0
}

/// Leaves out each fsync before the cut that no state has given away yet.
fn try_each(cut: &PowerCut<'_>, found: &Mutex<BTreeMap<Sync, (bool, usize)>>) {
    let mut legal: Vec<_> = Vec::new();
    let survivors: Vec<Survivors> = [Survivors::None]
        .into_iter()
        .chain((0..DRAWN).map(Survivors::Some))
        .collect();
    let mut whole = replay(&cut.before, &cut.events, None);
    whole.look_up(&cut.root());
    legal.extend(survivors.iter().map(|one| whole.state(*one)));
    let mut nth = 0;
    for (n, event) in cut.events.iter().enumerate() {
        let Event::Sync { path } = event else {
            continue;
        };
        nth += 1;
        let key = (nth, kind(path));
        if found.lock().unwrap().entry(key.clone()).or_default().0 {
            continue;
        }
        let mut disk = replay(&cut.before, &cut.events, Some(n));
        disk.take_lookup(&whole);
        for one in &survivors {
            let state = disk.state(*one);
            if legal.contains(&state) {
                continue;
            }
            let has_failed = cut.try_state(&state).is_err();
            let mut found = found.lock().unwrap();
            let entry = found.entry(key.clone()).or_default();
            entry.1 += 1;
            entry.0 |= has_failed;
            if entry.0 {
                break;
            }
        }
    }
}

/// The path without times and random digits.
fn kind(path: &str) -> String {
    let kinds = [
        (".part", "a stage file"),
        (".ready", "a marker"),
        ("-journal", "the ledger's journal"),
        (".sqlite3.new", "the new ledger"),
        (".sqlite3", "the ledger"),
        ("Z.csv", "a published file"),
    ];
    let kind = kinds.iter().find(|(end, _)| path.ends_with(end));
    kind.map_or(path, |(_, kind)| kind).to_owned()
}
