//! Bringing one list up to date: the queries of its plan, what each row means for export and pending, and then those
//! who were pending and were not seen. A list's progress is noted only for what is in the batch.

mod left_out;
mod pending;
mod without_email;

use crate::api::session::Session;
use crate::batch::collect::Collector;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::ledger::pending::Sighting;
use crate::ledger::progress::{LeftOut, Progress, SavedWalk};
use crate::lists::{List, account_path};
use crate::pages::collection::Query;
use crate::pages::next::Walk;
use crate::pages::walk::{Rows, Verify, Walker};
use crate::plan::{Plan, plan};
use crate::progress;
use crate::subscriber::{Status, StatusCell, SubscribedAt, Subscriber};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::time::Duration;

/// How many keys of a walk are kept for going on in another process.
const KEYS_KEPT: usize = 100;

/// A wait for the rate limit that is worth a checkpoint before it.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// What a run does on every list.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) account: String,
    pub(crate) statuses: Vec<Status>,
    pub(crate) full: bool,
    /// The number of the run.
    pub(crate) run: i64,
}

/// One list being brought up to date.
pub(crate) struct CatchUp<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) collector: &'a mut Collector,
    pub(crate) wanted: &'a Wanted,
    pub(crate) list: &'a List,
    progress: Progress,
    /// The newest subscribed_at seen, Unix seconds.
    newest: Option<i64>,
    left_out: Option<LeftOut>,
    has_warned_of_refusal: bool,
    new: u64,
}

impl<'a> CatchUp<'a> {
    /// Ready to go on where the ledger says.
    pub(crate) fn new(
        session: &'a mut Session,
        ledger: &'a mut Ledger,
        collector: &'a mut Collector,
        wanted: &'a Wanted,
        list: &'a List,
    ) -> Result<CatchUp<'a>> {
        let progress = ledger.progress(list.this.id)?;
        Ok(CatchUp {
            session,
            ledger,
            collector,
            wanted,
            list,
            progress,
            newest: None,
            left_out: None,
            has_warned_of_refusal: false,
            new: 0,
        })
    }

    /// Runs the catch-up; returns the number of new rows. On an error, the rows found so far stay in the batch and the
    /// progress is recorded.
    pub(crate) async fn run(mut self) -> Result<u64> {
        // Whoever signs up from here on is not hidden by the mark, however long the queries take.
        let began = self.now();
        match plan(
            &self.progress,
            &self.wanted.statuses,
            self.wanted.full,
            self.session.now(),
        ) {
            Plan::Recent { after } => {
                let query = self.find(None, after);
                let expect = self.progress.mark.is_some();
                self.walk(Walker::new(query, None, Verify::Count, expect), None)
                    .await?;
                self.check_pending(true).await?;
            }
            Plan::Everything {
                unconfirmed_after,
                status,
                after,
            } => {
                self.collector.note_full_walk();
                if let Some(after) = unconfirmed_after {
                    let query = self.find(Some(Status::Unconfirmed), after);
                    let expect = self.list.unconfirmed > 0;
                    let walker = Walker::new(query, None, Verify::Count, expect)
                        .with_claimed_rows(self.list.count(Some(Status::Unconfirmed)));
                    self.walk(walker, Some(Status::Unconfirmed)).await?;
                }
                self.walk_everything(status, after).await?;
                self.check_pending(false).await?;
            }
        }
        self.progress.statuses = Some(self.statuses());
        self.progress.again = false;
        self.progress.mark = self.next_mark(began);
        self.note_progress()?;
        self.checkpoint_if_due()?;
        self.check_left_out()?;
        Ok(self.new)
    }

    /// The newest subscribed_at seen, but no later than a row that was left out: the next run asks for that again.
    fn next_mark(&self, began: DateTime<Utc>) -> Option<i64> {
        let before = self.progress.mark;
        let newest = self.newest.map(|newest| newest.min(began.timestamp()));
        let mark = before.max(newest);
        match &self.left_out {
            None => mark,
            Some(left_out) => left_out
                .mark
                .map_or(before, |oldest| mark.map(|mark| mark.min(oldest))),
        }
    }

    /// AWeber's clock; should it have none, ours: too early a mark costs a request, no row.
    fn now(&self) -> DateTime<Utc> {
        self.session.now().unwrap_or_else(Utc::now)
    }

    /// The find of this list (AWeber API, section 3), oldest first.
    fn find(&self, status: Option<Status>, after: Option<NaiveDate>) -> Query {
        let mut parameters = vec![
            ("ws.op", "find".to_owned()),
            ("sort_key", "subscribed_at".to_owned()),
            ("sort_order", "asc".to_owned()),
        ];
        parameters.extend(status.map(|status| ("status", status.word().to_owned())));
        parameters.extend(after.map(|day| ("subscribed_after", day.to_string())));
        Query {
            path: self.subscribers_path(),
            parameters,
        }
    }

    fn subscribers_path(&self) -> String {
        format!(
            "{}/lists/{}/subscribers",
            account_path(&self.wanted.account),
            self.list.this.id
        )
    }

    /// A walk that begins anew if it is interrupted. `asked`: the only status it asked for.
    async fn walk(&mut self, mut walker: Walker, asked: Option<Status>) -> Result<()> {
        while let Some(rows) = walker.next(self.session).await? {
            self.note_left_out(&rows, walker.query());
            self.take(&rows, asked)?;
            progress::advance(rows.fresh.len() as u64);
            self.checkpoint_if_due()?;
        }
        self.warn_of_wrong_count(&walker);
        Ok(())
    }

    fn warn_of_wrong_count(&self, walker: &Walker) {
        if let Some((counted, seen)) = walker.wrong_count() {
            let (list, name) = (self.list.this.id, &self.list.this.name);
            tracing::warn!(
                event = "count_wrong",
                list,
                counted,
                seen,
                "list {list} ({name}): AWeber counts {counted} subscribers, but its pages held the same {seen} twice: \
                 any others cannot be exported"
            );
        }
    }

    /// The walk through everything, which another process can go on with unless this is `--full` on a complete list.
    async fn walk_everything(
        &mut self,
        status: Option<Status>,
        after: Option<NaiveDate>,
    ) -> Result<()> {
        let saved = self
            .progress
            .walk
            .take()
            .filter(|saved| self.may_resume(saved));
        if let Some(saved) = &saved {
            tracing::info!(
                event = "resumed",
                list = self.list.this.id,
                row = saved.start,
                "going on where the last run stopped"
            );
            self.newest = self.newest.max(saved.newest);
            self.left_out = saved.left_out.clone();
        }
        let from = saved.map(|saved| Walk::resume(saved.start, saved.seen, saved.keys));
        let expect = from.is_none() && self.list.subscribed > 0;
        let mut walker = Walker::new(self.find(status, after), from, Verify::Count, expect)
            .with_claimed_rows(self.list.count(status));
        loop {
            match walker.next(self.session).await {
                Ok(Some(rows)) => {
                    self.note_left_out(&rows, walker.query());
                    self.take(&rows, status)?;
                    progress::advance(rows.fresh.len() as u64);
                    if self.is_checkpoint_due() {
                        self.save_walk(walker.position())?;
                        self.checkpoint()?;
                    }
                }
                Ok(None) => {
                    self.warn_of_wrong_count(&walker);
                    return Ok(());
                }
                Err(error) => {
                    if !walker.has_failed() {
                        self.save_walk(walker.position())?;
                    } else {
                        self.note_progress()?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn may_resume(&self, saved: &SavedWalk) -> bool {
        self.is_resumable() && !self.wanted.full && saved.statuses == self.statuses()
    }

    /// Only a walk through a list that is not complete: `--full` looks for rows with an old date, and those may be added
    /// before the place where it stopped.
    fn is_resumable(&self) -> bool {
        !self.progress.is_complete(&self.wanted.statuses)
    }

    fn save_walk(&mut self, position: &Walk) -> Result<()> {
        self.progress.walk = self.is_resumable().then(|| SavedWalk {
            statuses: self.statuses(),
            start: position.offset(),
            seen: position.seen(),
            keys: position.last_keys(KEYS_KEPT).cloned().collect(),
            newest: self.newest,
            left_out: self.left_out.clone(),
        });
        self.note_progress()
    }

    fn statuses(&self) -> Vec<Status> {
        let mut statuses = self.wanted.statuses.clone();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    fn note_progress(&mut self) -> Result<()> {
        let batch_open = self.collector.batch().is_some();
        self.ledger
            .set_progress(self.list.this.id, &self.progress, batch_open)
    }

    /// Also before a long wait: a kill during it must cost nothing.
    fn is_checkpoint_due(&mut self) -> bool {
        self.collector.checkpoint_is_due() || self.session.wait_ahead() > LONG_WAIT
    }

    fn checkpoint_if_due(&mut self) -> Result<()> {
        if self.is_checkpoint_due() {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.collector.checkpoint(self.ledger)
    }

    /// The new rows of a page: export, remember as pending, or let go.
    fn take(&mut self, rows: &Rows, asked: Option<Status>) -> Result<()> {
        self.check_addresses(rows);
        let subscribers = rows.fresh.iter().map(|i| rows.page.subscriber(*i));
        self.take_subscribers(subscribers, asked)
    }

    fn take_subscribers<'s>(
        &mut self,
        subscribers: impl Iterator<Item = Subscriber<'s>>,
        asked: Option<Status>,
    ) -> Result<()> {
        let list = self.list.this.id;
        let mut wanted = Vec::with_capacity(subscribers.size_hint().0);
        let mut others = Vec::new();
        for subscriber in subscribers {
            let seen = Sighting {
                list,
                subscriber: subscriber.id(),
                run: self.wanted.run,
            };
            let subscribed_at = &subscriber.key().subscribed_at;
            let at = subscribed_at.earliest();
            self.newest = self.newest.max(at);
            if self.is_before_since(subscribed_at) {
                // Not exported whatever the status: no need to ask again.
                others.push(subscriber.id());
                continue;
            }
            let status = match (subscriber.status(), asked) {
                (StatusCell::Absent, Some(asked)) => StatusCell::Known(asked),
                (status, _) => status,
            };
            match status {
                StatusCell::Known(status) if self.wanted.statuses.contains(&status) => {
                    wanted.push(subscriber)
                }
                // Only the id is sure to be there. Better a row with an empty cell than no row.
                StatusCell::Absent => wanted.push(subscriber),
                StatusCell::Known(Status::Unconfirmed) => {
                    let now = self.now().timestamp();
                    self.ledger.note_pending(seen, at, now)?;
                }
                // Confirmed, but not wanted by this run: a later one that wants it must still find it.
                StatusCell::Known(Status::Subscribed) => self.ledger.touch_pending(seen)?,
                StatusCell::Known(Status::Unsubscribed) => others.push(subscriber.id()),
                // A word that we do not know: neither exported nor forgotten.
                StatusCell::Other => self.ledger.touch_pending(seen)?,
            }
        }
        self.new += self
            .collector
            .offer(self.ledger, &self.list.this, &wanted)?;
        if self.ledger.has_pending(list)? {
            let batch = self.collector.batch();
            for subscriber in &wanted {
                self.ledger.resolve_pending(list, subscriber.id(), batch)?;
            }
            for id in others {
                // Left before confirming, or before the day that this list begins with.
                self.ledger.resolve_pending(list, id, None)?;
            }
        }
        Ok(())
    }

    /// Whether somebody surely came before the day that this list begins with.
    fn is_before_since(&self, subscribed_at: &SubscribedAt) -> bool {
        self.progress.since.is_some_and(|since| {
            let midnight = since.and_time(NaiveTime::MIN).and_utc().timestamp();
            subscribed_at.latest().is_some_and(|at| at < midnight)
        })
    }
}
