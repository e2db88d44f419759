//! Which queries bring a list up to date. Pure; see `docs/design.md`, 'Which queries'.

use crate::ledger::progress::Progress;
use crate::subscriber::Status;
use crate::subscriber::feed::Feed;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// AWeber's confirmation link is valid for 30 days (AWeber API, section 6); one more for time zones.
pub(crate) const LINK_DAYS: i64 = 31;

/// Extra days to query. The filters take whole days in an undocumented time zone (-12 to +14 hours: one day), and may
/// exclude the given day (one more).
const SLACK_DAYS: i64 = 2;

/// How old, in days, pending subscribers of a list that no run checks may become.
pub(crate) const LONGEST_PENDING_DAYS: i64 = LINK_DAYS + SLACK_DAYS;

/// The queries for one feed of a list, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Everything since the mark, in one query.
    Recent {
        /// With this status; `None`: all statuses, so that no arrival can change its status between two queries unseen.
        status: Option<Status>,
        /// The first day; `None`: everything.
        after: Option<NaiveDate>,
    },
    /// A first export, `--full`, a status newly wanted, or rows lost with a batch.
    Everything {
        /// For arrivals, first the unconfirmed since this day, unless they are exported anyway. In the other order a
        /// subscriber who confirms between the queries is in neither.
        unconfirmed_after: Option<Option<NaiveDate>>,
        /// Then all with this status; `None`: all statuses.
        status: Option<Status>,
        /// The first day of the second query.
        after: Option<NaiveDate>,
    },
}

/// The plan for a feed with this progress, of which these statuses are wanted. `now`: AWeber's clock.
pub(crate) fn plan(
    feed: Feed,
    progress: &Progress,
    wanted: &[Status],
    full: bool,
    now: Option<DateTime<Utc>>,
) -> Plan {
    let since = progress.since.map(|day| day - TimeDelta::days(SLACK_DAYS));
    if progress.is_complete(wanted) && !full {
        let mark = progress
            .mark
            .and_then(|mark| DateTime::from_timestamp(mark, 0));
        let after = mark.map(|mark| mark.date_naive() - TimeDelta::days(SLACK_DAYS));
        return Plan::Recent {
            status: match feed {
                Feed::Arrivals => None,
                Feed::Departures => Some(Status::Unsubscribed),
            },
            after: after.max(since),
        };
    }
    let link = now.map(|now| now.date_naive() - TimeDelta::days(LONGEST_PENDING_DAYS));
    let awaits = feed == Feed::Arrivals && !wanted.contains(&Status::Unconfirmed);
    Plan::Everything {
        unconfirmed_after: awaits.then(|| link.max(since)),
        status: match wanted {
            [one] => Some(*one),
            _ => None,
        },
        after: since,
    }
}

/// The `subscribed_after` of the query for pending subscribers that the recent query did not return.
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

    fn done(statuses: &[Status]) -> Progress {
        Progress {
            statuses: Some(statuses.to_vec()),
            mark: Some(now().unwrap().timestamp()),
            ..Progress::default()
        }
    }

    #[test]
    fn a_first_export_queries_unconfirmed_then_everything() {
        let progress = Progress::default();
        assert_eq!(
            plan(
                Feed::Arrivals,
                &progress,
                &[Status::Subscribed],
                false,
                now()
            ),
            Plan::Everything {
                unconfirmed_after: Some(day("2026-10-20")),
                status: Some(Status::Subscribed),
                after: None
            }
        );
        // AWeber's clock is unknown: all unconfirmed ones.
        assert_eq!(
            plan(
                Feed::Arrivals,
                &progress,
                &[Status::Subscribed],
                false,
                None
            ),
            Plan::Everything {
                unconfirmed_after: Some(None),
                status: Some(Status::Subscribed),
                after: None
            }
        );
        let all = [Status::Subscribed, Status::Unconfirmed];
        assert_eq!(
            plan(Feed::Arrivals, &progress, &all, false, now()),
            Plan::Everything {
                unconfirmed_after: None,
                status: None,
                after: None
            }
        );
    }

    #[test]
    fn a_later_export_queries_from_the_mark_on() {
        let progress = done(&[Status::Subscribed]);
        assert_eq!(
            plan(
                Feed::Arrivals,
                &progress,
                &[Status::Subscribed],
                false,
                now()
            ),
            Plan::Recent {
                status: None,
                after: day("2026-11-20")
            }
        );
        assert!(matches!(
            plan(
                Feed::Arrivals,
                &progress,
                &[Status::Subscribed],
                true,
                now()
            ),
            Plan::Everything { .. }
        ));
        let newly = [Status::Subscribed, Status::Unconfirmed];
        assert!(matches!(
            plan(Feed::Arrivals, &progress, &newly, false, now()),
            Plan::Everything { .. }
        ));
        assert!(matches!(
            plan(
                Feed::Arrivals,
                &done(&[Status::Subscribed, Status::Unconfirmed]),
                &[Status::Subscribed],
                false,
                now()
            ),
            Plan::Recent { .. }
        ));
        let lost = Progress {
            again: true,
            ..progress.clone()
        };
        assert!(matches!(
            plan(Feed::Arrivals, &lost, &[Status::Subscribed], false, now()),
            Plan::Everything { .. }
        ));
        let empty = Progress {
            mark: None,
            ..progress
        };
        assert_eq!(
            plan(Feed::Arrivals, &empty, &[Status::Subscribed], false, now()),
            Plan::Recent {
                status: None,
                after: None
            }
        );
    }

    #[test]
    fn since_limits_every_query_even_a_full_one() {
        let progress = Progress {
            since: day("2026-11-21"),
            ..done(&[Status::Subscribed])
        };
        assert_eq!(
            plan(
                Feed::Arrivals,
                &progress,
                &[Status::Subscribed],
                true,
                now()
            ),
            Plan::Everything {
                unconfirmed_after: Some(day("2026-11-19")),
                status: Some(Status::Subscribed),
                after: day("2026-11-19")
            }
        );
    }

    #[test]
    fn departures_are_queried_by_status_and_never_wait_for_a_confirmation() {
        let wanted = [Status::Unsubscribed];
        let status = Some(Status::Unsubscribed);
        assert_eq!(
            plan(
                Feed::Departures,
                &Progress::default(),
                &wanted,
                false,
                now()
            ),
            Plan::Everything {
                unconfirmed_after: None,
                status,
                after: None
            }
        );
        assert_eq!(
            plan(Feed::Departures, &done(&wanted), &wanted, false, now()),
            Plan::Recent {
                status,
                after: day("2026-11-20")
            }
        );
    }
}
