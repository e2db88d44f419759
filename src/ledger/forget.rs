//! In the ledger: where a list begins, and forgetting what was exported of it, so that it is exported again.

use super::Ledger;
use super::lists::Progress;
use crate::error::Result;
use chrono::NaiveDate;

impl Ledger {
    /// Whether the list was ever looked at.
    pub(crate) fn knows_list(&self, list: i64) -> Result<bool> {
        Ok(self
            .first("SELECT 1 FROM list WHERE id = ?1", [list], |_| Ok(()))?
            .is_some())
    }

    /// Remembers the day that a list begins with, if it was never looked at before.
    pub(crate) fn begin_list(&mut self, list: i64, since: Option<NaiveDate>) -> Result<()> {
        if self.knows_list(list)? {
            return Ok(());
        }
        let progress = Progress {
            since: since.map(|day| day.to_string()),
            ..Progress::default()
        };
        self.set_progress(list, &progress, false)
    }

    /// Forgets the subscriptions of `list`: all, or those from `since` (Unix seconds) on and those whose time says no
    /// instant. Says how many. To be called with no batch under way.
    pub(crate) fn forget(&mut self, list: i64, since: Option<i64>) -> Result<usize> {
        let old = self.progress(list)?;
        let (forgotten, progress) = match since {
            None => {
                let forgotten = self.change("DELETE FROM subscription WHERE list = ?1", [list])?;
                // As if never exported, but still from the day on that it began with.
                let progress = Progress {
                    since: old.since,
                    ..Progress::default()
                };
                (forgotten, progress)
            }
            Some(since) => {
                let forgotten = self.change(
                    "DELETE FROM subscription
                     WHERE list = ?1 AND (typeof(subscribed_at) != 'integer' OR subscribed_at >= ?2)",
                    [list, since],
                )?;
                // The query for what is new reaches back to the mark.
                let progress = Progress {
                    mark: old.mark.map(|mark| mark.min(since)),
                    walk: None,
                    ..old
                };
                (forgotten, progress)
            }
        };
        self.set_progress(list, &progress, false)?;
        Ok(forgotten)
    }
}
