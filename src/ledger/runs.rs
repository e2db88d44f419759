//! Runs, and the few values that the next run needs.

use super::Ledger;
use super::database::Sync;
use crate::error::Result;
use crate::exit::Exit;
use crate::rows::ListRef;
use crate::token::answer::RefreshAnswer;
use chrono::{DateTime, NaiveDate};
use rusqlite::params;
use std::collections::BTreeMap;

/// The number of runs kept: about three years of a daily job.
const RUNS_KEPT: i64 = 1000;

/// The key of the day of the account's first run.
const FIRST_DAY: &str = "first_day";

/// The key of the names of lists, a JSON object by id.
const LIST_NAMES: &str = "list_names";

/// The key of the answer to the latest refresh.
const LAST_REFRESH: &str = "last_refresh";

/// The result of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTotals {
    pub(crate) exit: Exit,
    /// Published rows.
    pub(crate) rows: u64,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Successful token refreshes.
    pub(crate) refreshes: u64,
}

impl Ledger {
    /// Records and commits the start of a run; returns its number. A power cut may undo it, which saves one sync.
    pub(crate) fn begin_run(&mut self, now: i64) -> Result<i64> {
        self.set_sync(Sync::UntilPowerCut)?;
        self.change("INSERT INTO run (began_at) VALUES (?1)", [now])?;
        let id = self.connection.last_insert_rowid();
        self.change("DELETE FROM run WHERE id <= ?1", [id - RUNS_KEPT])?;
        self.commit()?;
        self.set_sync(Sync::Durable)?;
        Ok(id)
    }

    /// Records the end of a run.
    pub(crate) fn end_run(
        &mut self,
        run: i64,
        now: i64,
        totals: RunTotals,
        message: Option<&str>,
    ) -> Result<()> {
        self.change(
            "UPDATE run SET ended_at = ?2, exit_code = ?3, rows = ?4, requests = ?5, refreshes = ?6, message = ?7 WHERE id = ?1",
            params![
                run,
                now,
                totals.exit.code(),
                totals.rows as i64,
                totals.requests as i64,
                totals.refreshes as i64,
                message
            ],
        )
    }

    /// The latest time known from AWeber's clock, Unix seconds.
    pub(crate) fn aweber_time(&self) -> Result<Option<i64>> {
        Ok(self.meta("aweber_time")?.and_then(|text| text.parse().ok()))
    }

    /// Stores it for the next run.
    pub(crate) fn set_aweber_time(&mut self, seconds: i64) -> Result<()> {
        self.set_meta("aweber_time", &seconds.to_string())
    }

    /// How the latest refresh of a run was answered.
    pub(crate) fn last_refresh(&self) -> Result<Option<RefreshAnswer>> {
        let text = self.meta(LAST_REFRESH)?.unwrap_or_default();
        Ok(text.split_once(' ').and_then(|(token, life)| {
            Some(RefreshAnswer {
                is_new_token: token == "new",
                expires_in: life.parse().ok()?,
            })
        }))
    }

    /// Stores it for `check`.
    pub(crate) fn set_last_refresh(&mut self, answer: RefreshAnswer) -> Result<()> {
        let token = if answer.is_new_token { "new" } else { "same" };
        self.set_meta(LAST_REFRESH, &format!("{token} {}", answer.expires_in))
    }

    /// The day of the account's first run; remembers `today` if that is `run`.
    pub(crate) fn first_day(&mut self, run: i64, today: NaiveDate) -> Result<NaiveDate> {
        if let Some(day) = self.meta(FIRST_DAY)?.and_then(|text| text.parse().ok()) {
            return Ok(day);
        }
        // An earlier run may have ended before it knew AWeber's day.
        let earlier: Option<i64> = self.first(
            "SELECT began_at FROM run WHERE id < ?1 ORDER BY id LIMIT 1",
            [run],
            |row| row.get(0),
        )?;
        let earlier = earlier
            .and_then(|at| DateTime::from_timestamp(at, 0))
            .map(|at| at.date_naive());
        let day = earlier.map_or(today, |earlier| earlier.min(today));
        self.set_meta(FIRST_DAY, &day.to_string())?;
        Ok(day)
    }

    /// The names of lists when a run last read them.
    pub(crate) fn list_names(&self) -> Result<BTreeMap<i64, String>> {
        let text = self.meta(LIST_NAMES)?.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Stores the names of these lists for `status`; those of others are kept.
    pub(crate) fn set_list_names(&mut self, lists: &[ListRef]) -> Result<()> {
        let before = self.list_names()?;
        let mut names = before.clone();
        names.extend(lists.iter().map(|list| (list.id, list.name.clone())));
        if names == before {
            return Ok(());
        }
        let text = serde_json::json!(names).to_string();
        self.set_meta(LIST_NAMES, &text)
    }

    /// Whether any run has queried a list.
    pub(crate) fn knows_lists(&self) -> Result<bool> {
        self.exists("SELECT 1 FROM feed", [])
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
    }

    pub(super) fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        self.change(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            [key, value],
        )
    }
}
