//! Which page to ask for next, and whether a page may be believed. Pure: keys in, decision out.
//!
//! Pages are plain offsets, so a row that vanishes before the offset shifts another out of sight. Therefore each page
//! is asked for so that it begins with the last row of the page before, and is accepted only if its first row was
//! seen in this walk: then every row between is in order, and nobody who was on the list all the time is missed.
//! Otherwise we go back, 1, 2, 4 … 99 rows, until that holds. Invariant: every row that stood before `start` in this
//! walk's order and has been there all along has been handed on.

use super::collection::PAGE_SIZE;
use crate::subscriber::RowKey;
use std::collections::{HashSet, VecDeque};

/// How many keys a walk remembers. Memory must not grow with the list; more than this many rows vanishing between two
/// pages costs beginning anew, no row.
const REMEMBERED: usize = 2000;

/// How many pages forward without a new row, and how many new beginnings, are taken before the server is called a liar.
const PATIENCE: u8 = 3;

/// What a page shows of itself.
#[derive(Debug)]
pub(crate) struct PageView<'a> {
    /// Row keys in order.
    pub(crate) keys: &'a [&'a RowKey],
    /// It names a next page.
    pub(crate) has_next: bool,
    /// The size of the collection, where the page tells it.
    pub(crate) total_size: Option<u64>,
}

/// What becomes of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Believed: these entries are new to the walk; then ask for the page at [`Walk::start`].
    Forward(Vec<usize>),
    /// Believed, and the last: these entries are new to the walk.
    End(Vec<usize>),
    /// Not believed: ask for the page at [`Walk::start`] instead.
    Back,
    /// Page after page brings nothing new: no walk ends like this.
    Stuck,
}

/// A place in a collection, and what has been seen on the way there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    start: u64,
    step_back: u64,
    gone_back: usize,
    /// Rows gone back over before the page last believed: so many more may come without a new one among them.
    to_catch_up: usize,
    begun_anew: u8,
    recent: VecDeque<RowKey>,
    /// The same keys; hashed fast, since whoever sends them gains nothing by collisions among 2,000.
    known: HashSet<RowKey, foldhash::fast::RandomState>,
    seen: u64,
    without_new: u8,
}

impl Walk {
    /// A walk from the first row.
    pub(crate) fn new() -> Walk {
        Walk::default()
    }

    /// Goes on with a walk whose last page began or ended at row `start`, with what was kept of the keys seen.
    pub(crate) fn resume(start: u64, seen: u64, keys: Vec<RowKey>) -> Walk {
        let mut walk = Walk {
            start,
            seen,
            ..Walk::default()
        };
        for key in keys {
            walk.remember(key);
        }
        walk
    }

    /// The row to begin the next page with.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// How many different rows this walk has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The keys of the last `n` rows, the oldest first: enough to go on from here in another process.
    pub(crate) fn last_keys(&self, n: usize) -> impl Iterator<Item = &RowKey> {
        self.recent.iter().skip(self.recent.len().saturating_sub(n))
    }

    /// Judges the page that was asked for at [`Walk::start`].
    pub(crate) fn take(&mut self, page: &PageView<'_>) -> Verdict {
        let begins_well = self.start == 0
            || page
                .keys
                .first()
                .is_some_and(|key| self.known.contains(*key));
        if !begins_well {
            return self.go_back();
        }
        if self.start == 0 {
            // Also after having gone back to the beginning: nothing before this page can be missing any more.
            *self = Walk {
                without_new: self.without_new,
                begun_anew: self.begun_anew,
                ..Walk::default()
            };
        }
        self.to_catch_up += self.gone_back;
        (self.step_back, self.gone_back) = (0, 0);
        let mut fresh = Vec::new();
        for (i, key) in page.keys.iter().enumerate() {
            if self.remember(RowKey::clone(key)) {
                self.seen += 1;
                fresh.push(i);
            }
        }
        let len = page.keys.len() as u64;
        // A row that stands twice on the page may stand once in the collection: going on by fewer rows costs a
        // longer overlap, by more it would go past some. Only the first row is to be expected to be known.
        let different = match page.keys.len() - fresh.len() {
            0 => len,
            1 if self.start > 0 => len,
            _ => page.keys.iter().collect::<HashSet<_>>().len() as u64,
        };
        let counted_out = page
            .total_size
            .is_some_and(|total| self.start + different >= total);
        if !page.has_next && (len < PAGE_SIZE || counted_out) {
            // A later look for newcomers begins with the last row.
            self.start += different.saturating_sub(1);
            return Verdict::End(fresh);
        }
        // The rows that begin a walk are new by definition; a first page that comes again and again is not.
        if !fresh.is_empty() && (self.start > 0 || different > 1) {
            (self.without_new, self.to_catch_up) = (0, 0);
        } else if self.to_catch_up > 0 {
            self.to_catch_up = self.to_catch_up.saturating_sub(PAGE_SIZE as usize - 1);
        } else {
            self.without_new += 1;
        }
        if self.without_new >= PATIENCE {
            return Verdict::Stuck;
        }
        self.start += different.saturating_sub(1);
        Verdict::Forward(fresh)
    }

    fn go_back(&mut self) -> Verdict {
        self.step_back = (self.step_back * 2).clamp(1, PAGE_SIZE - 1);
        self.gone_back += self.step_back as usize;
        if self.gone_back > self.recent.len() {
            // Past what is remembered no first row could be recognised: begin anew.
            self.begun_anew += 1;
            if self.begun_anew > PATIENCE {
                return Verdict::Stuck;
            }
            self.start = 0;
        } else {
            self.start = self.start.saturating_sub(self.step_back);
        }
        Verdict::Back
    }

    /// Remembers a key; says whether it was new.
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
