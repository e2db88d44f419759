//! Which step of the program a sync belongs to, from the stack that strace has recorded behind it.

use crate::record::{Event, events_with_lines};
use crate::scenario::AtFault;
use std::path::Path;

/// strace's options for a trace of the syncs, and of what they are for, with stacks. Those of all calls take seconds.
const OPTIONS: [&str; 3] = [
    "-k",
    "-e",
    "trace=fsync,fdatasync,?rename,?renameat2,?mkdir,?open,?openat",
];

/// How many functions outside of `disk` name a step.
const CALLERS: usize = 2;

impl AtFault<'_> {
    /// Runs the command; returns the step of each of its syncs.
    pub(crate) fn sites(&self) -> Vec<String> {
        let (_, trace) = self.command.run_traced(&self.site, &OPTIONS);
        sites(trace.text(), &self.site.path(""))
    }
}

fn sites(trace: &str, root: &Path) -> Vec<String> {
    let lines: Vec<&str> = trace.lines().collect();
    let events = events_with_lines(trace, root);
    let step_of = |n: usize| match &events[n] {
        (line, Event::Sync { path }) => {
            let stack = lines[line + 1..].iter();
            let stack: Vec<&str> = stack
                .map_while(|line| line.trim_start().strip_prefix("> "))
                .filter_map(function)
                .collect();
            let mut site = format!("{}: {}", kind(path), step(&stack));
            // strace does not find the callers of this one.
            if site.contains("sync_parent")
                && let Some((_, before)) = n.checked_sub(1).map(|n| &events[n])
            {
                site += &format!(", after {}", change(before));
            }
            Some(site)
        }
        _ => None,
    };
    (0..events.len()).filter_map(step_of).collect()
}

/// What an event changes.
fn change(event: &Event) -> String {
    match event {
        Event::Open { path, .. } => format!("opening: {}", kind(path)),
        Event::Write { path, .. } => format!("writing: {}", kind(path)),
        Event::Sync { path } => format!("sync: {}", kind(path)),
        Event::Rename { from, to } => format!("rename: {} to {}", kind(from), kind(to)),
        Event::Link { to, .. } => format!("link: {}", kind(to)),
        Event::Unlink { path } => format!("removal: {}", kind(path)),
        Event::Mkdir { path, .. } | Event::Chmod { path, .. } => format!("making: {}", kind(path)),
        _ => "another change".to_owned(),
    }
}

/// `crate::module::function::hash+0x12` in a line `binary(crate::module::function::hash+0x12) [0x345]`.
fn function(frame: &str) -> Option<&str> {
    let (_, rest) = frame.split_once('(')?;
    let (function, _) = rest.rsplit_once(") [")?;
    (!function.is_empty()).then_some(function)
}

/// Of SQLite the function that wanted the sync, with the place in it; else the callers in this program.
fn step(stack: &[&str]) -> String {
    let of_sqlite = ["syncJournal", "sqlite3PagerCommitPhaseOne", "unixDelete"];
    let is_of_sqlite = |frame: &&&str| of_sqlite.iter().any(|name| frame.starts_with(name));
    let wanted = stack.iter().find(is_of_sqlite);
    if let Some(frame) = wanted {
        return format!("SQLite, {frame}");
    }
    let mut names: Vec<&str> = Vec::new();
    let mut callers = 0;
    for frame in stack {
        let Some(name) = frame.strip_prefix("aweber_sync::") else {
            continue;
        };
        let end = name.find("::{{closure}}").or(name.rfind('+'));
        let name = &name[..end.unwrap_or(name.len())];
        if names.last() == Some(&name) {
            continue;
        }
        names.push(name);
        callers += usize::from(!name.starts_with("disk::"));
        if callers == CALLERS {
            break;
        }
    }
    names.join(" < ")
}

/// The path without times and random digits.
fn kind(path: &str) -> String {
    let kinds = [
        (".part", "stage file"),
        (".ready", "marker"),
        ("-journal", "journal of the ledger"),
        (".sqlite3.new", "new ledger"),
        (".sqlite3.v1.tmp", "copy of the ledger"),
        (".sqlite3", "ledger"),
        ("Z.csv", "published file"),
        ("exports", "directory of exports"),
        ("shared", "directory of exports"),
        ("state", "state directory"),
    ];
    let kind = kinds.iter().find(|(end, _)| path.ends_with(end));
    let path = if path.is_empty() { "root" } else { path };
    kind.map_or(path, |(_, kind)| kind).to_owned()
}
