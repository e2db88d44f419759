//! Which queries bring a list up to date. One small pure function; see `docs/design.md`, 'Which queries'.

use crate::ledger::lists::Progress;
use crate::subscriber::Status;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// AWeber's confirmation link works 30 days (AWeber API, section 6); one more for the zones of the world.
pub(crate) const LINK_DAYS: i64 = 31;

/// The filters know whole days in an undocumented zone, and whether the day named belongs to them is AWeber's word
/// only: ask for two days more than needed (-12 to +14 hours, one day more if the day named were left out).
const SLACK_DAYS: i64 = 2;

/// What to ask for on one list, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Everything since the mark, all statuses in one query.
    Recent {
        /// `subscribed_after`; none: everything.
        after: Option<NaiveDate>,
    },
    /// A first export, `--full`, or a status newly wanted.
    Everything {
        /// First the unconfirmed since then, unless they are exported anyway: in the other order somebody who
        /// confirms in between is in neither query.
        unconfirmed_after: Option<Option<NaiveDate>>,
        /// Then all with this status; none: all statuses.
        status: Option<Status>,
        /// … since then.
        after: Option<NaiveDate>,
    },
}

/// The plan for a list that is that far. `now`: AWeber's clock.
pub(crate) fn plan(
    progress: &Progress,
    wanted: &[Status],
    full: bool,
    now: Option<DateTime<Utc>>,
) -> Plan {
    let since = progress.since.as_deref().and_then(crate::timestamp::day);
    let since = since.map(|day| day - TimeDelta::days(SLACK_DAYS));
    let complete = progress.statuses.as_ref().is_some_and(|done| {
        wanted
            .iter()
            .all(|status| done.iter().any(|d| d == status.word()))
    });
    if complete && !full {
        let mark = progress
            .mark
            .and_then(|mark| DateTime::from_timestamp(mark, 0));
        let after = mark.map(|mark| mark.date_naive() - TimeDelta::days(SLACK_DAYS));
        return Plan::Recent {
            after: after.max(since),
        };
    }
    let link = now.map(|now| now.date_naive() - TimeDelta::days(LINK_DAYS + SLACK_DAYS));
    let unconfirmed_wanted = wanted.contains(&Status::Unconfirmed);
    Plan::Everything {
        unconfirmed_after: (!unconfirmed_wanted).then(|| link.max(since)),
        status: match wanted {
            [one] => Some(*one),
            _ => None,
        },
        after: since,
    }
}

/// From which day on to look for those pending whom the recent query did not show.
pub(crate) fn pending_after(oldest: Option<i64>) -> Option<NaiveDate> {
    let oldest = DateTime::from_timestamp(oldest?, 0)?;
    Some(oldest.date_naive() - TimeDelta::days(SLACK_DAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<NaiveDate> {
        Some(text.parse().unwrap())
    }

    fn now() -> Option<DateTime<Utc>> {
        Some("2026-11-22T03:00:00Z".parse().unwrap())
    }

    fn done(statuses: &[&str]) -> Progress {
        Progress {
            statuses: Some(statuses.iter().map(|s| (*s).to_owned()).collect()),
            mark: Some(now().unwrap().timestamp()),
            ..Progress::default()
        }
    }

    #[test]
    fn a_list_never_exported_gets_its_unconfirmed_first_then_everything() {
        let progress = Progress::default();
        assert_eq!(
            plan(&progress, &[Status::Subscribed], false, now()),
            Plan::Everything {
                unconfirmed_after: Some(day("2026-10-20")),
                status: Some(Status::Subscribed),
                after: None
            }
        );
        // AWeber's clock unknown: all of the unconfirmed.
        assert_eq!(
            plan(&progress, &[Status::Subscribed], false, None),
            Plan::Everything {
                unconfirmed_after: Some(None),
                status: Some(Status::Subscribed),
                after: None
            }
        );
        let all = [Status::Subscribed, Status::Unconfirmed];
        assert_eq!(
            plan(&progress, &all, false, now()),
            Plan::Everything {
                unconfirmed_after: None,
                status: None,
                after: None
            }
        );
    }

    #[test]
    fn a_list_exported_before_gets_what_is_new_since_its_mark() {
        let progress = done(&["subscribed"]);
        assert_eq!(
            plan(&progress, &[Status::Subscribed], false, now()),
            Plan::Recent {
                after: day("2026-11-20")
            }
        );
        assert!(matches!(
            plan(&progress, &[Status::Subscribed], true, now()),
            Plan::Everything { .. }
        ));
        let newly = [Status::Subscribed, Status::Unsubscribed];
        assert!(matches!(
            plan(&progress, &newly, false, now()),
            Plan::Everything { .. }
        ));
        assert!(matches!(
            plan(
                &done(&["subscribed", "unsubscribed"]),
                &[Status::Subscribed],
                false,
                now()
            ),
            Plan::Recent { .. }
        ));
        let empty = Progress {
            mark: None,
            ..progress
        };
        assert_eq!(
            plan(&empty, &[Status::Subscribed], false, now()),
            Plan::Recent { after: None }
        );
    }

    #[test]
    fn since_bounds_every_query_also_a_full_one() {
        let progress = Progress {
            since: Some("2026-11-21".into()),
            ..done(&["subscribed"])
        };
        assert_eq!(
            plan(&progress, &[Status::Subscribed], true, now()),
            Plan::Everything {
                unconfirmed_after: Some(day("2026-11-19")),
                status: Some(Status::Subscribed),
                after: day("2026-11-19")
            }
        );
    }
}
