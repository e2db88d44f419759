//! The model: what must and what may have been exported. It has no pages, watermarks, checkpoints or tokens.

use std::collections::{BTreeMap, BTreeSet};

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Arrival,
    Departure,
}

/// An event: list, subscriber, time, kind.
pub(crate) type Key = (u64, u64, String, Kind);

/// What a run is to bring up to date.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) lists: &'a [u64],
    pub(crate) kinds: &'a [Kind],
}

impl Scope<'_> {
    fn contains(&self, key: &Key) -> bool {
        self.lists.contains(&key.0) && self.kinds.contains(&key.3)
    }

    fn feeds(&self) -> Vec<(u64, Kind)> {
        let feeds = |list: &u64| {
            self.kinds
                .iter()
                .map(|kind| (*list, *kind))
                .collect::<Vec<_>>()
        };
        self.lists.iter().flat_map(feeds).collect()
    }
}

/// The events that the job must export, may export and has exported.
#[derive(Default)]
pub(crate) struct Model {
    /// Happened, or were confirmed, since their feed was last exported, or were forgotten.
    due: BTreeSet<Key>,
    /// Were true at the start of some run.
    seen: BTreeSet<Key>,
    /// Without those that were forgotten.
    exported: BTreeSet<Key>,
    /// How often each was published.
    published: BTreeMap<Key, usize>,
    /// How often each that was forgotten may be published.
    allowed: BTreeMap<Key, usize>,
    /// Feeds that a run has exported completely.
    known: BTreeSet<(u64, Kind)>,
    /// The `--since` of each list: what is older need not be exported.
    since: BTreeMap<u64, String>,
}

impl Model {
    /// Adds a new event; a subscription is due once it is confirmed.
    pub(crate) fn add(&mut self, key: Key) {
        self.due.insert(key);
    }

    /// Records what is true at the start of a run, and the run's `--since` for feeds never exported before.
    pub(crate) fn start_run(
        &mut self,
        scope: Scope<'_>,
        since: Option<&str>,
        present: &BTreeSet<Key>,
    ) {
        self.seen.extend(present.iter().cloned());
        for feed in scope.feeds() {
            if let (Some(since), false) = (since, self.known.contains(&feed)) {
                // Of several days, given to runs that did not complete or for the other feed, any may be remembered.
                let latest = self.since.entry(feed.0).or_default();
                *latest = since.to_owned().max(std::mem::take(latest));
            }
        }
    }

    /// Checks the published rows: none twice, none removed, none that was never true.
    pub(crate) fn check_published(&mut self, rows: Vec<Key>) {
        let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
        for row in rows {
            *counts.entry(row).or_default() += 1;
        }
        for (key, count) in &counts {
            let allowed = self.allowed.get(key).copied().unwrap_or(1);
            assert!(*count <= allowed, "{count} times: {key:?}");
            assert!(
                self.seen.contains(key),
                "not true at the start of any run: {key:?}"
            );
        }
        for (key, before) in &self.published {
            let now = counts.get(key).copied().unwrap_or(0);
            assert!(now >= *before, "rows were removed: {key:?}");
        }
        let is_new = |(key, count): &(&Key, &usize)| self.published.get(*key) != Some(*count);
        let new: Vec<Key> = counts
            .iter()
            .filter(is_new)
            .map(|(key, _)| key.clone())
            .collect();
        self.exported.extend(new);
        self.published = counts;
    }

    /// Checks after a complete run that all due events are exported; in a full or first run, all that are true.
    pub(crate) fn check_complete(&mut self, scope: Scope<'_>, full: bool, present: &BTreeSet<Key>) {
        for (list, kind) in scope.feeds() {
            let is_first = self.known.insert((list, kind));
            let exports_all = full || is_first;
            let since = self.since.get(&list).map_or("", String::as_str);
            let must_be_exported = |key: &&Key| {
                (key.0, key.3) == (list, kind)
                    && key.2.as_str() >= since
                    && (exports_all || self.due.contains(*key))
            };
            let missing: Vec<_> = present
                .iter()
                .filter(must_be_exported)
                .filter(|key| !self.exported.contains(*key))
                .collect();
            assert!(missing.is_empty(), "lost: {missing:?}");
        }
        self.due.retain(|key| !scope.contains(key));
    }

    /// Forgets what was exported of a list, from a day on if one is given: that is due again.
    pub(crate) fn forget(&mut self, list: u64, since: Option<&str>) {
        let from = since.unwrap_or_default();
        let is_forgotten = |key: &Key| key.0 == list && key.2.as_str() >= from;
        for key in self.exported.iter().filter(|key| is_forgotten(key)) {
            let published = self.published.get(key).copied().unwrap_or(0);
            self.allowed.insert(key.clone(), published + 1);
            self.due.insert(key.clone());
        }
        self.exported.retain(|key| !is_forgotten(key));
        if since.is_none() {
            self.known.retain(|feed| feed.0 != list);
        }
    }
}
