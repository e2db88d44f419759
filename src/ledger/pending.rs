//! In the ledger: how far each list is, which subscriptions were exported, and who is pending.

use super::{Ledger, failed};
use crate::error::Result;
use crate::subscriber::{RowKey, SubscribedAt};
use rusqlite::params;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// How far a list is. Kept as JSON, so that users can read it and later versions can add to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The day (`YYYY-MM-DD`, UTC) that the first export began with; none: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// The statuses that everything was exported of; none: the first export is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statuses: Option<Vec<String>>,
    /// The newest subscribed_at seen, capped by AWeber's clock, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<i64>,
    /// A walk through everything that is not at its end yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) walk: Option<SavedWalk>,
}

/// Where a walk through everything stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedWalk {
    /// The statuses walked for.
    pub(crate) statuses: Vec<String>,
    /// The row to go on with.
    pub(crate) start: u64,
    /// Rows seen so far.
    pub(crate) seen: u64,
    /// The last rows seen: id, and Unix seconds or text.
    pub(crate) keys: Vec<(i64, SavedTime)>,
    /// The newest subscribed_at seen so far, Unix seconds.
    pub(crate) newest: Option<i64>,
    /// AWeber's time then, Unix seconds.
    pub(crate) at: Option<i64>,
}

/// [`SubscribedAt`] in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SavedTime {
    /// Unix seconds.
    Instant(i64),
    /// As it came.
    Text(String),
}

impl SavedWalk {
    /// The keys as a walk takes them.
    pub(crate) fn row_keys(&self) -> Vec<RowKey> {
        self.keys
            .iter()
            .map(|(id, at)| RowKey {
                id: *id,
                subscribed_at: match at {
                    SavedTime::Instant(seconds) => SubscribedAt::Instant(*seconds),
                    SavedTime::Text(text) => SubscribedAt::Text(text.as_str().into()),
                },
            })
            .collect()
    }

    /// Keys as they are saved.
    pub(crate) fn keep<'a>(keys: impl Iterator<Item = &'a RowKey>) -> Vec<(i64, SavedTime)> {
        keys.map(|key| {
            let at = match &key.subscribed_at {
                SubscribedAt::Instant(seconds) => SavedTime::Instant(*seconds),
                SubscribedAt::Text(text) => SavedTime::Text(text.to_string()),
            };
            (key.id, at)
        })
        .collect()
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
    /// How far `list` is; the default for one never seen.
    pub(crate) fn progress(&self, list: i64) -> Result<Progress> {
        let json: Option<String> =
            self.first("SELECT progress FROM list WHERE id = ?1", [list], |row| {
                row.get(0)
            })?;
        match json {
            None => Ok(Progress::default()),
            Some(json) => serde_json::from_str(&json)
                .map_err(|e| super::damaged(self.path(), &format!("progress of list {list}: {e}"))),
        }
    }

    /// Notes how far `list` is. With a batch under way the state without it is kept beside, should it become void.
    pub(crate) fn set_progress(
        &mut self,
        list: i64,
        progress: &Progress,
        batch_open: bool,
    ) -> Result<()> {
        let json = serde_json::to_string(progress).unwrap_or_default();
        if batch_open {
            // A list first met with a batch open has no settled state but the beginning.
            self.change(
                "INSERT INTO list (id, progress, settled) VALUES (?1, ?2, '{}')
                 ON CONFLICT (id) DO UPDATE SET progress = ?2 WHERE progress != ?2",
                params![list, json],
            )?;
        } else {
            self.change(
                "INSERT INTO list (id, progress, settled) VALUES (?1, ?2, ?2)
                 ON CONFLICT (id) DO UPDATE SET progress = ?2, settled = ?2 WHERE progress != ?2 OR settled != ?2",
                params![list, json],
            )?;
        }
        Ok(())
    }

    /// Whether that subscription was exported already.
    pub(crate) fn is_exported(&self, list: i64, key: &RowKey) -> Result<bool> {
        let sql =
            "SELECT 1 FROM subscription WHERE list = ?1 AND subscriber = ?2 AND subscribed_at = ?3";
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.exists(params![list, key.id, key.subscribed_at]))
            .map_err(|e| failed(self.path(), &e))
    }

    /// Notes subscriptions as exported by `batch`; says of each whether it was new.
    pub(crate) fn export<'a>(
        &mut self,
        list: i64,
        keys: impl Iterator<Item = &'a RowKey>,
        batch: i64,
    ) -> Result<Vec<bool>> {
        let sql = "INSERT OR IGNORE INTO subscription (list, subscriber, subscribed_at, batch) VALUES (?1, ?2, ?3, ?4)";
        self.begin()?;
        // One statement for all of them: looking it up again for each costs as much as the insertion.
        let note = || -> rusqlite::Result<Vec<bool>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            keys.map(|key| {
                let changed = statement.execute(params![list, key.id, key.subscribed_at, batch])?;
                Ok(changed == 1)
            })
            .collect()
        };
        note().map_err(|e| failed(self.path(), &e))
    }

    /// Remembers that run `run` saw somebody unconfirmed. Where subscribed_at says no instant, the time of the first
    /// sight (`now`) stands for it. All times in Unix seconds.
    pub(crate) fn note_pending(
        &mut self,
        list: i64,
        subscriber: i64,
        subscribed_at: Option<i64>,
        now: i64,
        run: i64,
    ) -> Result<()> {
        self.change(
            "INSERT INTO pending (list, subscriber, subscribed_at, checked) VALUES (?1, ?2, coalesce(?3, ?4), ?5)
             ON CONFLICT (list, subscriber) DO UPDATE
             SET subscribed_at = coalesce(?3, subscribed_at), checked = ?5, resolved_by = NULL",
            params![list, subscriber, subscribed_at, now, run],
        )?;
        Ok(())
    }

    /// Somebody was seen with another status: no longer pending. With a batch under way for good only once that is
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
                params![list, subscriber, batch],
            )?,
            None => self.change(
                "DELETE FROM pending WHERE list = ?1 AND subscriber = ?2",
                params![list, subscriber],
            )?,
        };
        Ok(())
    }

    /// Whether anybody is pending on `list`.
    pub(crate) fn has_pending(&self, list: i64) -> Result<bool> {
        let row = self.first(
            "SELECT 1 FROM pending WHERE list = ?1 AND resolved_by IS NULL LIMIT 1",
            [list],
            |_| Ok(()),
        )?;
        Ok(row.is_some())
    }

    /// Of those pending whom run `run` has not seen: how many, and the oldest subscribed_at (none if any is unknown).
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

    /// Up to `n` ids of those whom run `run` has not seen, above `after`, in order.
    pub(crate) fn unchecked_ids(
        &self,
        list: i64,
        run: i64,
        after: i64,
        n: u32,
    ) -> Result<Vec<i64>> {
        self.rows(
            "SELECT subscriber FROM pending
             WHERE list = ?1 AND checked != ?2 AND resolved_by IS NULL AND subscriber > ?3 ORDER BY subscriber LIMIT ?4",
            params![list, run, after, n],
            |row| row.get(0),
        )
    }

    /// Forgets whom run `run` has seen still unconfirmed although the confirmation link has long expired.
    pub(crate) fn forget_expired_pending(
        &mut self,
        list: i64,
        run: i64,
        before: i64,
    ) -> Result<usize> {
        self.change(
            "DELETE FROM pending WHERE list = ?1 AND checked = ?2 AND subscribed_at < ?3 AND resolved_by IS NULL",
            params![list, run, before],
        )
    }

    /// Forgets everybody pending on `list`: unconfirmed is itself exported now. With a batch under way for good only
    /// once that is published.
    pub(crate) fn forget_pending(&mut self, list: i64, batch: Option<i64>) -> Result<()> {
        match batch {
            Some(batch) => self.change(
                "UPDATE pending SET resolved_by = ?2 WHERE list = ?1",
                [list, batch],
            )?,
            None => self.change("DELETE FROM pending WHERE list = ?1", [list])?,
        };
        Ok(())
    }

    /// Run `run` has seen somebody pending, if he is.
    pub(crate) fn touch_pending(&mut self, list: i64, subscriber: i64, run: i64) -> Result<()> {
        self.change(
            "UPDATE pending SET checked = ?3 WHERE list = ?1 AND subscriber = ?2",
            [list, subscriber, run],
        )?;
        Ok(())
    }
}
