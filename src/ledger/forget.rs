//! Forgetting what was exported of a list, so that it is exported again.

use super::Ledger;
use super::progress::Progress;
use crate::error::Result;

impl Ledger {
    /// Forgets the events of `list`: all, or those at or after `since` (Unix seconds) and those without an exact time;
    /// returns their number. No batch may be open.
    pub(crate) fn forget(&mut self, list: i64, since: Option<i64>) -> Result<usize> {
        let old = self.progress(list)?;
        let progress = match since {
            // As before the first export, but with the same first day.
            None => Progress {
                since: old.since,
                ..Progress::default()
            },
            // The query for recent events goes back to the mark.
            Some(since) => Progress {
                mark: old.mark.map(|mark| mark.min(since)),
                walk: None,
                ..old
            },
        };
        self.set_progress(list, &progress, false)?;
        self.delete_events(list, since)
    }
}
