//! Events: what is exported exactly once. A table for each feed: subscriptions and unsubscriptions.

use super::Ledger;
use super::errors::failed;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use crate::subscriber::{EventTime, RowKey, Subscriber};
use crate::timestamp;
use rusqlite::params;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// A subscriber came onto a list or left it, at a time. AWeber keeps the id of a subscriber who leaves and returns, so the
/// time is part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    list: i64,
    feed: Feed,
    subscriber: i64,
    at: &'a EventTime,
}

impl<'a> Event<'a> {
    /// The event that a row with this key describes.
    pub(crate) fn new(list: i64, feed: Feed, key: &'a RowKey) -> Event<'a> {
        Event {
            list,
            feed,
            subscriber: key.id,
            at: &key.at,
        }
    }
}

/// The table with the events of a feed, and its column with their time.
pub(super) fn table(feed: Feed) -> (&'static str, &'static str) {
    match feed {
        Feed::Arrivals => ("subscription", "subscribed_at"),
        Feed::Departures => ("unsubscription", "unsubscribed_at"),
    }
}

impl ToSql for EventTime {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            EventTime::Instant(seconds) => (*seconds).into(),
            EventTime::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Ledger {
    /// Whether the event was already exported.
    pub(crate) fn is_exported(&self, event: Event<'_>) -> Result<bool> {
        let (table, time) = table(event.feed);
        self.exists(
            &format!("SELECT 1 FROM {table} WHERE list = ?1 AND subscriber = ?2 AND {time} = ?3"),
            params![event.list, event.subscriber, event.at],
        )
    }

    /// Whether version 1 has exported this departure. It recorded subscriptions only, whatever the status: a departure
    /// from before the batch with that row was in it as one, if the list was exported with departures. A person who left
    /// later was exported as subscribed. In doubt, as with a clock that was ahead, the departure counts as not exported:
    /// a repeated row is better than a lost one.
    pub(crate) fn is_departure_of_version_1(
        &self,
        list: i64,
        subscriber: Subscriber<'_>,
    ) -> Result<bool> {
        let exported_at: Option<i64> = self.first(
            "SELECT min(named_at, coalesce(published_at, named_at), coalesce(aweber_time, named_at))
             FROM version_1 JOIN subscription USING (list) JOIN batch ON batch.id = batch
             WHERE list = ?1 AND subscriber = ?2 AND subscribed_at = ?3 AND batch.id <= last_batch",
            params![list, subscriber.id(), subscriber.subscribed_at()],
            |row| row.get(0),
        )?;
        Ok(match (exported_at, subscriber.unsubscribed_at()) {
            (None, _) => false,
            // Never left, as far as AWeber says: it was unsubscribed from the first.
            (Some(_), None) => true,
            (Some(exported_at), Some(left)) => left.latest().is_some_and(|left| left < exported_at),
        })
    }

    /// Whether this departure was exported when AWeber had not sent its time, and is known by that of the subscription.
    pub(crate) fn is_departure_without_time(
        &self,
        list: i64,
        subscriber: Subscriber<'_>,
    ) -> Result<bool> {
        let came = subscriber.subscribed_at();
        // A departure in the second of the subscription has the same key with its time.
        if subscriber.unsubscribed_at().is_none_or(|left| left == came) {
            return Ok(false);
        }
        let key = RowKey {
            id: subscriber.id(),
            at: came,
        };
        self.is_exported(Event::new(list, Feed::Departures, &key))
    }

    /// Records events of one feed as exported by `batch`; returns for each whether it was new.
    pub(crate) fn export<'a>(
        &mut self,
        feed: Feed,
        events: impl Iterator<Item = Event<'a>>,
        batch: i64,
    ) -> Result<Vec<bool>> {
        let (table, time) = table(feed);
        let sql = format!(
            "INSERT OR IGNORE INTO {table} (list, subscriber, {time}, batch) VALUES (?1, ?2, ?3, ?4)"
        );
        self.begin()?;
        // One statement for all of them: looking it up in the cache for each row costs as much as the insertion.
        let insert = || -> rusqlite::Result<Vec<bool>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            events
                .map(|event| {
                    let row = params![event.list, event.subscriber, event.at, batch];
                    Ok(statement.execute(row)? == 1)
                })
                .collect()
        };
        insert().map_err(|e| failed(self.path(), &e))
    }

    /// Whether any event of a feed was exported.
    pub(super) fn has_events(&self, list: i64, feed: Feed) -> Result<bool> {
        let (table, _) = table(feed);
        self.exists(&format!("SELECT 1 FROM {table} WHERE list = ?1"), [list])
    }

    /// Deletes the events that `batch` exported.
    pub(super) fn delete_events_of(&mut self, batch: i64) -> Result<()> {
        for feed in Feed::ALL {
            let (table, _) = table(feed);
            self.change(&format!("DELETE FROM {table} WHERE batch = ?1"), [batch])?;
        }
        Ok(())
    }

    /// Deletes the events of a feed: all, or those at or after `since` (Unix seconds); returns their number. A time
    /// without an offset is read in the latest zone of the world.
    pub(super) fn delete_events(
        &mut self,
        list: i64,
        feed: Feed,
        since: Option<i64>,
    ) -> Result<usize> {
        let (table, time) = table(feed);
        let Some(since) = since else {
            return self.count_changes(&format!("DELETE FROM {table} WHERE list = ?1"), [list]);
        };
        let mut deleted = self.count_changes(
            &format!(
                "DELETE FROM {table} WHERE list = ?1 AND typeof({time}) = 'integer' AND {time} >= ?2"
            ),
            [list, since],
        )?;
        let texts: Vec<String> = self.rows(
            &format!(
                "SELECT DISTINCT {time} FROM {table} WHERE list = ?1 AND typeof({time}) = 'text'"
            ),
            [list],
            |row| row.get(0),
        )?;
        for text in texts {
            if timestamp::latest(&text).is_some_and(|at| at.timestamp() >= since) {
                deleted += self.count_changes(
                    &format!("DELETE FROM {table} WHERE list = ?1 AND {time} = ?2"),
                    params![list, text],
                )?;
            }
        }
        Ok(deleted)
    }
}
