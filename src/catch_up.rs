//! Bringing one feed of a list up to date: the queries of its plan, what each row means for export and pending, and then
//! those who were pending and were not seen. Progress is noted only for what is in the batch.

mod left_out;
mod meaning;
mod pending;
mod whole;
mod without_email;

use crate::api::session::Session;
use crate::batch::collect::Collector;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::ledger::progress::{LeftOut, Progress};
use crate::lists::{List, account_path};
use crate::pages::collection::Query;
use crate::pages::walk::{Verify, Walker};
use crate::plan::{Plan, plan};
use crate::progress;
use crate::subscriber::Status;
use crate::subscriber::feed::Feed;
use chrono::{DateTime, NaiveDate, Utc};
use std::time::Duration;

/// A wait for the rate limit that is worth a checkpoint before it.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// What a run wants of one feed, on every list.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) account: String,
    pub(crate) feed: Feed,
    /// Those of the feed, sorted, each once.
    pub(crate) statuses: Vec<Status>,
    pub(crate) full: bool,
    /// All lists of the run, whose custom fields may get columns.
    pub(crate) lists: Vec<i64>,
    /// The number of the run.
    pub(crate) run: i64,
}

impl Wanted {
    /// The first request for a feed with this progress, if it only needs recent events and one page is likely to have all
    /// of them.
    pub(crate) fn recent_page(
        &self,
        list: &List,
        progress: &Progress,
        now: Option<DateTime<Utc>>,
    ) -> Option<String> {
        match plan(self.feed, progress, &self.statuses, self.full, now) {
            Plan::Recent { status, after } => Some(self.find(list, status, after).page(0)),
            Plan::Everything { .. } => None,
        }
    }

    fn find(&self, list: &List, status: Option<Status>, after: Option<NaiveDate>) -> Query {
        let mut query = Query::find(self.subscribers_path(list), self.feed);
        let status = status.map(|status| ("status", status.word().to_owned()));
        let after = after.map(|day| (self.feed.after_filter(), day.to_string()));
        query.parameters.extend(status.into_iter().chain(after));
        query
    }

    fn subscribers_path(&self, list: &List) -> String {
        let (account, id) = (account_path(&self.account), list.this.id);
        format!("{account}/lists/{id}/subscribers")
    }
}

/// One feed of a list being brought up to date.
pub(crate) struct CatchUp<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) collector: &'a mut Collector,
    pub(crate) wanted: &'a Wanted,
    pub(crate) list: &'a List,
    progress: Progress,
    /// The newest event seen, Unix seconds.
    newest: Option<i64>,
    /// AWeber's time when the queries began, Unix seconds: an event after that may have been hidden from them. Earlier for
    /// a walk that another process began.
    began: i64,
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
        let progress = ledger.progress(list.this.id, wanted.feed)?;
        Ok(CatchUp {
            began: now(session).timestamp(),
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
        let wanted = self.wanted;
        match plan(
            wanted.feed,
            &self.progress,
            &wanted.statuses,
            wanted.full,
            self.session.now(),
        ) {
            Plan::Recent { status, after } => {
                let query = self.find(status, after);
                let expect = self.progress.mark.is_some() && !self.progress.quiet;
                self.walk(Walker::new(query, None, Verify::Count, expect), status)
                    .await?;
                self.progress.quiet = self.newest.is_none();
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
                self.progress.quiet = false;
                self.check_pending(false).await?;
            }
        }
        self.progress.statuses = Some(self.wanted.statuses.clone());
        self.progress.again = false;
        self.progress.mark = self.next_mark();
        self.note_progress()?;
        self.checkpoint_if_due()?;
        self.check_left_out()?;
        Ok(self.new)
    }

    /// The newest event seen, but no later than a row that was left out: the next run asks for that again.
    fn next_mark(&self) -> Option<i64> {
        let before = self.progress.mark;
        let newest = self.newest.map(|newest| newest.min(self.began));
        let mark = before.max(newest);
        match &self.left_out {
            None => mark,
            Some(left_out) => left_out
                .mark
                .map_or(before, |oldest| mark.map(|mark| mark.min(oldest))),
        }
    }

    fn find(&self, status: Option<Status>, after: Option<NaiveDate>) -> Query {
        self.wanted.find(self.list, status, after)
    }

    /// A walk that begins anew if it is interrupted. `asked`: the only status it asked for.
    async fn walk(&mut self, mut walker: Walker, asked: Option<Status>) -> Result<()> {
        while let Some(rows) = walker.next(self.session).await? {
            self.note_left_out(&rows, walker.query());
            self.take(&rows, asked).await?;
            progress::advance(rows.fresh.len() as u64);
            self.checkpoint_if_due()?;
        }
        self.warn_of_wrong_count(&walker);
        Ok(())
    }

    fn warn_of_wrong_count(&self, walker: &Walker) {
        if let Some((counted, seen)) = walker.wrong_count() {
            let (list, named) = (self.list.this.id, &self.list.this);
            tracing::warn!(
                event = "count_wrong",
                list,
                counted,
                seen,
                "{named}: AWeber counts {counted} subscribers, but its pages held the same {seen} twice: \
                 any others cannot be exported"
            );
        }
    }

    fn note_progress(&mut self) -> Result<()> {
        let batch_open = self.collector.batch().is_some();
        self.ledger.set_progress(
            self.list.this.id,
            self.wanted.feed,
            &self.progress,
            batch_open,
        )
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
}

/// AWeber's clock; should it have none, ours: too early a mark costs a request, no row.
fn now(session: &Session) -> DateTime<Utc> {
    session.now().unwrap_or_else(Utc::now)
}
