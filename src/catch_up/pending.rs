//! Pending subscribers: those of a list whom a run has not seen are asked for.

use super::CatchUp;
use crate::api::session::Found;
use crate::error::{Error, Result};
use crate::pages::collection::utf8;
use crate::pages::walk::{Verify, Walker};
use crate::plan::{LINK_DAYS, pending_after};
use crate::subscriber::feed::Feed;
use crate::subscriber::{Entry, Status, Subscriber};
use chrono::TimeDelta;

impl CatchUp<'_> {
    /// Those pending whom this run's arrivals have not shown: still unconfirmed, confirmed since then, or gone.
    pub(super) async fn check_pending(&mut self, ask_for_unconfirmed: bool) -> Result<()> {
        let list = self.list.this.id;
        if self.wanted.feed == Feed::Departures {
            return Ok(());
        }
        if self.wanted.statuses.contains(&Status::Unconfirmed) {
            // They are exported themselves.
            return self.ledger.forget_pending(list, self.collector.batch());
        }
        if !self.ledger.has_pending(list)? {
            return Ok(());
        }
        let (unseen, oldest) = self.ledger.unchecked_pending(list, self.wanted.run)?;
        if unseen > 0 && ask_for_unconfirmed {
            let query = self.find(Some(Status::Unconfirmed), pending_after(oldest));
            // A subscriber whom a shift hides from this walk is asked for by id.
            let walker = Walker::new(query, None, Verify::EndOnly, false);
            self.walk(walker, Some(Status::Unconfirmed)).await?;
        }
        let mut after = i64::MIN;
        loop {
            let ids = self.ledger.unchecked_ids(list, self.wanted.run, after)?;
            let Some(last) = ids.last() else { break };
            after = *last;
            for id in ids {
                self.check_one(id).await?;
                self.checkpoint_if_due()?;
            }
        }
        if let Some(now) = self.session.now() {
            // Only those whom this very run has seen still unconfirmed: their link no longer works.
            let before = (now - TimeDelta::days(LINK_DAYS)).timestamp();
            self.ledger
                .forget_expired_pending(list, self.wanted.run, before)?;
        }
        Ok(())
    }

    async fn check_one(&mut self, id: i64) -> Result<()> {
        let path = format!("{}/{id}", self.wanted.subscribers_path(self.list));
        let read = |body: Vec<u8>| {
            let text = utf8(body);
            match Entry::parse(&text) {
                Some(entry) if entry.key.id == id => Ok((text, entry)),
                _ => Err("it is not the subscriber asked for".to_owned()),
            }
        };
        match self.session.get(&path, read).await {
            Err(error) if self.session.is_path_refused() => self.leave_pending(id, &error),
            Err(error) => Err(error),
            Ok(Found::There((text, entry))) => {
                self.take_subscribers([Subscriber::new(&text, &entry)].into_iter(), None)
                    .await
            }
            // Pending rows drop off after some 30 days: no error.
            Ok(Found::NotThere) => self.ledger.resolve_pending(self.list.this.id, id, None),
        }
    }

    /// A 401 for one subscriber says nothing about the others: it stays pending, and expires as if seen unconfirmed.
    fn leave_pending(&mut self, subscriber: i64, error: &Error) -> Result<()> {
        let (list, named) = (self.list.this.id, &self.list.this);
        if !self.has_warned_of_refusal {
            tracing::warn!(
                event = "pending_refused",
                list,
                subscriber,
                "{named}: cannot ask whether a pending subscriber has confirmed: {error}"
            );
        }
        self.has_warned_of_refusal = true;
        self.ledger.touch_pending(self.sighting(subscriber))
    }
}
