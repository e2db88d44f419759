//! What `status` and the metrics show.

use super::Ledger;
use super::batches::IS_UNFINISHED;
use super::outputs::to_path;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use chrono::NaiveDate;
use rusqlite::params;
use std::collections::HashMap;
use std::path::PathBuf;

/// A run as recorded. Times in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PastRun {
    pub(crate) began_at: i64,
    /// `None`: running, or killed.
    pub(crate) ended_at: Option<i64>,
    pub(crate) exit_code: Option<u8>,
    pub(crate) rows: u64,
    pub(crate) requests: u64,
    pub(crate) message: Option<String>,
}

/// The history of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListHistory {
    pub(crate) id: i64,
    /// `None`: no run has ended since it was met.
    pub(crate) name: Option<String>,
    /// The first day of its export.
    pub(crate) since: Option<NaiveDate>,
    pub(crate) arrivals: FeedHistory,
    /// `None`: never wanted.
    pub(crate) departures: Option<FeedHistory>,
    /// Pending subscribers.
    pub(crate) pending: u64,
}

/// The history of one feed of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedHistory {
    /// Rows published by all runs.
    pub(crate) rows: u64,
    /// Rows published on each of the last days, oldest first.
    pub(crate) days: Vec<u64>,
    /// Whether its first export is complete.
    pub(crate) complete: bool,
}

impl ListHistory {
    /// Rows of both feeds.
    pub(crate) fn rows(&self) -> u64 {
        self.arrivals.rows + self.departures.as_ref().map_or(0, |feed| feed.rows)
    }

    /// Rows of both feeds on each of the last days, oldest first.
    pub(crate) fn days(&self) -> Vec<u64> {
        let arrivals = self.arrivals.days.iter();
        match &self.departures {
            None => arrivals.copied().collect(),
            Some(feed) => arrivals.zip(&feed.days).map(|(a, b)| a + b).collect(),
        }
    }

    /// Whether the first export of each wanted feed is complete.
    pub(crate) fn is_complete(&self) -> bool {
        let departures = self.departures.as_ref();
        self.arrivals.complete && departures.is_none_or(|feed| feed.complete)
    }
}

impl Ledger {
    /// The last `n` runs, newest first.
    pub(crate) fn past_runs(&self, n: u32) -> Result<Vec<PastRun>> {
        self.rows(
            "SELECT began_at, ended_at, exit_code, rows, requests, message FROM run ORDER BY id DESC LIMIT ?1",
            [n],
            |row| {
                Ok(PastRun {
                    began_at: row.get(0)?,
                    ended_at: row.get(1)?,
                    exit_code: row.get(2)?,
                    rows: row.get::<_, i64>(3)? as u64,
                    requests: row.get::<_, i64>(4)? as u64,
                    message: row.get(5)?,
                })
            },
        )
    }

    /// The end of the last run with exit code 0, Unix seconds.
    pub(crate) fn last_success(&self) -> Result<Option<i64>> {
        self.first(
            "SELECT ended_at FROM run WHERE exit_code = 0 ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .map(Option::flatten)
    }

    /// The rows and the target of the unfinished batch, if any, whatever its format is.
    pub(crate) fn waiting_batch(&self) -> Result<Option<(u64, PathBuf)>> {
        self.first(
            &format!("SELECT rows, target FROM batch WHERE {IS_UNFINISHED}"),
            [],
            |row| Ok((row.get::<_, i64>(0)? as u64, to_path(row.get(1)?))),
        )
    }

    /// Every known list, with the rows of each of the `days` days up to `now` (Unix seconds).
    pub(crate) fn list_histories(&self, now: i64, days: usize) -> Result<Vec<ListHistory>> {
        let lists = self.rows(
            "SELECT list, (SELECT count(*) FROM pending WHERE pending.list = feed.list)
             FROM feed GROUP BY list ORDER BY list",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64)),
        )?;
        let mut names = self.list_names()?;
        let progress = self.feeds()?;
        let mut feeds = self.feed_histories(days)?;
        self.count_days(&mut feeds, now, days)?;
        let mut take = |list, feed: Feed| feeds.remove(&(list, feed.word().to_owned()));
        let histories = lists.into_iter().map(|(id, pending)| {
            Ok(ListHistory {
                id,
                name: names.remove(&id),
                since: progress.since(id)?,
                arrivals: take(id, Feed::Arrivals).unwrap_or_else(|| FeedHistory {
                    rows: 0,
                    days: vec![0; days],
                    // Nothing is missing if nothing was wanted.
                    complete: true,
                }),
                departures: take(id, Feed::Departures),
                pending,
            })
        });
        histories.collect()
    }

    /// The feeds by list and kind, still without their days.
    fn feed_histories(&self, days: usize) -> Result<HashMap<(i64, String), FeedHistory>> {
        let feeds = self.rows(
            // One pass over batch_feed, which has a row for each list of each batch.
            "SELECT feed.list, feed.kind, coalesce(published.rows, 0), json_extract(progress, '$.statuses') IS NOT NULL
             FROM feed LEFT JOIN (SELECT list, batch_feed.kind AS kind, sum(batch_feed.rows) AS rows
                                  FROM batch_feed JOIN batch ON batch.id = batch
                                  WHERE state = 'published' GROUP BY 1, 2) AS published
             ON published.list = feed.list AND published.kind = feed.kind",
            [],
            |row| {
                let history = FeedHistory {
                    rows: row.get::<_, i64>(2)? as u64,
                    days: vec![0; days],
                    complete: row.get(3)?,
                };
                Ok(((row.get(0)?, row.get(1)?), history))
            },
        )?;
        Ok(feeds.into_iter().collect())
    }

    /// Counts the rows of each of the `days` days up to `now` (Unix seconds).
    fn count_days(
        &self,
        feeds: &mut HashMap<(i64, String), FeedHistory>,
        now: i64,
        days: usize,
    ) -> Result<()> {
        let today = now.div_euclid(86_400);
        let oldest = today - days as i64 + 1;
        let counts = self.rows(
            "SELECT list, batch_feed.kind, published_at / 86400, sum(batch_feed.rows)
             FROM batch_feed JOIN batch ON batch.id = batch
             WHERE state = 'published' AND published_at / 86400 BETWEEN ?1 AND ?2 GROUP BY 1, 2, 3",
            [oldest, today],
            |row| {
                Ok((
                    (row.get(0)?, row.get(1)?),
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            },
        )?;
        for (key, day, rows) in counts {
            if let Some(feed) = feeds.get_mut(&key)
                && let Some(count) = feed.days.get_mut((day - oldest) as usize)
            {
                *count = rows as u64;
            }
        }
        Ok(())
    }

    /// The unsubscriptions in the published batches from `batch` on.
    pub(crate) fn published_departures(&self, batch: i64) -> Result<u64> {
        let count = self.first(
            "SELECT coalesce(sum(batch_feed.rows), 0) FROM batch_feed JOIN batch ON batch.id = batch
             WHERE state = 'published' AND batch_feed.kind = ?2 AND batch >= ?1",
            params![batch, Feed::Departures.word()],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(count.unwrap_or(0) as u64)
    }
}
