//! What a row means: to be exported, or for a pending subscriber.

use super::{CatchUp, Wanted, now};
use crate::error::Result;
use crate::ledger::pending::Sighting;
use crate::lists::fetch_custom_fields;
use crate::pages::walk::Rows;
use crate::subscriber::feed::Feed;
use crate::subscriber::{Status, StatusCell, Subscriber};
use crate::timestamp::midnight;

/// What follows from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Export it, unless that was done before.
    Export,
    /// The subscriber may still confirm.
    Pending,
    /// The subscriber is no longer pending.
    NotPending,
    /// Nothing, but a pending subscriber was seen.
    Seen,
    Nothing,
}

/// What a row of the feed means. `asked`: the only status that the query asked for.
fn meaning(feed: Feed, status: StatusCell, asked: Option<Status>, wanted: &[Status]) -> Meaning {
    let status = match (status, asked) {
        (StatusCell::Absent, Some(asked)) => StatusCell::Known(asked),
        (status, _) => status,
    };
    match status {
        StatusCell::Known(status) if wanted.contains(&status) => Meaning::Export,
        // Only the id is sure to be there. Better a row with an empty cell than no row.
        StatusCell::Absent => Meaning::Export,
        // AWeber ignores the filter: the arrivals are another feed.
        _ if feed == Feed::Departures => Meaning::Nothing,
        StatusCell::Known(Status::Unconfirmed) => Meaning::Pending,
        // Left before confirming.
        StatusCell::Known(Status::Unsubscribed) => Meaning::NotPending,
        // Confirmed, but not wanted by this run: a later one that wants it must still find it.
        StatusCell::Known(Status::Subscribed) => Meaning::Seen,
        // A word that we do not know: neither exported nor forgotten.
        StatusCell::Other => Meaning::Seen,
    }
}

impl CatchUp<'_> {
    /// The new rows of a page: export, remember as pending, or ignore.
    pub(super) async fn take(&mut self, rows: &Rows, asked: Option<Status>) -> Result<()> {
        self.check_addresses(rows);
        let subscribers = rows.fresh.iter().map(|i| rows.page.subscriber(*i));
        self.take_subscribers(subscribers, asked).await
    }

    pub(super) async fn take_subscribers<'s>(
        &mut self,
        subscribers: impl Iterator<Item = Subscriber<'s>>,
        asked: Option<Status>,
    ) -> Result<()> {
        let feed = self.wanted.feed;
        let mut wanted = Vec::with_capacity(subscribers.size_hint().0);
        let mut others = Vec::new();
        for subscriber in subscribers {
            let at = &subscriber.key().at;
            self.newest = self.newest.max(at.earliest());
            if self.is_before_since(subscriber) {
                // Not exported whatever the status: no need to ask again.
                others.push(subscriber.id());
                continue;
            }
            match meaning(feed, subscriber.status(), asked, &self.wanted.statuses) {
                Meaning::Export if self.is_known_departure(subscriber)? => {}
                Meaning::Export => wanted.push(subscriber),
                Meaning::Pending => {
                    let now = now(self.session).timestamp();
                    let seen = self.sighting(subscriber.id());
                    self.ledger.note_pending(seen, at.earliest(), now)?;
                }
                Meaning::NotPending => others.push(subscriber.id()),
                Meaning::Nothing => {}
                Meaning::Seen => self.ledger.touch_pending(self.sighting(subscriber.id()))?,
            }
        }
        self.decide_columns(&wanted).await?;
        self.new += self
            .collector
            .offer(self.ledger, &self.list.this, feed, &wanted)?;
        if feed == Feed::Arrivals {
            self.resolve_pending(&wanted, &others)?;
        }
        Ok(())
    }

    /// Asks for the custom fields of the lists, if each is to have a column and a file is about to begin.
    async fn decide_columns(&mut self, rows: &[Subscriber<'_>]) -> Result<()> {
        let (list, feed) = (self.list.this.id, self.wanted.feed);
        if self
            .collector
            .awaits_custom_fields(self.ledger, list, feed, rows)?
        {
            let Wanted { account, lists, .. } = self.wanted;
            let names = fetch_custom_fields(self.session, account, lists).await?;
            self.collector.set_custom_fields(&names);
        }
        Ok(())
    }

    fn resolve_pending(&mut self, exported: &[Subscriber<'_>], others: &[i64]) -> Result<()> {
        let list = self.list.this.id;
        if !self.ledger.has_pending(list)? {
            return Ok(());
        }
        let batch = self.collector.batch();
        for subscriber in exported {
            self.ledger.resolve_pending(list, subscriber.id(), batch)?;
        }
        for id in others {
            // Left before confirming, or before the day that this list begins with.
            self.ledger.resolve_pending(list, *id, None)?;
        }
        Ok(())
    }

    pub(super) fn sighting(&self, subscriber: i64) -> Sighting {
        Sighting {
            list: self.list.this.id,
            subscriber,
            run: self.wanted.run,
        }
    }

    /// Whether the ledger has recorded this departure under another key.
    fn is_known_departure(&self, subscriber: Subscriber<'_>) -> Result<bool> {
        let (ledger, list) = (&self.ledger, self.list.this.id);
        Ok(self.wanted.feed == Feed::Departures
            && (ledger.is_departure_of_version_1(list, subscriber)?
                || ledger.is_departure_without_time(list, subscriber)?))
    }

    /// Whether an event is certainly older than the day that this list begins with.
    fn is_before_since(&self, subscriber: Subscriber<'_>) -> bool {
        let Some(since) = self.progress.since else {
            return false;
        };
        let latest = match self.wanted.feed {
            Feed::Arrivals => subscriber.key().at.latest(),
            // The key of a departure may have the time of the subscription, and an old subscriber can leave today.
            Feed::Departures => subscriber.unsubscribed_at().and_then(|left| left.latest()),
        };
        latest.is_some_and(|at| at < midnight(since))
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning::*;
    use super::*;

    #[test]
    fn a_row_is_exported_pending_or_neither() {
        use Status::{Subscribed, Unconfirmed, Unsubscribed};
        use StatusCell::{Absent, Known, Other};
        let (new, left) = (&[Subscribed][..], &[Unsubscribed][..]);
        for (feed, cell, asked, wanted, expected) in [
            (Feed::Arrivals, Known(Subscribed), None, new, Export),
            (Feed::Arrivals, Known(Unconfirmed), None, new, Pending),
            (Feed::Arrivals, Known(Unsubscribed), None, new, NotPending),
            (
                Feed::Arrivals,
                Known(Subscribed),
                None,
                &[Unconfirmed],
                Seen,
            ),
            (
                Feed::Arrivals,
                Known(Unconfirmed),
                None,
                &[Unconfirmed],
                Export,
            ),
            (Feed::Arrivals, Absent, None, new, Export),
            (Feed::Arrivals, Absent, Some(Unconfirmed), new, Pending),
            (Feed::Arrivals, Other, Some(Subscribed), new, Seen),
            (
                Feed::Departures,
                Known(Unsubscribed),
                Some(Unsubscribed),
                left,
                Export,
            ),
            (Feed::Departures, Absent, Some(Unsubscribed), left, Export),
            (
                Feed::Departures,
                Known(Unconfirmed),
                Some(Unsubscribed),
                left,
                Nothing,
            ),
            (
                Feed::Departures,
                Known(Subscribed),
                Some(Unsubscribed),
                left,
                Nothing,
            ),
            (Feed::Departures, Other, Some(Unsubscribed), left, Nothing),
        ] {
            let found = meaning(feed, cell, asked, wanted);
            assert_eq!(found, expected, "{feed:?} {cell:?} {asked:?} {wanted:?}");
        }
    }
}
