//! Forgetting what was exported of a list, so that it is exported again.

use super::Ledger;
use super::progress::Progress;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use chrono::{NaiveDate, NaiveTime};

/// What was forgotten of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Subscriptions.
    pub(crate) arrivals: usize,
    /// Unsubscriptions.
    pub(crate) departures: usize,
    /// The remembered `--since` before.
    pub(crate) since_before: Option<NaiveDate>,
    /// The remembered `--since` now.
    pub(crate) since_now: Option<NaiveDate>,
}

impl Ledger {
    /// Forgets the events of `list` and its remembered `--since`; with a day (UTC), the events at or after it and those
    /// without an exact time, and begins no later than that day. No batch may be open.
    pub(crate) fn forget(&mut self, list: i64, since: Option<NaiveDate>) -> Result<Forgotten> {
        let since_before = self.since(list)?;
        let midnight = since.map(|day| day.and_time(NaiveTime::MIN).and_utc().timestamp());
        let mut deleted = [0; 2];
        for (feed, deleted) in Feed::ALL.into_iter().zip(&mut deleted) {
            let old = self.progress(list, feed)?;
            let progress = match (since, midnight) {
                (Some(day), Some(midnight)) => Progress {
                    since: old.since.map(|remembered| remembered.min(day)),
                    // The query for recent events goes back to the mark.
                    mark: old.mark.map(|mark| mark.min(midnight)),
                    walk: None,
                    quiet: false,
                    ..old
                },
                _ => Progress::default(),
            };
            self.set_progress(list, feed, &progress, false)?;
            *deleted = self.delete_events(list, feed, midnight)?;
        }
        let [arrivals, departures] = deleted;
        Ok(Forgotten {
            arrivals,
            departures,
            since_before,
            since_now: self.since(list)?,
        })
    }
}
