//! The model: what must and what may have been exported. It has no pages, watermarks, checkpoints or tokens.

use std::collections::BTreeSet;

/// A subscription: list, subscriber, `subscribed_at`.
pub(crate) type Key = (u64, u64, String);

/// The subscriptions that the job must export, may export and has exported.
#[derive(Default)]
pub(crate) struct Model {
    /// Began or were confirmed since their list was last exported.
    due: BTreeSet<Key>,
    /// Were active at the start of some run.
    seen: BTreeSet<Key>,
    exported: BTreeSet<Key>,
    /// Lists that a run has exported completely.
    known_lists: BTreeSet<u64>,
}

impl Model {
    /// Adds a new subscription; it is due once it is confirmed.
    pub(crate) fn add(&mut self, key: Key) {
        self.due.insert(key);
    }

    /// Records the active subscriptions at the start of a run.
    pub(crate) fn start_run(&mut self, subscribed: &BTreeSet<Key>) {
        self.seen.extend(subscribed.iter().cloned());
    }

    /// Checks the published rows: none twice, none removed, none that was never subscribed.
    pub(crate) fn check_published(&mut self, rows: Vec<Key>) {
        let all: BTreeSet<Key> = rows.iter().cloned().collect();
        assert_eq!(rows.len(), all.len(), "a row twice: {rows:?}");
        let never: Vec<_> = all.difference(&self.seen).collect();
        assert!(
            never.is_empty(),
            "not subscribed at the start of any run: {never:?}"
        );
        assert!(self.exported.is_subset(&all), "rows were removed");
        self.exported = all;
    }

    /// Checks after a complete run over these lists that all due subscriptions are exported; in a full or first run, all
    /// active ones.
    pub(crate) fn check_complete(&mut self, lists: &[u64], full: bool, subscribed: &BTreeSet<Key>) {
        for &list in lists {
            let exports_all = full || self.known_lists.insert(list);
            let must_be_exported =
                |key: &&Key| key.0 == list && (exports_all || self.due.contains(*key));
            let missing: Vec<_> = subscribed
                .iter()
                .filter(must_be_exported)
                .filter(|key| !self.exported.contains(*key))
                .collect();
            assert!(missing.is_empty(), "lost: {missing:?}");
        }
        self.due.retain(|key| !lists.contains(&key.0));
    }
}
