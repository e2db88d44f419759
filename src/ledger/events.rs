//! Events: what is exported exactly once. The only kind so far is a subscription; another kind is one more table or
//! column here, and its constructor.

use super::Ledger;
use super::errors::failed;
use crate::error::Result;
use crate::subscriber::{RowKey, SubscribedAt};
use crate::timestamp;
use rusqlite::params;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// A subscriber subscribed to a list at a time. AWeber keeps the id of a subscriber who leaves and returns, so the time
/// is part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    list: i64,
    subscriber: i64,
    at: &'a SubscribedAt,
}

impl<'a> Event<'a> {
    /// The subscription to `list` that a row with this key describes.
    pub(crate) fn subscribed(list: i64, key: &'a RowKey) -> Event<'a> {
        Event {
            list,
            subscriber: key.id,
            at: &key.subscribed_at,
        }
    }
}

impl ToSql for SubscribedAt {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SubscribedAt::Instant(seconds) => (*seconds).into(),
            SubscribedAt::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Ledger {
    /// Whether the event was already exported.
    pub(crate) fn is_exported(&self, event: Event<'_>) -> Result<bool> {
        self.exists(
            "SELECT 1 FROM subscription WHERE list = ?1 AND subscriber = ?2 AND subscribed_at = ?3",
            params![event.list, event.subscriber, event.at],
        )
    }

    /// Records events as exported by `batch`; returns for each whether it was new.
    pub(crate) fn export<'a>(
        &mut self,
        events: impl Iterator<Item = Event<'a>>,
        batch: i64,
    ) -> Result<Vec<bool>> {
        let sql = "INSERT OR IGNORE INTO subscription (list, subscriber, subscribed_at, batch) VALUES (?1, ?2, ?3, ?4)";
        self.begin()?;
        // One statement for all of them: looking it up in the cache for each row costs as much as the insertion.
        let insert = || -> rusqlite::Result<Vec<bool>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            events
                .map(|event| {
                    let row = params![event.list, event.subscriber, event.at, batch];
                    Ok(statement.execute(row)? == 1)
                })
                .collect()
        };
        insert().map_err(|e| failed(self.path(), &e))
    }

    /// Deletes the events that `batch` exported.
    pub(super) fn delete_events_of(&mut self, batch: i64) -> Result<()> {
        self.change("DELETE FROM subscription WHERE batch = ?1", [batch])?;
        Ok(())
    }

    /// Deletes the events of `list`: all, or those at or after `since` (Unix seconds); returns their number. A time
    /// without an offset is read in the latest zone of the world.
    pub(super) fn delete_events(&mut self, list: i64, since: Option<i64>) -> Result<usize> {
        let Some(since) = since else {
            return self.change("DELETE FROM subscription WHERE list = ?1", [list]);
        };
        let mut deleted = self.change(
            "DELETE FROM subscription
             WHERE list = ?1 AND typeof(subscribed_at) = 'integer' AND subscribed_at >= ?2",
            [list, since],
        )?;
        let texts: Vec<String> = self.rows(
            "SELECT DISTINCT subscribed_at FROM subscription WHERE list = ?1 AND typeof(subscribed_at) = 'text'",
            [list],
            |row| row.get(0),
        )?;
        for text in texts {
            if timestamp::latest(&text).is_some_and(|at| at.timestamp() >= since) {
                deleted += self.change(
                    "DELETE FROM subscription WHERE list = ?1 AND subscribed_at = ?2",
                    rusqlite::params![list, text],
                )?;
            }
        }
        Ok(deleted)
    }
}
