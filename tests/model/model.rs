//! The model: what must and what may have been exported, told without pages, marks, checkpoints or tokens.

use std::collections::BTreeSet;

/// A subscription: list, subscriber, when.
pub(crate) type Key = (u64, u64, String);

/// What the job owes.
#[derive(Default)]
pub(crate) struct Model {
    /// Came, came back or confirmed since their list was last exported.
    due: BTreeSet<Key>,
    /// Were subscribed when some run looked.
    ever: BTreeSet<Key>,
    /// Exported so far.
    out: BTreeSet<Key>,
    /// Lists that a run has exported to their end.
    known: BTreeSet<u64>,
}

impl Model {
    /// Somebody has come.
    pub(crate) fn came(&mut self, key: Key) {
        self.due.insert(key);
    }

    /// A run is about to look at those subscribed on its lists.
    pub(crate) fn looked_at(&mut self, subscribed: &BTreeSet<Key>) {
        self.ever.extend(subscribed.iter().cloned());
    }

    /// What is published now: no row twice, none taken back, none that was never there.
    pub(crate) fn published(&mut self, rows: Vec<Key>) {
        let all: BTreeSet<Key> = rows.iter().cloned().collect();
        assert_eq!(rows.len(), all.len(), "a row twice: {rows:?}");
        let never: Vec<_> = all.difference(&self.ever).collect();
        assert!(
            never.is_empty(),
            "never subscribed when a run looked: {never:?}"
        );
        assert!(self.out.is_subset(&all), "taken back");
        self.out = all;
    }

    /// A run over these lists has ended well: what was due on them is out; in a full or first one everybody is.
    pub(crate) fn ended_well(&mut self, lists: &[u64], full: bool, subscribed: &BTreeSet<Key>) {
        for &list in lists {
            let everybody = full || self.known.insert(list);
            let owed = |key: &&Key| key.0 == list && (everybody || self.due.contains(*key));
            let missing: Vec<_> = subscribed
                .iter()
                .filter(owed)
                .filter(|key| !self.out.contains(*key))
                .collect();
            assert!(missing.is_empty(), "lost: {missing:?}");
        }
        self.due.retain(|key| !lists.contains(&key.0));
    }
}
