//! One run from the batch that a killed one left to the file of its own: steps 2b to 6 of `run`.

use crate::api::session::Session;
use crate::batch::collect::{Collector, ExportOptions};
use crate::batch::output::Output;
use crate::batch::printer::Printer;
use crate::batch::recover::{Recovered, recover};
use crate::catch_up::{CatchUp, Wanted};
use crate::cli;
use crate::config::{Paths, Since};
use crate::error::{Error, Failures, Kind, Result};
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::lists::{List, fetch_lists, select};
use crate::progress;
use crate::report::Summary;
use chrono::{DateTime, Utc};

/// What is safe if a run fails before its first list.
const NOTHING_YET: &str = "the tokens are stored; nothing was exported by this run, no row is lost";

/// As above, if there are no tokens that could be.
const NO_ROW: &str = "nothing was exported by this run, no row is lost";

/// How many lists in a row may find nobody at the other end before the rest is left to the next run.
const UNREACHABLE_LISTS: u32 = 2;

/// What all steps of one run know.
pub(crate) struct Job<'a> {
    pub(crate) args: &'a cli::Run,
    pub(crate) paths: &'a Paths,
    pub(crate) account: String,
    pub(crate) since: Since,
    pub(crate) layout: Layout,
    /// The number of the run.
    pub(crate) run: i64,
}

impl Job<'_> {
    /// Does the work; what came of it is in the summary, also after an error.
    pub(crate) async fn work(
        &self,
        session: &mut Session,
        ledger: &mut Ledger,
        summary: &mut Summary,
    ) -> Result<()> {
        let args = self.args;

        // 2b. Finish the batch that a killed run left behind, with the options it was recorded with.
        let mut printer = Printer::new(session.stop());
        if !args.dry_run {
            match recover(ledger, &mut printer).await? {
                Some(Recovered::Published(path, rows)) => {
                    tracing::info!(event = "recovered", rows, path = %path.display(), "published what a killed run had left");
                    summary.recovered = Some((path, rows));
                }
                Some(Recovered::Void) => tracing::info!(
                    event = "batch_void",
                    "a killed run had left an empty or lost batch: its rows are fetched again"
                ),
                None => {}
            }
        }
        let output = Output::settle(
            args.output.as_deref(),
            &self.paths.state_dir,
            &self.layout,
            ledger,
            args.dry_run,
        )?;

        // 3. Refresh on start. The new tokens are durable before they are used.
        session.remember_requests(ledger.request_times()?);
        session.remember_time(
            ledger
                .aweber_time()?
                .and_then(|at| DateTime::from_timestamp(at, 0)),
        );
        if session.counts().refreshes == 0 {
            session.refresh().await?;
        }

        // 4. Page through the lists; 5. collect who is new.
        let mut collector = Collector::new(ExportOptions {
            output,
            layout: self.layout.clone(),
            mode: args.output_mode,
            state_dir: self.paths.state_dir.clone(),
            dry_run: args.dry_run,
        });
        let outcome = self.collect(session, ledger, &mut collector, summary).await;
        progress::end();
        for name in collector.unseen_custom_fields() {
            let text = format!(
                "no new subscriber has a custom field named {name:?}: its column is empty (names match exactly)"
            );
            if collector.had_full_walk() {
                tracing::warn!(event = "custom_field_unseen", name, "{text}");
            } else {
                tracing::info!(event = "custom_field_unseen", name, "{text}");
            }
        }

        // 6. Publish what there is, unless the disk failed or somebody wants us gone: then the next run does.
        let kept = match outcome.as_ref().err().map(Error::kind) {
            // Which of the rows since the last checkpoint are in the stage file nobody knows: `go` takes them back.
            Some(Kind::LocalIo | Kind::Output) => Ok(()),
            Some(Kind::Signal(_)) => collector.checkpoint(ledger),
            _ => match collector.publish(ledger, &mut printer).await {
                Ok(published) => {
                    summary.published = published;
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        let mut failures = Failures::default();
        failures.take(outcome);
        failures.take(kept);
        failures.into_result()
    }

    async fn collect(
        &self,
        session: &mut Session,
        ledger: &mut Ledger,
        collector: &mut Collector,
        summary: &mut Summary,
    ) -> Result<()> {
        let all = match fetch_lists(session, &self.account).await {
            Ok(all) => all,
            // What died is the token, not the lists.
            Err(error) if session.cannot_refresh() => return Err(error.or_safe(NO_ROW)),
            Err(error) => return Err(error.during("the account's lists").or_safe(NOTHING_YET)),
        };
        let lists = select(all, &self.args.lists, &self.args.exclude_lists)?;
        let today = session.now().unwrap_or_else(Utc::now).date_naive();
        let wanted = Wanted {
            account: self.account.clone(),
            statuses: self.args.statuses.clone(),
            since: self.since.day(today),
            full: self.args.full,
            run: self.run,
        };
        progress::begin(lists.iter().map(|list| self.to_look_at(ledger, list)).sum());
        if wanted.since.is_some() {
            // Remembered before anything is asked of a list, whatever becomes of this run.
            for list in &lists {
                ledger.begin_list(list.this.id, wanted.since)?;
            }
            collector.checkpoint(ledger)?;
        }
        let mut failures: Vec<Error> = Vec::new();
        let (mut unreachable, mut done) = (0, 0);
        for list in &lists {
            let before = collector.rows();
            progress::list(&list.this.name);
            let outcome = match CatchUp::new(session, ledger, collector, &wanted, list) {
                Ok(catch_up) => catch_up.run().await,
                Err(error) => Err(error),
            };
            let new = collector.rows() - before;
            summary.lists.push((list.this.clone(), new));
            match outcome {
                Ok(_) => {
                    tracing::debug!(
                        event = "list_done",
                        list = list.this.id,
                        name = list.this.name,
                        new,
                        "list is up to date"
                    );
                    unreachable = 0;
                    done += 1;
                }
                Err(error) if error.kind() == Kind::Unavailable => {
                    failures.push(error.during(named(list)));
                    unreachable = if session.is_unreachable() {
                        unreachable + 1
                    } else {
                        0
                    };
                }
                Err(error) => {
                    let error = error.during(named(list)).or_safe(
                        "what was found before is kept; this and the following lists keep their place for the next run",
                    );
                    failures.into_iter().for_each(|failure| failure.log());
                    return Err(error);
                }
            }
            if session.cannot_refresh() {
                tracing::warn!(
                    event = "lists_left",
                    "without a token the other lists are left to the next run"
                );
                break;
            }
            if unreachable == UNREACHABLE_LISTS {
                tracing::warn!(
                    event = "lists_left",
                    "AWeber cannot be reached: the other lists are left to the next run"
                );
                break;
            }
        }
        all_failures(failures, done, lists.len())
    }
}

/// For the progress bar.
impl Job<'_> {
    /// How many subscribers are to be looked at on a list: all of them if its first export is not complete.
    fn to_look_at(&self, ledger: &Ledger, list: &List) -> u64 {
        let progress = ledger.progress(list.this.id).unwrap_or_default();
        let everything = self.args.full || progress.statuses.is_none();
        let done = progress.walk.map_or(0, |walk| walk.seen);
        if everything {
            (list.subscribed + list.unconfirmed).saturating_sub(done)
        } else {
            0
        }
    }
}

fn named(list: &List) -> String {
    format!("list {} ({})", list.this.id, list.this.name)
}

/// One error for the lists that failed: each is named, the others are out.
fn all_failures(mut failures: Vec<Error>, done: usize, lists: usize) -> Result<()> {
    let safe = format!(
        "{done} of {lists} lists are up to date and exported; the others keep their place for the next run"
    );
    let Some(last) = failures.pop() else {
        return Ok(());
    };
    for failure in failures {
        failure.log();
    }
    Err(last.or_safe(safe))
}
