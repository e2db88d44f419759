//! Pending subscribers: seen unconfirmed, they may still confirm, and keep the time of their sign-up when they do.

use super::Ledger;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use rusqlite::params;

/// A subscriber of a list, seen by a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) list: i64,
    pub(crate) subscriber: i64,
    pub(crate) run: i64,
}

impl Ledger {
    /// Records an unconfirmed subscriber. Without a known subscribed_at the time of the first sighting (`now`) is used.
    /// Times in Unix seconds.
    pub(crate) fn note_pending(
        &mut self,
        seen: Sighting,
        subscribed_at: Option<i64>,
        now: i64,
    ) -> Result<()> {
        self.change(
            "INSERT INTO pending (list, subscriber, subscribed_at, checked) VALUES (?1, ?2, coalesce(?3, ?4), ?5)
             ON CONFLICT (list, subscriber) DO UPDATE
             SET subscribed_at = coalesce(?3, subscribed_at), checked = ?5, resolved_by = NULL",
            params![seen.list, seen.subscriber, subscribed_at, now, seen.run],
        )
    }

    /// Records a sighting of a subscriber who may be pending and whose status is unknown.
    pub(crate) fn touch_pending(&mut self, seen: Sighting) -> Result<()> {
        self.change(
            "UPDATE pending SET checked = ?3 WHERE list = ?1 AND subscriber = ?2",
            [seen.list, seen.subscriber, seen.run],
        )
    }

    /// Ends the pending state of a subscriber seen with another status; while a batch is open, only once that is
    /// published.
    pub(crate) fn resolve_pending(
        &mut self,
        list: i64,
        subscriber: i64,
        batch: Option<i64>,
    ) -> Result<()> {
        match batch {
            Some(batch) => self.change(
                "UPDATE pending SET resolved_by = ?3 WHERE list = ?1 AND subscriber = ?2",
                [list, subscriber, batch],
            ),
            None => self.change(
                "DELETE FROM pending WHERE list = ?1 AND subscriber = ?2",
                [list, subscriber],
            ),
        }
    }

    /// Ends the pending state of all subscribers of `list`; with the open batch, only once that is published.
    pub(crate) fn forget_pending(&mut self, list: i64, batch: Option<i64>) -> Result<()> {
        match batch {
            Some(batch) => self.change(
                "UPDATE pending SET resolved_by = ?2 WHERE list = ?1",
                [list, batch],
            ),
            None => self.change("DELETE FROM pending WHERE list = ?1", [list]),
        }
    }

    /// Deletes the subscribers that `run` saw unconfirmed although their confirmation link expired before `before`.
    pub(crate) fn forget_expired_pending(
        &mut self,
        list: i64,
        run: i64,
        before: i64,
    ) -> Result<()> {
        self.change(
            "DELETE FROM pending WHERE list = ?1 AND checked = ?2 AND subscribed_at < ?3 AND resolved_by IS NULL",
            [list, run, before],
        )
    }

    /// The lists with pending subscribers that were seen before the time `before` (Unix seconds), or at any time.
    pub(crate) fn lists_with_pending(&self, before: Option<i64>) -> Result<Vec<i64>> {
        self.rows(
            "SELECT DISTINCT list FROM pending WHERE ?1 IS NULL OR subscribed_at < ?1 ORDER BY list",
            [before],
            |row| row.get(0),
        )
    }

    /// Deletes the subscribers of a list that no run checks and whose confirmation link expired before `before`. Some may
    /// have confirmed in time, so the next export of its arrivals reads all of them.
    pub(crate) fn forget_unchecked_pending(&mut self, list: i64, before: i64) -> Result<()> {
        self.change(
            "DELETE FROM pending WHERE list = ?1 AND subscribed_at < ?2",
            [list, before],
        )?;
        self.read_again(list, Feed::Arrivals)
    }

    /// Whether `list` has pending subscribers.
    pub(crate) fn has_pending(&self, list: i64) -> Result<bool> {
        self.exists(
            "SELECT 1 FROM pending WHERE list = ?1 AND resolved_by IS NULL LIMIT 1",
            [list],
        )
    }

    /// The number of pending subscribers that `run` has not seen, and the oldest subscribed_at (`None` if any is
    /// unknown).
    pub(crate) fn unchecked_pending(&self, list: i64, run: i64) -> Result<(u64, Option<i64>)> {
        let row = self.first(
            "SELECT count(*), min(subscribed_at), count(subscribed_at) FROM pending
             WHERE list = ?1 AND checked != ?2 AND resolved_by IS NULL",
            [list, run],
            |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?)),
        )?;
        let (all, oldest, known) = row.unwrap_or((0, None, 0));
        Ok((all as u64, oldest.filter(|_| all == known)))
    }

    /// The next ids above `after` of pending subscribers that `run` has not seen, in order; none after the last one.
    pub(crate) fn unchecked_ids(&self, list: i64, run: i64, after: i64) -> Result<Vec<i64>> {
        self.rows(
            // A parameter as LIMIT would make SQLite prepare the statement again for each use.
            "SELECT subscriber FROM pending
             WHERE list = ?1 AND checked != ?2 AND resolved_by IS NULL AND subscriber > ?3 ORDER BY subscriber LIMIT 100",
            [list, run, after],
            |row| row.get(0),
        )
    }

    /// The number of pending subscribers on all lists.
    pub(crate) fn pending(&self) -> Result<u64> {
        let count = self.first("SELECT count(*) FROM pending", [], |row| {
            row.get::<_, i64>(0)
        })?;
        Ok(count.unwrap_or(0) as u64)
    }

    /// Deletes the subscribers that `batch`, now published, has resolved.
    pub(super) fn delete_resolved(&mut self, batch: i64) -> Result<()> {
        self.change("DELETE FROM pending WHERE resolved_by = ?1", [batch])
    }

    /// Makes the subscribers that `batch`, now void, had resolved pending again.
    pub(super) fn unresolve(&mut self, batch: i64) -> Result<()> {
        self.change(
            "UPDATE pending SET resolved_by = NULL WHERE resolved_by = ?1",
            [batch],
        )
    }
}
