//! The job of `run`, as a list of steps. What came of it is in the [`Summary`], also after an error.

mod lists;
mod since;
mod unchecked;

use crate::account::{checked_account, learn_account};
use crate::api::session::Session;
use crate::batch::allowed::OwnPaths;
use crate::batch::collect::{Collector, ExportOptions};
use crate::batch::output::Output;
use crate::batch::printer::Printer;
use crate::batch::publish::Settled;
use crate::batch::recover::{Recovered, recover};
use crate::config;
use crate::connect::session;
use crate::error::{Error, Failures, Kind, Result};
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::ledger::runs::RunTotals;
use crate::locks::Locks;
use crate::progress;
use crate::report::{Reporter, Summary};
use crate::rows::ListRef;
use crate::stop::Stop;
use chrono::{DateTime, Utc};

/// One run, once its locks are taken and its ledger is open.
struct Job<'a> {
    config: &'a config::Run,
    session: Session,
    ledger: Ledger,
    account: String,
    /// The number of the run.
    run: i64,
    /// When all of the ledger was checked, Unix seconds; `None`: by this run.
    ledger_checked_at: Option<i64>,
    /// The first batch that the run may publish.
    first_batch: i64,
    printer: Printer,
    /// Those of the account, once they were fetched.
    known_lists: Vec<ListRef>,
    /// What was published and is not committed yet.
    settled: Option<Settled>,
    summary: &'a mut Summary,
}

/// Runs the job.
pub(crate) async fn run(
    config: &config::Run,
    reporter: &Reporter,
    mut stop: Stop,
    summary: &mut Summary,
) -> Result<()> {
    let base = &config.base;

    // 1. Take the locks. 2. Finish what a killed run left of the tokens.
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    reporter.start().await;

    // 3. Load the tokens.
    let tokens = locks.load_tokens(base.client.id.as_deref())?;
    let secret = base.client.secret();
    let mut session = session(base, &locks.store, tokens, secret, stop)?;
    let account = account(&mut session, &locks).await?;
    let ledger = Ledger::open(&base.paths.ledger(&account), config.dry_run)?;
    let mut job = Job {
        config,
        printer: Printer::new(session.stop()),
        session,
        ledger,
        account,
        run: 0,
        known_lists: Vec::new(),
        settled: None,
        ledger_checked_at: None,
        first_batch: 0,
        summary,
    };
    job.begin()?;
    let mut failures = Failures::default();
    failures.take(job.work().await);
    failures.take(job.session.take_deferred_error().map_or(Ok(()), Err));
    job.report(failures)
}

/// The account as the token file has it; of a file made by hand only AWeber knows it.
async fn account(session: &mut Session, locks: &Locks) -> Result<String> {
    match session.tokens().account_id.clone() {
        Some(account) => checked_account(account),
        None => {
            session.refresh().await?;
            learn_account(session, locks).await
        }
    }
}

impl Job<'_> {
    /// Damage to the ledger is found before a token is spent.
    fn begin(&mut self) -> Result<()> {
        self.ledger_checked_at = self.ledger.check(Utc::now().timestamp())?;
        self.run = self.ledger.begin_run(Utc::now().timestamp())?;
        self.first_batch = self.ledger.first_unpublished_batch()?;
        Ok(())
    }

    async fn work(&mut self) -> Result<()> {
        match self.collect().await {
            // 6. Publish.
            Ok((collector, collected)) => self.publish(collector, collected).await,
            Err(error) => self.give_up(error),
        }
    }

    /// The new rows, and how collecting them has ended.
    async fn collect(&mut self) -> Result<(Collector, Result<()>)> {
        // 2. Finish the batch that a killed run left behind, with the options it was recorded with.
        self.recover_batch().await?;
        let output = self.settle_output()?;

        // 3. Refresh on start. The new tokens are durable before they are used.
        self.refresh().await?;

        // 4. Page through the lists; 5. collect who is new.
        let mut collector = self.collector(output)?;
        let collected = self.bring_lists_up_to_date(&mut collector).await;
        let collected = collected.map_err(|error| match error.kind() {
            Kind::TimeBudget | Kind::Signal(_) if self.config.full => {
                error.next("aweber-sync run --full with more time: it starts from the beginning")
            }
            _ => error,
        });
        progress::end();
        collector.warn_of_custom_fields();
        Ok((collector, collected))
    }

    /// What was not committed is in no batch, and must not be committed by the report.
    fn give_up(&mut self, error: Error) -> Result<()> {
        let mut failures = Failures::default();
        failures.take::<()>(Err(error));
        failures.take(self.ledger.rollback());
        failures.into_result()
    }

    async fn recover_batch(&mut self) -> Result<()> {
        if self.config.dry_run {
            return Ok(());
        }
        let state_dir = &self.config.base.paths.state_dir;
        let own = OwnPaths {
            output: Output::path(self.config.output.as_deref(), state_dir)?,
            state_dir: state_dir.clone(),
        };
        match recover(&mut self.ledger, &mut self.printer, &own).await? {
            Some(Recovered::Published(path, rows)) => {
                tracing::info!(event = "recovered", rows, path = %path.display(), "published what an earlier run had left");
                self.summary.recovered = Some((path, rows));
            }
            Some(Recovered::Void) => tracing::info!(
                event = "batch_void",
                "an earlier run had left an empty or lost batch: its rows are fetched again"
            ),
            None => {}
        }
        Ok(())
    }

    fn settle_output(&mut self) -> Result<Output> {
        Output::settle(
            self.config.output.as_deref(),
            &self.config.base.paths.state_dir,
            &self.config.layout,
            &mut self.ledger,
            self.config.dry_run,
        )
    }

    async fn refresh(&mut self) -> Result<()> {
        let time = self.ledger.aweber_time()?;
        self.session
            .remember_time(time.and_then(|at| DateTime::from_timestamp(at, 0)));
        if self.session.refreshes() == 0 {
            self.session.refresh().await?;
        }
        match self.session.refresh_answer() {
            Some(answer) => self.ledger.set_last_refresh(answer),
            None => Ok(()),
        }
    }

    fn collector(&self, output: Output) -> Result<Collector> {
        Ok(Collector::new(ExportOptions {
            begun: output.layout_begun(&self.config.layout, &self.ledger)?,
            output,
            layout: self.config.layout.clone(),
            mode: self.config.output_mode,
            state_dir: self.config.base.paths.state_dir.clone(),
            dry_run: self.config.dry_run,
        }))
    }

    /// Publishes what was collected, unless the disk failed or a signal arrived: then the next run does.
    async fn publish(&mut self, mut collector: Collector, collected: Result<()>) -> Result<()> {
        let published = match collected.as_ref().err().map(Error::kind) {
            // Which rows since the last checkpoint are in the stage file is unknown: they are rolled back.
            Some(Kind::LocalIo | Kind::Output) => self.ledger.rollback().map(|()| None),
            Some(Kind::Signal(_)) => collector.checkpoint(&mut self.ledger).map(|()| None),
            _ => collector.publish(&mut self.ledger, &mut self.printer).await,
        };
        let mut failures = Failures::default();
        failures.take(collected);
        let published = published.or_else(|error| self.give_up(error).map(|()| None));
        self.settled = failures.take(published).flatten();
        self.summary.published_to = self.settled.as_ref().map(|one| one.file().to_owned());
        failures.into_result()
    }

    /// 7. Report, in the ledger and the summary; returns the error that the run ends with.
    fn report(&mut self, mut failures: Failures) -> Result<()> {
        let summary = &mut *self.summary;
        summary.requests = self.session.requests();
        summary.refreshes = self.session.refreshes();
        summary.lowered_pace = self.session.lowered_pace();
        let tokens = self.session.tokens();
        summary.token_expires_at = tokens.kind.is_refreshed().then_some(tokens.expires_at);
        summary.previous_success = self.ledger.last_success().unwrap_or_default();
        summary.pending = self.ledger.pending().ok();
        let exit = failures.exit();
        let outcome = failures.into_result();
        let message = outcome.as_ref().err();
        let message = message.map(Error::to_string);
        failures = Failures::default();
        failures.take(outcome);
        if let Err(error) = self.note_run(exit, message.as_deref()) {
            failures.take(self.give_up(error));
            if !matches!(self.ledger.unfinished_batch(), Ok(None)) {
                // The next run commits the batch as published, and counts its rows.
                self.summary.published_to = None;
            }
        }
        self.summary.published_departures = self.ledger.published_departures(self.first_batch).ok();
        failures.into_result()
    }

    /// Records the end of the run, and of an upgrade that it has completed.
    fn note_run(&mut self, exit: Exit, message: Option<&str>) -> Result<()> {
        let totals = RunTotals {
            exit,
            rows: self.summary.published_rows(),
            requests: self.summary.requests,
            refreshes: self.summary.refreshes,
        };
        let ledger = &mut self.ledger;
        if let Some(now) = self.session.now() {
            ledger.set_aweber_time(now.timestamp())?;
        }
        ledger.set_list_names(&self.known_lists)?;
        ledger.end_run(self.run, Utc::now().timestamp(), totals, message)?;
        ledger.commit()?;
        if let Some(settled) = self.settled.take() {
            settled.clean_up();
        }
        if exit == Exit::Done && !self.config.dry_run {
            // A copy that stays harms nothing here.
            let _ = self.ledger.remove_old_copy();
        }
        let now = self.session.now().map(|now| now.timestamp());
        if let Some(at) = self.ledger_checked_at.or(now)
            && exit != Exit::LocalIo
            && !self.config.dry_run
        {
            self.ledger.note_order(at);
        }
        Ok(())
    }
}
