//! Forgetting what was exported of a list, so that it is exported again.

use super::Ledger;
use super::events::table;
use super::progress::Progress;
use crate::error::Result;
use crate::subscriber::feed::Feed;
use crate::timestamp;
use chrono::NaiveDate;
use rusqlite::params;

/// What was forgotten of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The number of events, by feed.
    pub(crate) events: [usize; Feed::ALL.len()],
    /// The remembered `--since` before.
    pub(crate) since_before: Option<NaiveDate>,
    /// The remembered `--since` now.
    pub(crate) since_now: Option<NaiveDate>,
}

impl Ledger {
    /// Forgets the events of `list` and its remembered `--since`; with a day (UTC), the events at or after it and those
    /// without an exact time, and begins no later than that day. No batch may be open.
    pub(crate) fn forget(&mut self, list: i64, since: Option<NaiveDate>) -> Result<Forgotten> {
        let since_before = self.feeds()?.since(list)?;
        let midnight = since.map(timestamp::midnight);
        let mut events = [0; Feed::ALL.len()];
        for feed in Feed::ALL {
            let old = self.progress(list, feed)?;
            let progress = match (since, midnight) {
                (Some(day), Some(midnight)) => Progress {
                    since: old.since.map(|remembered| remembered.min(day)),
                    // The query for recent events goes back to the mark.
                    mark: old.mark.map(|mark| mark.min(midnight)),
                    walk: None,
                    quiet: false,
                    ..old.clone()
                },
                _ => Progress::default(),
            };
            // A feed without progress was never wanted, and must not look like one that has begun.
            if progress != old {
                self.set_progress(list, feed, &progress, false)?;
            }
            events[feed as usize] = self.delete_events(list, feed, midnight)?;
        }
        Ok(Forgotten {
            events,
            since_before,
            since_now: self.feeds()?.since(list)?,
        })
    }

    /// Deletes what the ledger holds about a subscriber of `list`, or of any, durably and from the bytes of the file;
    /// returns the number of records. No batch may be open.
    pub(crate) fn forget_subscriber(
        &mut self,
        subscriber: i64,
        list: Option<i64>,
    ) -> Result<usize> {
        let mut deleted = self.forget_position_at(subscriber, list)?;
        let events = Feed::ALL.map(|feed| table(feed).0);
        for table in events.into_iter().chain(["pending"]) {
            deleted += self.count_changes(
                &format!("DELETE FROM {table} WHERE subscriber = ?1 AND (?2 IS NULL OR list = ?2)"),
                params![subscriber, list],
            )?;
        }
        self.commit()?;
        // Earlier versions of changed rows are still in free parts of pages.
        self.compact()?;
        self.remove_old_copy()?;
        Ok(deleted)
    }

    /// An unfinished export is continued behind the last subscribers that it saw. If the one to forget is among them, it
    /// starts over.
    fn forget_position_at(&mut self, subscriber: i64, list: Option<i64>) -> Result<usize> {
        let lists: Vec<i64> = self.rows(
            "SELECT DISTINCT list FROM feed WHERE ?1 IS NULL OR list = ?1",
            [list],
            |row| row.get(0),
        )?;
        let mut changed = 0;
        for (id, feed) in lists
            .into_iter()
            .flat_map(|id| Feed::ALL.map(|feed| (id, feed)))
        {
            let progress = self.progress(id, feed)?;
            let walk = progress.walk.as_ref();
            if walk.is_some_and(|walk| walk.keys.iter().any(|key| key.id == subscriber)) {
                let progress = Progress {
                    walk: None,
                    ..progress
                };
                self.set_progress(id, feed, &progress, false)?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}
