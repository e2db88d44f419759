//! US Eastern time, which AWeber uses: `subscribed_at` with its offset, `verified_at` without one. Two rules are built
//! in, that of 2007 and the one before; a time zone database is not worth it in test support.

use crate::settings::TimeForm;
use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, Utc, Weekday};

/// `2015-10-13T16:19:20-04:00`; with microseconds when the instant has a fraction.
pub(crate) fn with_offset(instant: DateTime<Utc>) -> String {
    let local = instant.with_timezone(&offset_at(instant));
    if instant.timestamp_subsec_nanos() == 0 {
        local.format("%Y-%m-%dT%H:%M:%S%:z").to_string()
    } else {
        local.format("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
    }
}

/// An instant in one of the forms of a time with an offset.
pub(crate) fn in_form(instant: DateTime<Utc>, form: TimeForm) -> String {
    match form {
        TimeForm::Offset => with_offset(instant),
        TimeForm::Utc => format!("{}Z", utc_wall_clock(instant)),
        TimeForm::NoOffset => wall_clock(instant),
    }
}

/// `2025-11-21T10:56:38`: local time without offset and fraction.
pub(crate) fn wall_clock(instant: DateTime<Utc>) -> String {
    let local = instant.with_timezone(&offset_at(instant));
    local.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The same form in UTC.
pub(crate) fn utc_wall_clock(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn offset_at(instant: DateTime<Utc>) -> FixedOffset {
    let hours = if is_daylight_saving(instant) { -4 } else { -5 };
    FixedOffset::east_opt(hours * 3600).expect("a whole number of hours is a valid offset")
}

/// Clocks change at 2 a.m. local time: 07:00 UTC in spring, 06:00 UTC in autumn.
fn is_daylight_saving(instant: DateTime<Utc>) -> bool {
    let year = instant.year();
    let (first, last) = if year >= 2007 {
        (sunday(year, 3, 8), sunday(year, 11, 1))
    } else {
        (sunday(year, 4, 1), sunday(year, 10, 25))
    };
    let at = |day: NaiveDate, hour| day.and_hms_opt(hour, 0, 0).expect("a whole hour").and_utc();
    instant >= at(first, 7) && instant < at(last, 6)
}

/// The first Sunday on or after a day of the month.
fn sunday(year: i32, month: u32, day: u32) -> NaiveDate {
    let date = NaiveDate::from_ymd_opt(year, month, day).expect("a date of the calendar");
    let ahead = (7 - date.weekday().days_since(Weekday::Sun)) % 7;
    date + Days::new(u64::from(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_follows_the_season() {
        let table = [
            ("2015-10-13T20:19:20Z", "2015-10-13T16:19:20-04:00"),
            (
                "2025-11-21T15:31:53.202963Z",
                "2025-11-21T10:31:53.202963-05:00",
            ),
            ("2026-03-08T06:59:59Z", "2026-03-08T01:59:59-05:00"),
            ("2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"),
            ("2026-11-01T05:59:59Z", "2026-11-01T01:59:59-04:00"),
            ("2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00"),
            ("2006-10-29T06:00:00Z", "2006-10-29T01:00:00-05:00"),
            ("2006-04-02T07:00:00Z", "2006-04-02T03:00:00-04:00"),
        ];
        for (utc, eastern) in table {
            assert_eq!(with_offset(utc.parse().unwrap()), eastern);
        }
    }
}
