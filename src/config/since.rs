//! `--since`: the first day to export or to forget.

use crate::error::{Error, Kind, Result};
use crate::timestamp;
use chrono::NaiveDate;

/// `run --since`: a day, or today by AWeber's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since {
    /// Everything.
    Beginning,
    /// The current day at the time of the run.
    Today,
    /// A fixed day.
    Day(NaiveDate),
}

impl Since {
    /// Parses the option. Errors: 2 if it is neither a day nor `today`.
    pub(super) fn parse(text: Option<&str>) -> Result<Since> {
        match text.map(str::trim) {
            None => Ok(Since::Beginning),
            Some("today") => Ok(Since::Today),
            Some(text) => day(text, "write it as 2026-11-22, or today").map(Since::Day),
        }
    }

    /// The first day to export, `None` for everything.
    pub(crate) fn day(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Since::Beginning => None,
            Since::Today => Some(today),
            Since::Day(day) => Some(day),
        }
    }
}

/// `forget --since`: a day. Errors: 2 if it is not one.
pub(super) fn parse_day(text: &str) -> Result<NaiveDate> {
    day(text.trim(), "write it as 2026-11-22")
}

fn day(text: &str, next: &str) -> Result<NaiveDate> {
    timestamp::day(text)
        .ok_or_else(|| Error::new(Kind::Usage, format!("--since {text}: not a day")).next(next))
}
