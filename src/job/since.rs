//! The day that each list begins with: remembered in the ledger before anything is asked of a list, so that it holds
//! whatever becomes of the run.

use super::Job;
use crate::batch::collect::Collector;
use crate::catch_up::Wanted;
use crate::config::{Since, in_the_future};
use crate::error::Result;
use crate::ledger::progress::{Feeds, Progress};
use crate::lists::List;
use crate::typed::as_typed;
use chrono::{NaiveDate, Utc};

impl Job<'_> {
    /// Remembers the first day of each wanted feed that was never exported.
    ///
    /// Errors: 2 if `--since` is in the future by AWeber's clock.
    pub(super) fn begin_lists(&mut self, lists: &[List], collector: &mut Collector) -> Result<()> {
        self.ledger.begin()?;
        let today = self.session.now().unwrap_or_else(Utc::now).date_naive();
        let first_day = self.ledger.first_day(self.run, today)?;
        let since = match self.config.since {
            Since::Beginning => None,
            Since::Today => Some(first_day),
            Since::Day(day) if day > today => {
                return Err(in_the_future(day)
                    .safe("the tokens are stored; nothing was exported and nothing remembered"));
            }
            Since::Day(day) => Some(day),
        };
        let (feeds, known) = (self.wanted(lists), self.ledger.feeds()?);
        for list in lists {
            let id = list.this.id;
            self.warn_of_another_day(id, &feeds, &known, today)?;
            // A feed first wanted later begins with the day of its list: a day given now has no effect on it.
            let day = known.since(id)?.or(since);
            for wanted in &feeds {
                if day.is_some() && known.progress(id, wanted.feed)? == Progress::default() {
                    self.ledger.begin_feed(id, wanted.feed, day)?;
                }
            }
        }
        collector.checkpoint(&mut self.ledger)
    }

    /// `--since` of a list that has begun changes nothing, and a remembered day in the future lets it export nothing: warns of
    /// both.
    fn warn_of_another_day(
        &self,
        id: i64,
        feeds: &[Wanted],
        known: &Feeds,
        today: NaiveDate,
    ) -> Result<()> {
        let way_out = || as_typed(&format!("aweber-sync forget --list {id}"));
        for wanted in feeds {
            let progress = known.progress(id, wanted.feed)?;
            match (progress.since, self.config.since) {
                (Some(day), Since::Day(given)) if given != day => tracing::warn!(
                    event = "since_ignored",
                    list = id,
                    "list {id} began with --since {day}, which is remembered: --since {given} has no effect on it\n  \
                     next: {}, if it is to begin with {given}",
                    way_out()
                ),
                (None, Since::Day(given))
                    if progress.statuses.is_none() && self.ledger.has_begun(id, wanted.feed)? =>
                {
                    tracing::warn!(
                        event = "since_ignored",
                        list = id,
                        "list {id} began with its first subscriber: --since {given} has no effect on it\n  \
                         next: {}, if it is to begin with {given}",
                        way_out()
                    )
                }
                (Some(day), _) if day > today => tracing::warn!(
                    event = "since_in_the_future",
                    list = id,
                    "list {id} is exported from {day} on only, which is in the future\n  \
                     next: {}, then {}",
                    way_out(),
                    as_typed("aweber-sync run --since DATE")
                ),
                _ => continue,
            }
            // The same for both feeds, as a rule.
            break;
        }
        Ok(())
    }
}
