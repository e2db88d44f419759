//! In the ledger: the runs, and the few values that outlive them.

use super::Ledger;
use crate::error::Result;
use crate::exit::Exit;
use rusqlite::params;

/// The runs kept; a daily job fills this in some three years.
const RUNS_KEPT: i64 = 1000;

/// What a run amounted to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTotals {
    /// Its exit code.
    pub(crate) exit: Exit,
    /// Rows published.
    pub(crate) rows: u64,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Refreshes that gave new tokens.
    pub(crate) refreshes: u64,
}

impl Ledger {
    /// Begins a run; says its number. It lasts with the next commit.
    pub(crate) fn begin_run(&mut self, now: i64) -> Result<i64> {
        self.change("INSERT INTO run (began_at) VALUES (?1)", [now])?;
        let id = self.connection.last_insert_rowid();
        self.change("DELETE FROM run WHERE id <= ?1", [id - RUNS_KEPT])?;
        Ok(id)
    }

    /// Ends it.
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
        )?;
        Ok(())
    }

    /// The latest instant known from AWeber's own clock, Unix seconds.
    pub(crate) fn aweber_time(&self) -> Result<Option<i64>> {
        Ok(self.meta("aweber_time")?.and_then(|text| text.parse().ok()))
    }

    /// Keeps it.
    pub(crate) fn set_aweber_time(&mut self, seconds: i64) -> Result<()> {
        self.set_meta("aweber_time", &seconds.to_string())
    }

    fn meta(&self, key: &str) -> Result<Option<String>> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
    }

    fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        self.change(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            [key, value],
        )?;
        Ok(())
    }
}
