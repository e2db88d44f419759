//! Timestamps in all forms that AWeber sends (AWeber API, section 4 'Datetime forms seen'): with `T` or a blank, with or
//! without a fraction, with or without an offset. Without an offset a timestamp must never be called UTC. Pure.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use std::borrow::Cow;

/// The offset of the earliest time zone.
const EARLIEST_ZONE: &str = "+14:00";

/// The offset of the latest time zone.
const LATEST_ZONE: &str = "-12:00";

/// The length of `2025-11-21T10:31:53`.
const WALL_LENGTH: usize = 19;

/// Returns the instant; only a text with an offset has one.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    if text.len() <= WALL_LENGTH {
        return None;
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(at.to_utc()),
        Err(_) => instant_with_short_offset(text),
    }
}

/// Parses an offset without a colon or without minutes, which RFC 3339 does not allow.
fn instant_with_short_offset(text: &str) -> Option<DateTime<Utc>> {
    let (_, offset) = split(text)?;
    if !offset.starts_with(['+', '-']) {
        return None;
    }
    let text = text.replacen([' ', 't'], "T", 1);
    let at = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z").ok()?;
    Some(at.to_utc())
}

/// Returns a lower bound of the instant: without an offset, the earliest time zone is assumed.
pub(crate) fn earliest(text: &str) -> Option<DateTime<Utc>> {
    instant_in(text, EARLIEST_ZONE)
}

/// Returns an upper bound of the instant: without an offset, the latest time zone is assumed.
pub(crate) fn latest(text: &str) -> Option<DateTime<Utc>> {
    instant_in(text, LATEST_ZONE)
}

fn instant_in(text: &str, zone: &str) -> Option<DateTime<Utc>> {
    match split(text)? {
        (_, "") => instant(&format!("{text}{zone}")),
        _ => instant(text),
    }
}

/// Converts a text with an offset to RFC 3339 in UTC with `Z` and the same fraction; returns any other text unchanged.
pub(crate) fn to_utc(text: &str) -> Cow<'_, str> {
    let Some(at) = instant(text) else {
        return Cow::Borrowed(text);
    };
    let mut utc = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (fraction, _) = split_fraction(&text[WALL_LENGTH..]);
    if !fraction.is_empty() {
        utc.pop();
        utc.push_str(fraction);
        utc.push('Z');
    }
    Cow::Owned(utc)
}

/// Parses a day, `YYYY-MM-DD`.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// The beginning of a day in UTC, Unix seconds.
pub(crate) fn midnight(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp()
}

/// Splits a timestamp into fraction and offset, each possibly empty. Returns `None` for any other text: chrono alone also
/// accepts signs and blanks between the digits.
fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.get(WALL_LENGTH..)?;
    let mut wall = text.bytes().take(WALL_LENGTH).enumerate();
    let has_shape = wall.all(|(i, byte)| match i {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b'T' | b't' | b' '),
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    has_shape.then(|| split_fraction(rest))
}

/// Splits what follows the seconds into a decimal point with digits, if any, and the rest.
fn split_fraction(rest: &str) -> (&str, &str) {
    let digits = rest.strip_prefix('.').unwrap_or_default();
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    match count {
        0 => ("", rest),
        _ => rest.split_at(1 + count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_with_an_offset_becomes_utc_and_keeps_its_fraction() {
        for (text, utc) in [
            ("2015-10-13T16:19:20-04:00", "2015-10-13T20:19:20Z"),
            (
                "2025-11-21T10:31:53.202963-05:00",
                "2025-11-21T15:31:53.202963Z",
            ),
            ("2010-01-15 09:21:39-05:00", "2010-01-15T14:21:39Z"),
            ("2025-12-31T23:59:59.5-0500", "2026-01-01T04:59:59.5Z"),
            ("2025-12-31 23:59:59-0500", "2026-01-01T04:59:59Z"),
            ("2025-01-01T00:00:00+14", "2024-12-31T10:00:00Z"),
            ("2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_utc(text), utc, "{text}");
        }
    }

    #[test]
    fn other_texts_are_kept_unchanged() {
        for text in [
            "2025-11-21T10:56:38",
            "2008-01-23 09:20:52.812966",
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00+99:00",
            "2025-01-01T00:00:00 +05:00",
            "2025-01-01T00:00:00-05é",
            "11/21/25 10:31am",
            "２０２５-01-01T00:00:00Z",
        ] {
            assert_eq!(to_utc(text), text);
            assert_eq!(instant(text), None);
        }
    }

    #[test]
    fn without_an_offset_the_instant_is_between_earliest_and_latest() {
        let text = "2025-11-21T10:56:38";
        let eastern = instant("2025-11-21T10:56:38-05:00");
        assert!(earliest(text) < eastern && eastern < latest(text));
        assert_eq!(
            earliest("2025-01-01T00:00:00Z"),
            latest("2025-01-01T00:00:00Z")
        );
    }

    #[test]
    fn only_existing_dates_and_times_of_19_characters_are_accepted() {
        for text in [
            "2024-02-29T23:59:59",
            "0001-01-01 00:00:00",
            "9999-12-31t12:30:07",
            "2016-12-31T23:59:60",
        ] {
            let expected = text.replace([' ', 't'], "T");
            assert_eq!(to_utc(&format!("{text}Z")), format!("{expected}Z"));
            assert!(earliest(text).is_some() && latest(text).is_some(), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00",
            "2025-00-10T00:00:00",
            "2025-01-01T24:00:00",
            "2025-01-01T00:60:00",
            "2025-1-001T00:00:00",
            "2025/01/01T00:00:00",
            "2025-01-01T00.00.00",
            "+025-01-01T00:00:00",
            " 025-01-01T00:00:00",
        ] {
            assert_eq!(to_utc(&format!("{text}Z")), format!("{text}Z"));
            assert_eq!(earliest(text), None, "{text}");
        }
    }

    #[test]
    fn utc_may_be_outside_the_four_digit_years() {
        for (text, utc) in [
            ("0000-01-01T00:00:00.5+01:00", "-0001-12-31T23:00:00.5Z"),
            ("9999-12-31T23:59:59.5-01", "+10000-01-01T00:59:59.5Z"),
        ] {
            assert_eq!(to_utc(text), utc);
        }
    }
}
