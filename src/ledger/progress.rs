//! How far each feed of each list has come, kept twice: including the unfinished batch, and as settled without it.

use super::Ledger;
use super::errors::damaged;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use crate::subscriber::{RowKey, Status};
use chrono::NaiveDate;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The progress of one feed of a list. Stored as JSON, so that users can read it and later versions can add fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The first day (UTC) of the first export; `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<NaiveDate>,
    /// The statuses that were exported completely; `None`: the first export is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statuses: Option<Vec<Status>>,
    /// The newest event seen, capped by AWeber's clock, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<i64>,
    /// An unfinished walk through the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) walk: Option<SavedWalk>,
    /// Rows of the list were lost with a batch or are no longer waited for: the next export reads the whole list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
    /// AWeber has confirmed that there was nothing since the mark, not even the row that it came from: the next answer
    /// without rows is believed at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) quiet: bool,
}

impl Progress {
    /// Whether all that have one of the `wanted` statuses were exported once: then only recent ones are left to query.
    pub(crate) fn is_complete(&self, wanted: &[Status]) -> bool {
        let done = self.statuses.as_deref().unwrap_or_default();
        !self.again && self.statuses.is_some() && wanted.iter().all(|status| done.contains(status))
    }
}

/// Where a walk through a whole list stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedWalk {
    /// The statuses walked for.
    pub(crate) statuses: Vec<Status>,
    /// The row to continue with.
    pub(crate) start: u64,
    /// Rows seen so far.
    pub(crate) seen: u64,
    /// The last rows seen.
    pub(crate) keys: Vec<RowKey>,
    /// The newest event seen so far, Unix seconds.
    pub(crate) newest: Option<i64>,
    /// AWeber's time when it began, Unix seconds; `None`: version 1 wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began: Option<i64>,
    /// What it left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<LeftOut>,
}

/// Rows without an id, which cannot be exported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// The first of them, for people.
    pub(crate) rows: Vec<String>,
    /// No later than the oldest of them, Unix seconds; `None`: unknown.
    pub(crate) mark: Option<i64>,
}

/// The progress of every feed, read at once: with many lists, a query for each costs more than the whole table.
#[derive(Debug)]
pub(crate) struct Feeds {
    /// Of the ledger.
    path: PathBuf,
    json: HashMap<(i64, Feed), String>,
}

impl Feeds {
    /// As [`Ledger::progress`].
    pub(crate) fn progress(&self, list: i64, feed: Feed) -> Result<Progress> {
        match self.json.get(&(list, feed)) {
            None => Ok(Progress::default()),
            Some(json) => read(json, list, &self.path),
        }
    }

    /// The day that a list begins with, as remembered for either feed.
    pub(crate) fn since(&self, list: i64) -> Result<Option<NaiveDate>> {
        let arrivals = self.progress(list, Feed::Arrivals)?.since;
        Ok(arrivals.or(self.progress(list, Feed::Departures)?.since))
    }
}

fn read(json: &str, list: i64, ledger: &Path) -> Result<Progress> {
    serde_json::from_str(json)
        .map_err(|e| damaged(ledger, &format!("progress of list {list}: {e}")))
}

impl Ledger {
    /// The progress of every feed.
    pub(crate) fn feeds(&self) -> Result<Feeds> {
        let rows = self.rows("SELECT list, kind, progress FROM feed", [], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
        })?;
        let known = rows.into_iter().filter_map(|(list, word, json)| {
            let feed = Feed::from_word(&word)?;
            Some(((list, feed), json))
        });
        Ok(Feeds {
            path: self.path().to_owned(),
            json: known.collect(),
        })
    }

    /// The progress of a feed; the default for an unknown one.
    pub(crate) fn progress(&self, list: i64, feed: Feed) -> Result<Progress> {
        let json: Option<String> = self.first(
            "SELECT progress FROM feed WHERE list = ?1 AND kind = ?2",
            params![list, feed.word()],
            |row| row.get(0),
        )?;
        match json {
            None => Ok(Progress::default()),
            Some(json) => read(&json, list, self.path()),
        }
    }

    /// Records the progress of a feed. While a batch is open the settled progress stays as it was, in case the batch
    /// becomes void.
    pub(crate) fn set_progress(
        &mut self,
        list: i64,
        feed: Feed,
        progress: &Progress,
        batch_open: bool,
    ) -> Result<()> {
        let json = serde_json::to_string(progress).unwrap_or_default();
        let sql = if batch_open {
            // The settled progress of a feed first seen while a batch is open is the default one.
            "INSERT INTO feed (list, kind, progress, settled) VALUES (?1, ?2, ?3, '{}')
             ON CONFLICT (list, kind) DO UPDATE SET progress = ?3 WHERE progress != ?3"
        } else {
            "INSERT INTO feed (list, kind, progress, settled) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (list, kind) DO UPDATE SET progress = ?3, settled = ?3 WHERE progress != ?3 OR settled != ?3"
        };
        self.change(sql, params![list, feed.word(), json])
    }

    /// Whether any run has queried the list.
    pub(crate) fn knows_list(&self, list: i64) -> Result<bool> {
        self.exists("SELECT 1 FROM feed WHERE list = ?1", [list])
    }

    /// Whether a run has begun to export the feed, and its list was not forgotten since then.
    pub(crate) fn has_begun(&self, list: i64, feed: Feed) -> Result<bool> {
        Ok(self.progress(list, feed)? != Progress::default() || self.has_events(list, feed)?)
    }

    /// Records the first day to export of a feed that is not known yet, or whose list was forgotten.
    pub(crate) fn begin_feed(
        &mut self,
        list: i64,
        feed: Feed,
        since: Option<NaiveDate>,
    ) -> Result<()> {
        if self.has_begun(list, feed)? {
            return Ok(());
        }
        let progress = Progress {
            since,
            ..Progress::default()
        };
        self.set_progress(list, feed, &progress, false)
    }

    /// Settles the progress of all feeds.
    pub(super) fn settle_progress(&mut self) -> Result<()> {
        self.change(
            "UPDATE feed SET settled = progress WHERE settled != progress",
            [],
        )
    }

    /// Records that the next export of a feed reads it as a whole, from the first row on.
    pub(super) fn read_again(&mut self, list: i64, feed: Feed) -> Result<()> {
        self.change(
            "UPDATE feed SET progress = json_set(json_remove(progress, '$.walk'), '$.again', json('true')),
                             settled = json_set(json_remove(settled, '$.walk'), '$.again', json('true'))
             WHERE list = ?1 AND kind = ?2",
            params![list, feed.word()],
        )
    }

    /// Returns all feeds to their settled progress.
    pub(super) fn restore_progress(&mut self) -> Result<()> {
        self.change(
            "UPDATE feed SET progress = settled WHERE settled != progress",
            [],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriber::EventTime;

    #[test]
    fn progress_keeps_its_json() {
        let json = r#"{"since":"2026-11-01","statuses":["subscribed","unsubscribed"],"mark":1763800000,"walk":{"statuses":["subscribed"],"start":300,"seen":298,"keys":[[7,1763800000],[8,"2025-11-21T10:56:38"],[9,""]],"newest":null},"again":true}"#;
        let progress: Progress = serde_json::from_str(json).unwrap();
        let keys = &progress.walk.as_ref().unwrap().keys;
        assert_eq!(keys[0].at, EventTime::Instant(1_763_800_000));
        assert_eq!(keys[2].at, EventTime::Text("".into()));
        assert_eq!(serde_json::to_string(&progress).unwrap(), json);
        assert_eq!(serde_json::to_string(&Progress::default()).unwrap(), "{}");
    }
}
