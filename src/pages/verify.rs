//! Whether a walk that has reached the end of a collection has seen all of it. Pure: numbers in, decision out.
//!
//! Arrivals are sorted by subscribed_at, oldest first. A walk whose last row is newer than its start has therefore passed
//! every row that was there when it started; the rows behind that one are newer still, and the next run's. Otherwise, and
//! for departures always, the rows seen are compared with AWeber's count, which may be wrong for good.

use super::next::Walk;

/// How often to look for rows after the last page. Each time new ones were found; a second later they are newer than the
/// start of the walk.
const LOOKS: u8 = 10;

/// What follows from a count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// All rows were seen.
    Complete,
    /// Two whole walks saw the same rows, but fewer than AWeber counts.
    CountIsWrong,
    /// Rows may have been added after the last page: request that again.
    LookForMore,
    /// Read everything from the beginning.
    WalkAgain,
    /// Two whole walks saw different rows, and fewer than AWeber counts.
    GiveUp,
}

/// What earlier walks through the same collection saw.
#[derive(Debug, Default)]
pub(super) struct Verification {
    looks: u8,
    seen_at_last_look: Option<u64>,
    /// The rows seen by the last whole walk: number and checksum.
    whole_walk: Option<(u64, u64)>,
}

impl Verification {
    /// Decides what to do at the end of `walk` if AWeber counts that many rows.
    pub(super) fn after_count(&mut self, walk: &Walk, counted: u64) -> Next {
        let seen = walk.seen();
        if seen >= counted {
            return Next::Complete;
        }
        if self.seen_at_last_look != Some(seen) && self.looks < LOOKS {
            self.looks += 1;
            self.seen_at_last_look = Some(seen);
            return Next::LookForMore;
        }
        (self.looks, self.seen_at_last_look) = (0, None);
        if !walk.is_whole() {
            return Next::WalkAgain;
        }
        let rows = (seen, walk.checksum());
        match self.whole_walk.replace(rows) {
            None => Next::WalkAgain,
            Some(before) if before == rows && seen > 0 => Next::CountIsWrong,
            Some(_) => Next::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::next::PageView;
    use super::*;
    use crate::subscriber::{EventTime, RowKey};

    /// A walk that saw the rows with these ids.
    fn walk(ids: std::ops::Range<i64>) -> Walk {
        let at = EventTime::Instant(0);
        let keys = ids.map(|id| RowKey { id, at: at.clone() });
        let keys: Vec<RowKey> = keys.collect();
        let mut walk = Walk::new();
        walk.take(&PageView {
            keys: &keys.iter().collect::<Vec<_>>(),
            has_next: false,
            total_size: None,
        });
        walk
    }

    #[test]
    fn a_count_is_compared_with_two_whole_walks() {
        use Next::*;
        for (walks, expected) in [
            (vec![(0, 9)], vec![LookForMore]),
            (vec![(0, 10)], vec![Complete]),
            (vec![(0, 9), (0, 10)], vec![LookForMore, Complete]),
            // Nothing new after the last page, twice.
            (
                vec![(0, 9), (0, 9), (0, 9), (0, 9)],
                vec![LookForMore, WalkAgain, LookForMore, CountIsWrong],
            ),
            (
                vec![(0, 8), (0, 8), (1, 9), (1, 9)],
                vec![LookForMore, WalkAgain, LookForMore, GiveUp],
            ),
            (
                vec![(0, 7), (0, 8), (0, 9), (0, 9)],
                vec![LookForMore, LookForMore, LookForMore, WalkAgain],
            ),
            // No row at all is never believed.
            (
                vec![(0, 0), (0, 0), (0, 0), (0, 0)],
                vec![LookForMore, WalkAgain, LookForMore, GiveUp],
            ),
        ] {
            let mut verification = Verification::default();
            let next = walks
                .iter()
                .map(|(first, end)| verification.after_count(&walk(*first..*end), 10));
            assert_eq!(next.collect::<Vec<_>>(), expected, "{walks:?}");
        }
    }

    #[test]
    fn a_resumed_walk_is_not_a_whole_one() {
        let resumed = Walk::resume(5, 9, vec![]);
        let mut verification = Verification::default();
        let next = [&resumed, &resumed, &walk(0..9), &walk(0..9)]
            .map(|walk| verification.after_count(walk, 10));
        assert_eq!(
            next,
            [
                Next::LookForMore,
                Next::WalkAgain,
                Next::LookForMore,
                Next::WalkAgain
            ]
        );
    }

    #[test]
    fn looking_for_more_has_an_end() {
        let mut verification = Verification::default();
        let looks = (0..100)
            .take_while(|n| verification.after_count(&walk(0..*n), 1000) == Next::LookForMore);
        assert_eq!(looks.count(), usize::from(LOOKS));
    }
}
