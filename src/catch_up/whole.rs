//! The walk through a whole list, which another process can go on with.

use super::CatchUp;
use crate::error::Result;
use crate::ledger::progress::SavedWalk;
use crate::pages::next::Walk;
use crate::pages::walk::{Verify, Walker};
use crate::progress;
use crate::subscriber::Status;
use chrono::NaiveDate;

/// How many keys of a walk are kept for going on in another process.
const KEYS_KEPT: usize = 100;

impl CatchUp<'_> {
    /// The walk through everything, which another process can go on with unless this is `--full` on a complete list.
    pub(super) async fn walk_everything(
        &mut self,
        status: Option<Status>,
        after: Option<NaiveDate>,
    ) -> Result<()> {
        let saved = self
            .progress
            .walk
            .take()
            .filter(|saved| self.may_resume(saved));
        if let Some(saved) = &saved {
            tracing::info!(
                event = "resumed",
                list = self.list.this.id,
                row = saved.start,
                "going on where the last run stopped"
            );
            self.newest = self.newest.max(saved.newest);
            self.left_out = saved.left_out.clone();
            // Without the right order, new rows may have come before the position at which it stopped.
            self.began = self.began.min(saved.began.unwrap_or(self.began));
        }
        let from = saved.map(|saved| Walk::resume(saved.start, saved.seen, saved.keys));
        let usual = Some(self.wanted.feed.usual_status());
        let expect = from.is_none() && self.list.count(usual) > 0;
        let mut walker = Walker::new(self.find(status, after), from, Verify::Count, expect)
            .with_claimed_rows(self.list.count(status));
        loop {
            match walker.next(self.session).await {
                Ok(Some(rows)) => {
                    self.note_left_out(&rows, walker.query());
                    self.take(&rows, status).await?;
                    progress::advance(rows.fresh.len() as u64);
                    if self.is_checkpoint_due() {
                        self.save_walk(walker.position())?;
                        self.checkpoint()?;
                    }
                }
                Ok(None) => {
                    self.warn_of_wrong_count(&walker);
                    return Ok(());
                }
                Err(error) => {
                    if !walker.has_failed() {
                        self.save_walk(walker.position())?;
                    } else {
                        self.note_progress()?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn may_resume(&self, saved: &SavedWalk) -> bool {
        self.is_resumable() && !self.wanted.full && saved.statuses == self.wanted.statuses
    }

    /// Only a walk through a list that is not complete: `--full` looks for rows with an old date, and those may be added
    /// before the position at which it stopped.
    fn is_resumable(&self) -> bool {
        !self.progress.is_complete(&self.wanted.statuses)
    }

    fn save_walk(&mut self, position: &Walk) -> Result<()> {
        self.progress.walk = self.is_resumable().then(|| SavedWalk {
            statuses: self.wanted.statuses.clone(),
            start: position.offset(),
            seen: position.seen(),
            keys: position.last_keys(KEYS_KEPT).cloned().collect(),
            newest: self.newest,
            began: Some(self.began),
            left_out: self.left_out.clone(),
        });
        self.note_progress()
    }
}
