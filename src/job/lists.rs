//! The lists, one after the other: a failing list does not stop the others.

use super::Job;
use crate::batch::collect::Collector;
use crate::catch_up::{CatchUp, Wanted};
use crate::error::{Error, Failures, Kind, Result};
use crate::ledger::Ledger;
use crate::lists::{List, fetch_lists, select};
use crate::printable::printable;
use crate::progress;
use crate::subscriber::Status;

/// What is safe if a run fails before its first list.
const NOTHING_YET: &str = "the tokens are stored; nothing was exported by this run, no row is lost";

/// As above, if the tokens are lost.
const NO_ROW: &str = "nothing was exported by this run, no row is lost";

/// After so many unreachable lists in a row the rest is left to the next run.
const UNREACHABLE_LISTS: u32 = 2;

impl Job<'_> {
    /// Brings every selected list up to date.
    pub(super) async fn bring_lists_up_to_date(&mut self, collector: &mut Collector) -> Result<()> {
        let lists = self.select_lists().await?;
        self.begin_lists(&lists, collector)?;
        let wanted = self.wanted();
        let total = lists.iter().map(|list| self.to_look_at(list)).sum();
        progress::begin(total);
        let mut failed: Vec<Error> = Vec::new();
        let (mut unreachable, mut done) = (0, 0);
        for list in &lists {
            match self.bring_up_to_date(list, &wanted, collector).await {
                Ok(()) => (unreachable, done) = (0, done + 1),
                Err(error) if error.kind() == Kind::Unavailable => {
                    failed.push(error);
                    let is_unreachable = self.session.is_unreachable();
                    unreachable = if is_unreachable { unreachable + 1 } else { 0 };
                }
                Err(error) => {
                    failed.push(error.or_safe(
                        "what was found before is kept; this and the following lists continue in the next run",
                    ));
                    break;
                }
            }
            let reason = if self.session.cannot_refresh() {
                "without a token"
            } else if unreachable == UNREACHABLE_LISTS {
                "AWeber cannot be reached:"
            } else {
                continue;
            };
            tracing::warn!(
                event = "lists_left",
                "{reason} the other lists are left to the next run"
            );
            break;
        }
        all_failures(failed, done, lists.len())
    }

    async fn select_lists(&mut self) -> Result<Vec<List>> {
        let expect_some = !self.config.lists.is_empty() || self.ledger.knows_lists()?;
        let all = match fetch_lists(&mut self.session, &self.account, expect_some).await {
            Ok(all) => all,
            // The token is lost, not the lists.
            Err(error) if self.session.cannot_refresh() => return Err(error.or_safe(NO_ROW)),
            Err(error) => return Err(error.during("the account's lists").or_safe(NOTHING_YET)),
        };
        self.forget_pending_of_deleted(&all).await?;
        let selected = select(all, &self.config.lists, &self.config.exclude_lists)?;
        self.forget_pending_of_excluded(&selected)?;
        Ok(selected)
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            account: self.account.clone(),
            statuses: self.config.statuses.clone(),
            full: self.config.full,
            run: self.run,
        }
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
        self.summary.rows_by_list.push((list.this.clone(), new));
        outcome.map_err(|error| error.during(named(list)))?;
        tracing::debug!(
            event = "list_done",
            list = list.this.id,
            name = list.this.name,
            new,
            "list is up to date"
        );
        Ok(())
    }

    /// For the progress bar: all subscribers of a list whose first export is not complete.
    fn to_look_at(&self, list: &List) -> u64 {
        let config = self.config;
        to_look_at(&self.ledger, list, &config.statuses, config.full)
    }
}

fn to_look_at(ledger: &Ledger, list: &List, wanted: &[Status], full: bool) -> u64 {
    let progress = ledger.progress(list.this.id).unwrap_or_default();
    if !full && progress.is_complete(wanted) {
        return 0;
    }
    let done = progress.walk.filter(|_| !full).map_or(0, |walk| walk.seen);
    (list.subscribed + list.unconfirmed).saturating_sub(done)
}

fn named(list: &List) -> String {
    // A name with a line break could forge a `next:` of its own.
    let name = printable(&list.this.name, usize::MAX);
    format!("list {} ({name})", list.this.id)
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
