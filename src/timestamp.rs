//! Timestamps as AWeber writes them (AWeber API, section 4 'Datetime forms seen'): with `T` or a blank, with or
//! without a fraction, with or without an offset. Pure. One without an offset is never called UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use std::borrow::Cow;

/// A timestamp taken apart; `fraction` holds its digits without the point, as they came.
struct Stamp<'a> {
    wall: NaiveDateTime,
    fraction: &'a str,
    offset_seconds: Option<i64>,
}

/// The instant, if the text says one: an offset is required. Fractions of a second are cut off.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let stamp = parse(text)?;
    Some((stamp.wall - TimeDelta::seconds(stamp.offset_seconds?)).and_utc())
}

/// No later than the instant meant: one without an offset is read in the earliest zone of the world (+14).
pub(crate) fn earliest(text: &str) -> Option<DateTime<Utc>> {
    let stamp = parse(text)?;
    let offset = stamp.offset_seconds.unwrap_or(14 * 3600);
    Some((stamp.wall - TimeDelta::seconds(offset)).and_utc())
}

/// No earlier than the instant meant: one without an offset is read in the latest zone of the world (-12).
pub(crate) fn latest(text: &str) -> Option<DateTime<Utc>> {
    let stamp = parse(text)?;
    let offset = stamp.offset_seconds.unwrap_or(-12 * 3600);
    Some((stamp.wall - TimeDelta::seconds(offset)).and_utc())
}

/// RFC 3339 in UTC with `Z`, fraction kept, for a text with an offset; any other text as it is.
pub(crate) fn to_utc(text: &str) -> Cow<'_, str> {
    let Some(stamp) = parse(text) else {
        return Cow::Borrowed(text);
    };
    let Some(offset) = stamp.offset_seconds else {
        return Cow::Borrowed(text);
    };
    let mut utc = String::with_capacity(text.len() + 1);
    write(&mut utc, stamp.wall - TimeDelta::seconds(offset));
    if !stamp.fraction.is_empty() {
        utc.push('.');
        utc.push_str(stamp.fraction);
    }
    utc.push('Z');
    Cow::Owned(utc)
}

/// Adds `dddd-dd-ddTdd:dd:dd`; the counterpart of [`plain`], and for the same reason.
fn write(out: &mut String, at: NaiveDateTime) {
    let (year, time) = (at.year(), at.time());
    if !(0..=9999).contains(&year) || time.nanosecond() != 0 {
        // `{:?}` writes the same as the format %Y-%m-%dT%H:%M:%S, a leap second included.
        out.push_str(&format!("{at:?}"));
        return;
    }
    let mut two = |separator: Option<char>, number: u32| {
        out.extend(separator);
        out.push(char::from(b'0' + (number / 10) as u8));
        out.push(char::from(b'0' + (number % 10) as u8));
    };
    two(None, year as u32 / 100);
    two(None, year as u32 % 100);
    two(Some('-'), at.month());
    two(Some('-'), at.day());
    two(Some('T'), time.hour());
    two(Some(':'), time.minute());
    two(Some(':'), time.second());
}

/// A day as a person or AWeber writes it: `YYYY-MM-DD`.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn parse(text: &str) -> Option<Stamp<'_>> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (wall, rest) = text.split_at(19);
    let separator = wall.as_bytes()[10];
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let wall = match plain(wall.as_bytes()) {
        Some(wall) => wall,
        None => day(&wall[..10])?.and_time(
            chrono::NaiveTime::parse_from_str(&wall[11..], "%H:%M:%S")
                .ok()
                .filter(|_| wall[11..].bytes().all(|b| b.is_ascii_digit() || b == b':'))?,
        ),
    };
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(digits) => {
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            if end == 0 {
                return None;
            }
            digits.split_at(end)
        }
    };
    let offset_seconds = match offset {
        "" => None,
        "Z" | "z" => Some(0),
        _ => Some(parse_offset(offset)?),
    };
    Some(Stamp {
        wall,
        fraction,
        offset_seconds,
    })
}

/// `dddd-dd-dd?dd:dd:dd`, as nearly every timestamp is written. Chrono's parser takes ten times as long, and each row
/// has four of them; what this does not understand is left to that one.
fn plain(wall: &[u8]) -> Option<NaiveDateTime> {
    let wall: &[u8; 19] = wall.try_into().ok()?;
    if [wall[4], wall[7], wall[13], wall[16]] != *b"--::" {
        return None;
    }
    let number = |at: usize| two_digits(wall[at], wall[at + 1]);
    let year = number(0)? * 100 + number(2)?;
    NaiveDate::from_ymd_opt(year as i32, number(5)?, number(8)?)?.and_hms_opt(
        number(11)?,
        number(14)?,
        number(17)?,
    )
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens * 10 + ones))
}

/// `-04:00`, `-0400` or `-04`, in seconds east of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, hours, minutes) = match *text.as_bytes() {
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => {
            (sign, two_digits(h1, h2)?, two_digits(m1, m2)?)
        }
        [sign, h1, h2] => (sign, two_digits(h1, h2)?, 0),
        _ => return None,
    };
    let east = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then(|| east * i64::from(hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_with_an_offset_becomes_utc_and_keeps_its_fraction() {
        for (text, utc) in [
            ("2015-10-13T16:19:20-04:00", "2015-10-13T20:19:20Z"),
            (
                "2025-11-21T10:31:53.202963-05:00",
                "2025-11-21T15:31:53.202963Z",
            ),
            ("2010-01-15 09:21:39-05:00", "2010-01-15T14:21:39Z"),
            ("2025-12-31T23:59:59.5-0500", "2026-01-01T04:59:59.5Z"),
            ("2025-01-01T00:00:00+14", "2024-12-31T10:00:00Z"),
            ("2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_utc(text), utc, "{text}");
        }
    }

    #[test]
    fn a_stamp_without_an_offset_and_anything_else_stay_as_they_are() {
        for text in [
            "2025-11-21T10:56:38",
            "2008-01-23 09:20:52.812966",
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00+99:00",
            "11/21/25 10:31am",
            "２０２５-01-01T00:00:00Z",
        ] {
            assert_eq!(to_utc(text), text);
            assert_eq!(instant(text), None);
        }
    }

    #[test]
    fn without_an_offset_the_instant_lies_between_earliest_and_latest() {
        let text = "2025-11-21T10:56:38";
        let eastern = instant("2025-11-21T10:56:38-05:00");
        assert!(earliest(text) < eastern && eastern < latest(text));
        assert_eq!(
            earliest("2025-01-01T00:00:00Z"),
            latest("2025-01-01T00:00:00Z")
        );
    }

    #[test]
    fn the_short_way_to_read_a_stamp_says_what_chrono_says() {
        let plain_texts = [
            "2024-02-29T23:59:59",
            "0001-01-01 00:00:00",
            "9999-12-31t12:30:07",
        ];
        let others = [
            "2023-02-29T00:00:00",
            "2025-00-10T00:00:00",
            "2025-01-01T24:00:00",
            "2025-01-01T00:60:00",
            "2016-12-31T23:59:60",
            "2025-1-001T00:00:00",
            "2025/01/01T00:00:00",
            "2025-01-01T00.00.00",
            "+025-01-01T00:00:00",
        ];
        for text in plain_texts {
            let chrono =
                NaiveDateTime::parse_from_str(&text.replace([' ', 't'], "T"), "%Y-%m-%dT%H:%M:%S");
            assert_eq!(plain(text.as_bytes()), chrono.ok(), "{text}");
            assert!(plain(text.as_bytes()).is_some(), "{text}");
        }
        for text in others {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_stamp_in_utc_is_written_as_the_format_says() {
        for text in [
            "2024-02-29T03:04:05",
            "0000-01-01T00:00:00",
            "2016-12-31T23:59:60",
            "+10000-01-01T00:59:59",
        ] {
            let stamp = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap();
            let mut written = String::new();
            write(&mut written, stamp);
            assert_eq!(written, stamp.format("%Y-%m-%dT%H:%M:%S").to_string());
            assert_eq!(written, text);
        }
    }
}
