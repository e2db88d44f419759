//! Pending subscribers of lists whose arrivals this run does not look at: deleted, excluded or unwanted ones.

use super::Job;
use crate::api::session::Found;
use crate::error::{Kind, Result};
use crate::lists::{List, account_path};
use crate::plan::LONGEST_PENDING_DAYS;
use crate::subscriber::feed::Feed;
use chrono::TimeDelta;

impl Job<'_> {
    /// Forgets those of lists that are deleted: each is asked for, since the account's lists may be incomplete.
    pub(super) async fn forget_pending_of_deleted(&mut self, lists: &[List]) -> Result<()> {
        for list in self.ledger.lists_with_pending(None)? {
            if lists.iter().any(|known| known.this.id == list) {
                continue;
            }
            let path = format!("{}/lists/{list}", account_path(&self.account));
            match self.session.get(&path, |_| Ok(())).await {
                Ok(Found::NotThere) => self.ledger.forget_pending(list, None)?,
                Ok(Found::There(())) => {}
                // Nothing is lost: a later run asks again.
                Err(error) if error.kind() == Kind::Unavailable => {
                    tracing::debug!(event = "list_unknown", list, "{error}")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Forgets those whose confirmation link no longer works, of the lists that are not `selected` or, if no arrivals are
    /// wanted, of all.
    pub(super) fn forget_pending_of_unwatched(&mut self, selected: &[List]) -> Result<()> {
        let wants_arrivals = !Feed::Arrivals.statuses(&self.config.statuses).is_empty();
        let watched = if wants_arrivals { selected } else { &[] };
        let Some(now) = self.session.now() else {
            return Ok(());
        };
        let before = (now - TimeDelta::days(LONGEST_PENDING_DAYS)).timestamp();
        for list in self.ledger.lists_with_pending(Some(before))? {
            if watched.iter().all(|known| known.this.id != list) {
                self.ledger.forget_unchecked_pending(list, before)?;
            }
        }
        Ok(())
    }
}
