//! Which page to request next, and whether a page can be trusted. Pure: keys in, decision out.
//!
//! Pages are addressed by offset, so a row that vanishes before the offset shifts another row out of view. Therefore
//! each request starts at the last row of the previous page, and the page is accepted only if its first row was already
//! seen in this walk: then no row in between is missing. Otherwise the walk steps back by 1, 2, 4 … 99 rows until that
//! holds. Invariant: every row before the offset that has been in the collection throughout the walk was handed on.

use super::collection::PAGE_SIZE;
use crate::subscriber::RowKey;
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;

/// How many keys a walk remembers, since memory must not grow with the list. If more rows than this vanish between two
/// pages, the walk restarts; no row is lost.
const REMEMBERED: usize = 2000;

/// How many pages without a new row, and how many restarts, are accepted before giving up.
const PATIENCE: u8 = 3;

/// The same in all walks of a process.
const HASH: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0);

/// The parts of a page that the decision needs.
#[derive(Debug)]
pub(crate) struct PageView<'a> {
    /// The row keys in order.
    pub(crate) keys: &'a [&'a RowKey],
    /// The page has a link to another one.
    pub(crate) has_next: bool,
    /// The size of the collection, if given.
    pub(crate) total_size: Option<u64>,
}

/// What to do with a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Accepted: the entries at these indexes are new. Request the page at [`Walk::offset`] next.
    Forward(Vec<usize>),
    /// Accepted as the last page: the entries at these indexes are new.
    End(Vec<usize>),
    /// Rejected: request the page at [`Walk::offset`] instead.
    Back,
    /// Rejected: the pages make no progress.
    Stuck,
}

/// A position in a collection: the next offset and the rows seen before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    offset: u64,
    /// The last step back, in rows.
    last_step: u64,
    /// Rows stepped back since the last accepted page.
    stepped_back: usize,
    /// Rows stepped back before it: that many known rows do not mean that the walk is stuck.
    rows_to_repeat: usize,
    restarts: u8,
    /// The keys of the last rows, oldest first.
    recent: VecDeque<RowKey>,
    /// The same keys. A fast hash is enough: collisions among 2,000 keys gain an attacker nothing.
    known: HashSet<RowKey, foldhash::fast::RandomState>,
    seen: u64,
    /// The sum of the hashes of the rows seen: two walks that saw the same rows have the same one.
    checksum: u64,
    /// Does not begin with the first row.
    is_resumed: bool,
    pages_without_new: u8,
}

impl Walk {
    /// Starts at the first row.
    pub(crate) fn new() -> Walk {
        Walk::default()
    }

    /// Continues a walk at `offset`, with the keys of the last rows seen before it.
    pub(crate) fn resume(offset: u64, seen: u64, keys: Vec<RowKey>) -> Walk {
        let mut walk = Walk {
            offset,
            seen,
            is_resumed: true,
            ..Walk::default()
        };
        for key in keys {
            walk.remember(key);
        }
        walk
    }

    /// The offset of the next page.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of distinct rows seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// A checksum of the rows seen, in any order.
    pub(super) fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Whether it began with the first row.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_resumed
    }

    /// The keys of the last `n` rows, oldest first, with which another process can continue.
    pub(crate) fn last_keys(&self, n: usize) -> impl Iterator<Item = &RowKey> {
        self.recent.iter().skip(self.recent.len().saturating_sub(n))
    }

    /// Judges the page that was requested at [`Walk::offset`].
    pub(crate) fn take(&mut self, page: &PageView<'_>) -> Verdict {
        let overlaps = page
            .keys
            .first()
            .is_some_and(|key| self.known.contains(*key));
        if self.offset > 0 && !overlaps {
            return self.step_back();
        }
        if self.offset == 0 {
            // Also after stepping back to the beginning: no row can be missing before this page any more.
            *self = Walk {
                pages_without_new: self.pages_without_new,
                restarts: self.restarts,
                ..Walk::default()
            };
        }
        self.rows_to_repeat += self.stepped_back;
        (self.last_step, self.stepped_back) = (0, 0);
        let mut new = Vec::new();
        for (i, key) in page.keys.iter().enumerate() {
            if self.remember(RowKey::clone(key)) {
                self.seen += 1;
                self.checksum = self.checksum.wrapping_add(HASH.hash_one(key));
                new.push(i);
            }
        }
        let distinct = self.distinct_rows(page, new.len());
        let next_offset = self.offset + distinct.saturating_sub(1);
        let is_short = (page.keys.len() as u64) < PAGE_SIZE;
        let reached_total = page
            .total_size
            .is_some_and(|total| self.offset + distinct >= total);
        if !page.has_next && (is_short || reached_total) {
            // A later search for new rows starts with the last row.
            self.offset = next_offset;
            return Verdict::End(new);
        }
        // All rows of a first page are new, even if the same page is received again and again.
        let has_progress = !new.is_empty() && (self.offset > 0 || distinct > 1);
        if self.is_stuck(has_progress) {
            return Verdict::Stuck;
        }
        self.offset = next_offset;
        Verdict::Forward(new)
    }

    /// The number of distinct rows on the page, of which `new` are new. A row that is on the page twice may be in the
    /// collection once: a smaller offset costs a longer overlap, a larger one would skip rows.
    fn distinct_rows(&self, page: &PageView<'_>, new: usize) -> u64 {
        let len = page.keys.len();
        match len - new {
            0 => len as u64,
            // The first row is known, as it must be.
            1 if self.offset > 0 => len as u64,
            _ => page.keys.iter().collect::<HashSet<_>>().len() as u64,
        }
    }

    /// Counts the pages without progress. Returns true if there were too many.
    fn is_stuck(&mut self, has_progress: bool) -> bool {
        if has_progress {
            (self.pages_without_new, self.rows_to_repeat) = (0, 0);
        } else if self.rows_to_repeat > 0 {
            self.rows_to_repeat = self.rows_to_repeat.saturating_sub(PAGE_SIZE as usize - 1);
        } else {
            self.pages_without_new += 1;
        }
        self.pages_without_new >= PATIENCE
    }

    fn step_back(&mut self) -> Verdict {
        self.last_step = (self.last_step * 2).clamp(1, PAGE_SIZE - 1);
        self.stepped_back += self.last_step as usize;
        if self.stepped_back > self.recent.len() {
            // No first row could be recognized beyond the keys remembered.
            self.restarts += 1;
            if self.restarts > PATIENCE {
                return Verdict::Stuck;
            }
            self.offset = 0;
        } else {
            self.offset = self.offset.saturating_sub(self.last_step);
        }
        Verdict::Back
    }

    /// Remembers a key. Returns true if it is new.
    fn remember(&mut self, key: RowKey) -> bool {
        let is_new = self.known.insert(key.clone());
        if is_new {
            self.recent.push_back(key);
        }
        if self.recent.len() > REMEMBERED
            && let Some(oldest) = self.recent.pop_front()
        {
            self.known.remove(&oldest);
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
