//! The model: what must and what may have been exported. It has no pages, watermarks, checkpoints or tokens.

use std::collections::{BTreeMap, BTreeSet};

/// A subscription: list, subscriber, `subscribed_at`.
pub(crate) type Key = (u64, u64, String);

/// The subscriptions that the job must export, may export and has exported.
#[derive(Default)]
pub(crate) struct Model {
    /// Began or were confirmed since their list was last exported, or were forgotten.
    due: BTreeSet<Key>,
    /// Were active at the start of some run.
    seen: BTreeSet<Key>,
    /// Without those that were forgotten.
    exported: BTreeSet<Key>,
    /// How often each was published.
    published: BTreeMap<Key, usize>,
    /// How often each that was forgotten may be published.
    allowed: BTreeMap<Key, usize>,
    /// Lists that a run has exported completely.
    known_lists: BTreeSet<u64>,
    /// The `--since` of each list: what is older need not be exported.
    since: BTreeMap<u64, String>,
}

impl Model {
    /// Adds a new subscription; it is due once it is confirmed.
    pub(crate) fn add(&mut self, key: Key) {
        self.due.insert(key);
    }

    /// Records the active subscriptions at the start of a run, and the run's `--since` for lists never exported before.
    pub(crate) fn start_run(
        &mut self,
        lists: &[u64],
        since: Option<&str>,
        subscribed: &BTreeSet<Key>,
    ) {
        self.seen.extend(subscribed.iter().cloned());
        for list in lists {
            if let (Some(since), false) = (since, self.known_lists.contains(list)) {
                // Of several days, given to runs that did not complete, the first or the last may be remembered.
                let latest = self.since.entry(*list).or_default();
                *latest = since.to_owned().max(std::mem::take(latest));
            }
        }
    }

    /// Checks the published rows: none twice, none removed, none that was never subscribed.
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
                "not subscribed at the start of any run: {key:?}"
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

    /// Checks after a complete run over these lists that all due subscriptions are exported; in a full or first run, all
    /// active ones.
    pub(crate) fn check_complete(&mut self, lists: &[u64], full: bool, subscribed: &BTreeSet<Key>) {
        for list in lists {
            let is_first = self.known_lists.insert(*list);
            let exports_all = full || is_first;
            let since = self.since.get(list).map_or("", String::as_str);
            let must_be_exported = |key: &&Key| {
                key.0 == *list
                    && key.2.as_str() >= since
                    && (exports_all || self.due.contains(*key))
            };
            let missing: Vec<_> = subscribed
                .iter()
                .filter(must_be_exported)
                .filter(|key| !self.exported.contains(*key))
                .collect();
            assert!(missing.is_empty(), "lost: {missing:?}");
        }
        self.due.retain(|key| !lists.contains(&key.0));
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
            self.known_lists.remove(&list);
        }
    }
}
