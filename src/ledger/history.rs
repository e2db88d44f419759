//! What `status` and the metrics show.

use super::Ledger;
use super::batches::IS_UNFINISHED;
use super::outputs::to_path;
use crate::error::Result;
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
    /// Rows published by all runs.
    pub(crate) rows: u64,
    /// Rows published on each of the last days, oldest first.
    pub(crate) days: Vec<u64>,
    /// Pending subscribers.
    pub(crate) pending: u64,
    /// Whether its first export is complete.
    pub(crate) complete: bool,
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
        let mut lists = self.rows(
            "SELECT id, (SELECT coalesce(sum(batch_list.rows), 0) FROM batch_list JOIN batch ON batch.id = batch
                         WHERE batch_list.list = list.id AND state = 'published'),
                    (SELECT count(*) FROM pending WHERE pending.list = list.id),
                    json_extract(progress, '$.statuses') IS NOT NULL
             FROM list ORDER BY id",
            [],
            |row| {
                Ok(ListHistory {
                    id: row.get(0)?,
                    rows: row.get::<_, i64>(1)? as u64,
                    days: vec![0; days],
                    pending: row.get::<_, i64>(2)? as u64,
                    complete: row.get(3)?,
                })
            },
        )?;
        let today = now.div_euclid(86_400);
        let oldest = today - days as i64 + 1;
        let counts = self.rows(
            "SELECT list, published_at / 86400, sum(batch_list.rows) FROM batch_list JOIN batch ON batch.id = batch
             WHERE state = 'published' AND published_at / 86400 BETWEEN ?1 AND ?2 GROUP BY 1, 2",
            [oldest, today],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        )?;
        for (list, day, rows) in counts {
            if let Some(list) = lists.iter_mut().find(|known| known.id == list)
                && let Some(count) = list.days.get_mut((day - oldest) as usize)
            {
                *count = rows as u64;
            }
        }
        Ok(lists)
    }
}
