//! `--since`: the first day to export or to forget.

use crate::error::{Error, Kind, Result};
use crate::timestamp;
use chrono::{NaiveDate, TimeDelta, Utc};

/// `run --since`: a day, or the day of the account's first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Everything.
    Beginning,
    /// The day of the account's first run, by AWeber's clock.
    Today,
    /// A fixed day.
    Day(NaiveDate),
}

impl Since {
    /// Parses the option. Errors: 2 if it is neither a day nor `today`, or is a day in the future.
    pub(super) fn parse(text: Option<&str>) -> Result<Since> {
        match text.map(str::trim) {
            None => Ok(Since::Beginning),
            Some("today") => Ok(Since::Today),
            Some(text) => past_day(text, "write it as 2026-11-22, or today").map(Since::Day),
        }
    }
}

/// `forget --since`: a day. Errors: 2 if it is not one, or is in the future.
pub(super) fn parse_day(text: &str) -> Result<NaiveDate> {
    past_day(text.trim(), "write it as 2026-11-22")
}

/// The local clock decides, with a day of slack for time zones; `run` checks again by AWeber's.
fn past_day(text: &str, next: &str) -> Result<NaiveDate> {
    let day = timestamp::day(text)
        .ok_or_else(|| Error::new(Kind::Usage, format!("--since {text}: not a day")).next(next))?;
    let tomorrow = Utc::now().date_naive() + TimeDelta::days(1);
    if day > tomorrow {
        return Err(in_the_future(day).safe("nothing was changed and no token was spent"));
    }
    Ok(day)
}

/// 2: a list that begins in the future exports nothing, with exit code 0.
pub(crate) fn in_the_future(day: NaiveDate) -> Error {
    Error::new(
        Kind::Usage,
        format!("--since {day}: that day is in the future"),
    )
    .next("give the day to begin with, for example --since today")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_the_future_is_refused_with_a_day_of_slack() {
        let today = Utc::now().date_naive();
        for (days, accepted) in [
            (-400, true),
            (0, true),
            (1, true),
            (3, false),
            (9000, false),
        ] {
            let day = today + TimeDelta::days(days);
            let text = day.to_string();
            assert_eq!(Since::parse(Some(&text)).is_ok(), accepted, "{text}");
            assert_eq!(parse_day(&text).is_ok(), accepted, "{text}");
        }
        assert_eq!(Since::parse(Some(" today ")).unwrap(), Since::Today);
    }
}
