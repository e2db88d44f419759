//! Bringing one list up to date: the queries of its plan, what each row means for export and pending, and then those
//! who were pending and were not seen. A list's progress is noted only for what is in the batch.

use crate::api::session::{Found, Session};
use crate::batch::collect::Collector;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::ledger::pending::Sighting;
use crate::ledger::progress::{Progress, SavedWalk};
use crate::lists::{List, account_path};
use crate::pages::collection::Query;
use crate::pages::next::Walk;
use crate::pages::walk::{Rows, Verify, Walker};
use crate::plan::{LINK_DAYS, Plan, pending_after, plan};
use crate::progress;
use crate::subscriber::{Entry, Status, StatusCell, SubscribedAt, Subscriber};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use std::time::Duration;

/// How many keys of a walk are kept for going on in another process.
const KEYS_KEPT: usize = 100;

/// How old, by AWeber's clock, a stopped `--full` may be to be gone on with: what was imported with old dates since
/// then may stand before its place.
const FULL_KEEPS: TimeDelta = TimeDelta::days(2);

/// A wait for the rate limit that is worth a checkpoint before it.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// How many pending ids are looked up in the ledger at a time.
const IDS_AT_A_TIME: u32 = 100;

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
            new: 0,
        })
    }

    /// Does it; says how many rows are new. On an error everything found so far is in the batch and the progress
    /// made is noted.
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
        self.progress.mark = self
            .progress
            .mark
            .max(self.newest.map(|newest| newest.min(began.timestamp())));
        self.note_progress()?;
        self.checkpoint_if_due()?;
        Ok(self.new)
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
            self.take(&rows, asked)?;
            progress::advance(rows.fresh.len() as u64);
            self.checkpoint_if_due()?;
        }
        Ok(())
    }

    /// The walk through everything, which another process can go on with.
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
        }
        let from = saved.map(|saved| Walk::resume(saved.start, saved.seen, saved.keys));
        let expect = from.is_none() && self.list.subscribed > 0;
        let mut walker = Walker::new(self.find(status, after), from, Verify::Count, expect)
            .with_claimed_rows(self.list.count(status));
        loop {
            match walker.next(self.session).await {
                Ok(Some(rows)) => {
                    self.take(&rows, status)?;
                    progress::advance(rows.fresh.len() as u64);
                    if self.is_checkpoint_due() {
                        self.save_walk(walker.position())?;
                        self.checkpoint()?;
                    }
                }
                Ok(None) => return Ok(()),
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
        let first_export = self.progress.statuses.is_none();
        let age = saved
            .at
            .and_then(|at| DateTime::from_timestamp(at, 0))
            .map(|at| self.now() - at);
        saved.statuses == self.statuses()
            && (first_export || age.is_some_and(|age| age <= FULL_KEEPS))
    }

    fn save_walk(&mut self, position: &Walk) -> Result<()> {
        self.progress.walk = Some(SavedWalk {
            statuses: self.statuses(),
            start: position.offset(),
            seen: position.seen(),
            keys: position.last_keys(KEYS_KEPT).cloned().collect(),
            newest: self.newest,
            at: Some(self.now().timestamp()),
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
                StatusCell::Known(_) => others.push(subscriber.id()),
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
                // Left before confirming.
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

    /// Those pending whom this run has not seen: still unconfirmed, confirmed meanwhile, or gone.
    async fn check_pending(&mut self, ask_for_unconfirmed: bool) -> Result<()> {
        let list = self.list.this.id;
        if self.wanted.statuses.contains(&Status::Unconfirmed) {
            return self.ledger.forget_pending(list, self.collector.batch());
        }
        let (unseen, oldest) = self.ledger.unchecked_pending(list, self.wanted.run)?;
        if unseen > 0 && ask_for_unconfirmed {
            let query = self.find(Some(Status::Unconfirmed), pending_after(oldest));
            // Whoever a shift hides from this walk is asked for by id.
            let walker = Walker::new(query, None, Verify::EndOnly, false);
            self.walk(walker, Some(Status::Unconfirmed)).await?;
        }
        let mut after = i64::MIN;
        loop {
            let ids = self
                .ledger
                .unchecked_ids(list, self.wanted.run, after, IDS_AT_A_TIME)?;
            let Some(last) = ids.last() else { break };
            after = *last;
            for id in ids {
                self.check_one(id).await?;
                self.checkpoint_if_due()?;
            }
        }
        if let Some(now) = self.session.now() {
            // Only those whom this very run has seen still unconfirmed: their link no longer works.
            let before = (now - TimeDelta::days(LINK_DAYS)).timestamp();
            self.ledger
                .forget_expired_pending(list, self.wanted.run, before)?;
        }
        Ok(())
    }

    async fn check_one(&mut self, id: i64) -> Result<()> {
        let path = format!("{}/{id}", self.subscribers_path());
        let read = |body: Vec<u8>| {
            let text = String::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
            match Entry::parse(&text) {
                Some(entry) if entry.key.id == id => Ok((text, entry)),
                _ => Err("it is not the subscriber asked for".to_owned()),
            }
        };
        match self.session.get(&path, read).await? {
            Found::There((text, entry)) => {
                self.take_subscribers([Subscriber::new(&text, &entry)].into_iter(), None)
            }
            // Pending rows drop off after some 30 days: no error.
            Found::NotThere => self.ledger.resolve_pending(self.list.this.id, id, None),
        }
    }
}
