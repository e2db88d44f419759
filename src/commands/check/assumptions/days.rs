//! The filters by day: which instant a day begins with. Rows with known times are counted on both sides of it.

use crate::commands::check::facts::{Days, Facts};
use crate::commands::check::judgement::Part::{Number, Text};
use crate::commands::check::judgement::{Assumption, Judgement};
use crate::timestamp::midnight;
use chrono::{DateTime, NaiveDate};

const HOUR: i64 = 3600;

/// How many days are asked for.
const MOST_DAYS: usize = 3;

/// A day that begins later than this after its midnight in UTC is outside the slack of the program's queries (two days).
const SLACK_HOURS: i64 = 48;

/// What a day can begin with, in hours after its midnight in UTC, and what that is.
const READINGS: [(i64, &str); 6] = [
    (0, "days in UTC that include the day named"),
    (4, "days in US Eastern time that include the day named"),
    (5, "days in US Eastern time that include the day named"),
    (24, "days in UTC without the day named"),
    (28, "days in US Eastern time without the day named"),
    (29, "days in US Eastern time without the day named"),
];

/// The days whose answers tell the readings apart best. `window`: times of rows, newest first. `page_size`: the rows of a
/// full page, which do not show how many there are.
pub(crate) fn days_to_ask(window: &[i64], page_size: u64) -> Vec<NaiveDate> {
    let (Some(newest), Some(oldest)) = (window.first(), window.last()) else {
        return Vec::new();
    };
    let day_of = |at: i64| DateTime::from_timestamp(at, 0).map(|at| at.date_naive());
    let (Some(first), Some(last)) = (day_of(*oldest), day_of(*newest)) else {
        return Vec::new();
    };
    let mut separated: Vec<Vec<usize>> = vec![Vec::new(); READINGS.len()];
    let mut days = Vec::new();
    let candidates: Vec<NaiveDate> = first
        .iter_days()
        .take_while(|day| *day <= last)
        .take(400)
        .collect();
    let count = |day: NaiveDate, hours: i64| {
        let from = midnight(day) + hours * HOUR;
        window.iter().take_while(|at| **at >= from).count()
    };
    let usable = |day: &&NaiveDate| (count(**day, 0) as u64) < page_size;
    let classes = |keys: &[Vec<usize>]| {
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        keys.len()
    };
    while days.len() < MOST_DAYS {
        let with = |day: NaiveDate| -> Vec<Vec<usize>> {
            let pairs = separated.iter().zip(READINGS);
            pairs
                .map(|(key, (hours, _))| [key.as_slice(), &[count(day, hours)]].concat())
                .collect()
        };
        // The latest of equals: its answer is the shortest.
        let best = candidates
            .iter()
            .filter(usable)
            .max_by_key(|day| classes(&with(**day)));
        match best {
            Some(day) if days.is_empty() || classes(&with(*day)) > classes(&separated) => {
                separated = with(*day);
                days.push(*day);
            }
            _ => break,
        }
    }
    days
}

/// The instants that a day can begin with by the answers, in seconds after its midnight in UTC: above the first, up to
/// the second.
fn bounds(days: &Days) -> (i64, i64) {
    let (mut above, mut up_to) = (i64::MIN, i64::MAX);
    for (day, found) in &days.asked {
        let found = *found as usize;
        let is_whole_page = found as u64 >= days.page_size;
        let included = found.checked_sub(1).and_then(|last| days.window.get(last));
        let excluded = days.window.get(found).filter(|_| !is_whole_page);
        if let Some(included) = included {
            up_to = up_to.min(included - midnight(*day));
        }
        if let Some(excluded) = excluded {
            above = above.max(excluded - midnight(*day));
        }
    }
    (above, up_to)
}

fn judge(assumption: Assumption, days: &Days, ignored: Judgement) -> Judgement {
    match days.future {
        None => return assumption.unseen("it could not be asked"),
        Some(0) => {}
        Some(_) => return ignored,
    }
    let (above, up_to) = bounds(days);
    let fits = |hours: i64| above < hours * HOUR && hours * HOUR <= up_to;
    let fitting: Vec<&str> = READINGS
        .into_iter()
        .filter(|(hours, _)| fits(*hours))
        .map(|(_, reading)| reading)
        .collect();
    let slack = "each query begins two days early, which covers every zone and a day left out";
    let one = fitting
        .first()
        .filter(|one| fitting.iter().all(|other| other == *one));
    if days.asked.is_empty() || days.window.is_empty() {
        return assumption.unseen("no row shows it");
    }
    match (one, fitting.len()) {
        (Some(one), _) if *one == READINGS[0].1 => assumption.holds(*one),
        (Some(one), _) => assumption.is_fine(*one, slack),
        (None, 1..) => assumption.unseen("the rows are too far apart to show it"),
        (None, 0) if above >= up_to => assumption.risks(
            "no beginning of a day fits the answers",
            "run --full finds what such a filter hides; please report this",
        ),
        (None, 0) => {
            let seen = [
                Text("days that begin between "),
                Number(above.max(-99 * HOUR).div_euclid(HOUR)),
                Text(" and "),
                Number(up_to.min(99 * HOUR).div_euclid(HOUR) + 1),
                Text(" hours after midnight UTC"),
            ];
            match up_to > SLACK_HOURS * HOUR {
                true => assumption.risks(
                    seen,
                    "run --full finds what such a filter hides; please report this",
                ),
                false => assumption.is_fine(seen, slack),
            }
        }
    }
}

pub(super) fn subscribed_after(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "subscribed_after",
        expected: READINGS[0].1,
    };
    let ignored = assumption.costs(
        "ignored: a day in the future returns rows",
        "each run reads the whole list; exported rows are known by the ledger",
    );
    judge(assumption, &facts.subscribed_days, ignored)
}

pub(super) fn unsubscribed_after(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "unsubscribed_after",
        expected: READINGS[0].1,
    };
    let ignored = assumption.costs(
        "ignored: a day in the future returns rows",
        "each run with --status unsubscribed reads all unsubscribed rows",
    );
    judge(assumption, &facts.unsubscribed_days, ignored)
}

pub(super) fn unsubscribed_order(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "unsubscribed_order",
        expected: "sort_key=unsubscribed_at sorts by that time",
    };
    let Some(found) = &facts.unsubscribed else {
        return assumption.unseen("the page could not be read");
    };
    let times = found.times("unsubscribed_at");
    match (times.is_sorted(), times.iter().rev().is_sorted()) {
        (true, false) => assumption.holds("sorted"),
        (true, true) => assumption.unseen("too few unsubscribed rows"),
        (false, true) => assumption.costs(
            "newest first",
            "the overlap of pages holds in any fixed order",
        ),
        (false, false) => assumption.costs(
            "another order",
            "the overlap of pages holds in any fixed order",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::judgement::Effect;
    use crate::pages::collection::PAGE_SIZE;

    /// 90 rows, one every hour, newest first; the newest at noon.
    fn hourly() -> Vec<i64> {
        let newest = DateTime::parse_from_rfc3339("2026-03-10T12:00:00Z")
            .unwrap()
            .timestamp();
        (0..90).map(|hours| newest - hours * HOUR).collect()
    }

    /// The answers of a server whose days begin `hours` after midnight UTC.
    fn answers(window: Vec<i64>, hours: i64) -> Days {
        let found = |day: NaiveDate| {
            let from = midnight(day) + hours * HOUR;
            window.iter().filter(|at| **at >= from).count() as u64
        };
        Days {
            asked: days_to_ask(&window, PAGE_SIZE)
                .into_iter()
                .map(|day| (day, found(day)))
                .collect(),
            future: Some(0),
            page_size: PAGE_SIZE,
            window,
        }
    }

    #[test]
    fn every_zone_is_told_from_the_expected_one() {
        for hours in (-14..=12).chain(10..=36) {
            let facts = Facts {
                subscribed_days: answers(hourly(), hours),
                ..Facts::default()
            };
            let judged = subscribed_after(&facts);
            let expected = match hours {
                0 => Effect::AsExpected,
                _ => judged.effect,
            };
            assert_eq!(judged.effect, expected, "{hours}: {}", judged.seen);
            assert_eq!(
                judged.effect.is_odd(),
                hours != 0,
                "{hours}: {}",
                judged.seen
            );
            if let Some((_, name)) = READINGS.iter().find(|(at, _)| *at == hours) {
                assert_eq!(judged.seen.to_string(), *name);
            }
        }
    }

    #[test]
    fn few_rows_do_not_show_the_zone_and_an_ignored_filter_shows_itself() {
        let at = hourly()[0];
        for (window, future, effect) in [
            (vec![], Some(0), Effect::Unseen),
            (vec![at, at - 300 * 24 * HOUR], Some(0), Effect::Unseen),
            (hourly(), None, Effect::Unseen),
        ] {
            let facts = Facts {
                subscribed_days: Days {
                    future,
                    ..answers(window, 0)
                },
                ..Facts::default()
            };
            assert_eq!(subscribed_after(&facts).effect, effect);
        }
        let ignored = Facts {
            subscribed_days: Days {
                future: Some(90),
                ..Days::default()
            },
            ..Facts::default()
        };
        assert!(matches!(
            subscribed_after(&ignored).effect,
            Effect::Costs(_)
        ));
    }

    #[test]
    fn a_day_that_begins_too_late_is_a_risk() {
        let facts = Facts {
            subscribed_days: answers(hourly(), 60),
            ..Facts::default()
        };
        assert!(matches!(subscribed_after(&facts).effect, Effect::Risk(_)));
    }
}
