//! The feeds of the lists, one after the other, arrivals first: a failing one does not stop the others.

use super::Job;
use crate::batch::collect::Collector;
use crate::catch_up::{CatchUp, Wanted};
use crate::error::{Error, Failures, Kind, Result};
use crate::ledger::progress::Progress;
use crate::lists::{List, fetch_lists, select};
use crate::progress;
use crate::subscriber::Status;
use crate::subscriber::feed::Feed;
use clap::ValueEnum;

/// What is safe if a run fails before its first list.
const NOTHING_YET: &str = "the tokens are stored; nothing was exported by this run, no row is lost";

/// As above, if the tokens are lost.
const NO_ROW: &str = "nothing was exported by this run, no row is lost";

/// How many lists behind the present one may be asked ahead.
const MOST_EXPECTED: usize = 3;

/// After so many unreachable feeds in a row the rest is left to the next run.
const UNREACHABLE_FEEDS: u32 = 2;

impl Job<'_> {
    /// Brings every selected list up to date.
    pub(super) async fn bring_lists_up_to_date(&mut self, collector: &mut Collector) -> Result<()> {
        let lists = self.select_lists().await?;
        self.begin_lists(&lists, collector)?;
        let wanted = self.wanted(&lists);
        // The arrivals of every list first: where AWeber ignores `unsubscribed_after`, the departures of one list may take
        // longer than `--max-duration`, in every run.
        let each = wanted.iter().flat_map(|feed| {
            lists
                .iter()
                .enumerate()
                .map(move |(i, list)| (i, list, feed))
        });
        let each: Vec<_> = each.collect();
        let mut to_look_at = 0;
        self.ledger.begin()?;
        let known = self.ledger.feeds()?;
        for (_, list, feed) in &each {
            let progress = known.progress(list.this.id, feed.feed)?;
            to_look_at += rows_to_look_at(&progress, list, feed);
        }
        progress::begin(to_look_at);
        let mut trouble = Trouble::default();
        let mut feeds_done = vec![0; lists.len()];
        for (n, (i, list, feed)) in each.iter().enumerate() {
            let now = self.session.now();
            // A longer walk in between would make the answers old.
            let of_recent = each[n..].iter().map_while(|(_, list, feed)| {
                let progress = known.progress(list.this.id, feed.feed).ok()?;
                feed.recent_page(list, &progress, now)
            });
            self.session.expect(of_recent.skip(1).take(MOST_EXPECTED));
            let outcome = self.bring_up_to_date(list, feed, collector).await;
            feeds_done[*i] += usize::from(outcome.is_ok());
            trouble.note(outcome, self.session.is_unreachable());
            if trouble.ends_the_run(self.session.cannot_refresh()) {
                break;
            }
        }
        self.session.expect(std::iter::empty());
        let is_done = |feeds: &&usize| **feeds == wanted.len();
        let done = feeds_done.iter().filter(is_done).count();
        all_failures(trouble.failed, done, lists.len())
    }

    async fn select_lists(&mut self) -> Result<Vec<List>> {
        let expect_some = !self.config.lists.is_empty() || self.ledger.knows_lists()?;
        let all = match fetch_lists(&mut self.session, &self.account, expect_some).await {
            Ok(all) => all,
            // The token is lost, not the lists.
            Err(error) if self.session.cannot_refresh() => return Err(error.or_safe(NO_ROW)),
            Err(error) => return Err(error.during("the account's lists").or_safe(NOTHING_YET)),
        };
        self.known_lists = all.iter().map(|list| list.this.clone()).collect();
        self.forget_pending_of_deleted(&all).await?;
        let selected = select(all, &self.config.lists, &self.config.exclude_lists)?;
        self.forget_pending_of_unwatched(&selected)?;
        Ok(selected)
    }

    /// What is wanted of each feed that is wanted at all.
    pub(super) fn wanted(&self, lists: &[List]) -> Vec<Wanted> {
        let feeds = Feed::ALL.into_iter().map(|feed| Wanted {
            account: self.account.clone(),
            feed,
            statuses: feed.statuses(&self.config.statuses),
            full: self.config.full,
            lists: lists.iter().map(|list| list.this.id).collect(),
            run: self.run,
        });
        feeds.filter(|wanted| !wanted.statuses.is_empty()).collect()
    }

    async fn bring_up_to_date(
        &mut self,
        list: &List,
        wanted: &Wanted,
        collector: &mut Collector,
    ) -> Result<()> {
        let before = collector.rows();
        progress::list(&list.this.name);
        let catch_up = CatchUp::new(&mut self.session, &mut self.ledger, collector, wanted, list);
        let outcome = match catch_up {
            Ok(catch_up) => catch_up.run().await,
            Err(error) => Err(error),
        };
        let new = collector.rows() - before;
        self.summary.count(&list.this, wanted.feed, new);
        outcome.map_err(|error| error.during(named(list, wanted.feed)))?;
        tracing::debug!(
            event = "list_done",
            list = list.this.id,
            name = list.this.name,
            new,
            feed = wanted.feed.word(),
            "list is up to date"
        );
        Ok(())
    }
}

/// The failures of feeds.
#[derive(Default)]
struct Trouble {
    failed: Vec<Error>,
    /// So many in a row because AWeber could not be reached.
    unreachable: u32,
    /// The last one ends the run.
    is_fatal: bool,
}

impl Trouble {
    fn note(&mut self, outcome: Result<()>, is_unreachable: bool) {
        self.unreachable = match &outcome {
            Err(_) if is_unreachable => self.unreachable + 1,
            _ => 0,
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Unavailable => self.failed.push(error),
            Err(error) => {
                self.is_fatal = true;
                self.failed.push(error.or_safe(
                    "what was found before is kept; this and the following lists continue in the next run",
                ));
            }
        }
    }

    /// Whether the other lists are left to the next run; logs why.
    fn ends_the_run(&self, cannot_refresh: bool) -> bool {
        if self.is_fatal {
            return true;
        }
        let reason = if cannot_refresh {
            "without a token"
        } else if self.unreachable == UNREACHABLE_FEEDS {
            "AWeber cannot be reached:"
        } else {
            return false;
        };
        tracing::warn!(
            event = "lists_left",
            "{reason} the other lists are left to the next run"
        );
        true
    }
}

/// For the progress bar: all subscribers of a feed whose first export is not complete.
fn rows_to_look_at(progress: &Progress, list: &List, wanted: &Wanted) -> u64 {
    if !wanted.full && progress.is_complete(&wanted.statuses) {
        return 0;
    }
    let walk = progress.walk.as_ref().filter(|_| !wanted.full);
    let statuses = wanted.feed.statuses(Status::value_variants());
    let counts = statuses.into_iter().map(|status| list.count(Some(status)));
    let all = counts.fold(0, u64::saturating_add);
    all.saturating_sub(walk.map_or(0, |walk| walk.seen))
}

fn named(list: &List, feed: Feed) -> String {
    match feed {
        Feed::Arrivals => list.this.to_string(),
        Feed::Departures => format!("unsubscriptions of {}", list.this),
    }
}

/// One error for the lists that failed; the others are exported.
fn all_failures(failed: Vec<Error>, done: usize, lists: usize) -> Result<()> {
    let safe = format!(
        "{done} of {lists} lists are up to date and exported; the others continue in the next run"
    );
    let mut failures = Failures::default();
    for error in failed {
        failures.take::<()>(Err(error.or_safe(&safe)));
    }
    failures.into_result()
}
