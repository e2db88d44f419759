//! The report on one kind of faults: counts by scenario, effect and call, and the notes.

use crate::fault::{Case, Kind};
use crate::judge::Judgement;
use std::collections::{BTreeMap, BTreeSet};

/// The last column: the fault has done harm.
const FAILED: &str = "FAILED";

/// A case, and what became of it; an error describes the harm.
pub(crate) type Tried<'a> = (&'a Case<'a>, Result<Judgement, String>);

/// Prints the report; returns the number of cases that have failed.
pub(crate) fn report(kind: &dyn Kind, results: &[Tried<'_>]) -> usize {
    let column = |result: &Result<Judgement, String>| match result {
        Ok(judgement) => judgement.column,
        Err(_) => FAILED,
    };
    let groups: [fn(&Case<'_>) -> String; 4] = [
        |case| case.scenario.name.clone(),
        |case| case.fault.effect_name(),
        |case| case.fault.point.call.clone(),
        |_| "all".to_owned(),
    ];
    println!("{:34}{}", kind.name(), heading(kind));
    for name in groups {
        let counted = results
            .iter()
            .map(|(case, result)| (name(case), column(result)));
        print_group(kind, &counted.collect::<Vec<_>>());
    }
    print_notes(kind, results);
    results.iter().filter(|(_, result)| result.is_err()).count()
}

fn columns(kind: &dyn Kind) -> impl Iterator<Item = &'static str> {
    kind.columns().iter().copied().chain([FAILED])
}

fn heading(kind: &dyn Kind) -> String {
    let names = ["faults"].into_iter().chain(columns(kind));
    names.map(|name| format!(" {name:>11}")).collect()
}

/// One row for each name, with the number of faults in each column.
fn print_group(kind: &dyn Kind, counted: &[(String, &str)]) {
    let names: BTreeSet<&String> = counted.iter().map(|(name, _)| name).collect();
    for name in names {
        let of_row = counted.iter().filter(|(other, _)| other == name);
        let in_columns: Vec<&str> = of_row.map(|(_, column)| *column).collect();
        let mut line = format!("{name:34} {:11}", in_columns.len());
        for column in columns(kind) {
            let count = in_columns.iter().filter(|other| **other == column).count();
            line.push_str(&format!(" {count:11}"));
        }
        println!("{line}");
    }
    println!();
}

fn print_notes(kind: &dyn Kind, results: &[Tried<'_>]) {
    let mut notes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, result) in results {
        if let Ok(Judgement {
            note: Some(note), ..
        }) = result
        {
            *notes.entry(note).or_default() += 1;
        }
    }
    if !notes.is_empty() {
        println!("{}:", kind.notes_heading());
    }
    for (note, count) in notes {
        println!("  {count:4} {note}");
    }
    println!();
}
