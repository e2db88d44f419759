//! `aweber-sync run`: the order of the job, in numbered steps.

use crate::api::session::{Found, Session};
use crate::batch::collect::{Collector, ExportOptions};
use crate::batch::output::Output;
use crate::batch::publish::Printer;
use crate::batch::recover::{Recovered, recover};
use crate::catch_up::{CatchUp, Wanted};
use crate::cli;
use crate::config::{Env, Network, Paths};
use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::{Format, Layout, split_record};
use crate::ledger::Ledger;
use crate::ledger::runs::RunTotals;
use crate::lists::{List, account_path, fetch_lists, select};
use crate::metrics::Metrics;
use crate::pages::collection::{Page, Query};
use crate::ping::{Ping, Pinger};
use crate::progress;
use crate::report::Summary;
use crate::rows::Column;
use crate::secret;
use crate::stamp;
use crate::stop::Stop;
use crate::token::model::TokenFile;
use crate::workplace::Workplace;
use chrono::{DateTime, NaiveDate, Utc};
use std::path::Path;
use std::time::{Duration, Instant};

/// The collector of Prometheus is another user; there are only numbers in it.
const METRICS_MODE: u32 = 0o644;

/// How many lists in a row may find nobody at the other end before the rest is left to the next run.
const UNREACHABLE_LISTS: u32 = 2;

/// Runs the job, and tells whoever watches it.
pub(crate) async fn run(common: &cli::Common, args: &cli::Run, env: Env<'_>) -> Result<()> {
    let began = Instant::now();
    let mut summary = Summary {
        dry_run: args.dry_run,
        ..Summary::default()
    };
    let pinger = Pinger::from_env(env)?.filter(|_| !args.dry_run);
    let stop = Stop::listen(args.max_duration)?;
    let outcome = go(
        common,
        args,
        env,
        pinger.as_ref(),
        stop.clone(),
        &mut summary,
    )
    .await;
    let exit = outcome.as_ref().err().map_or(Exit::Done, Error::exit);
    if outcome.is_ok() {
        tracing::info!(event = "run_done", "{}", summary.line());
    }
    // A run that another one kept out has nothing to tell, the other one does; a dry run has done nothing.
    if summary.locked_out || args.dry_run {
        return outcome;
    }
    if let Some(path) = &args.metrics_file {
        write_metrics(path, &summary, exit, began.elapsed());
    }
    if let Some(pinger) = pinger {
        let what = if exit == Exit::Done {
            Ping::Success
        } else {
            Ping::Fail
        };
        let text = match &outcome {
            Ok(()) => summary.line(),
            Err(error) => error.to_string(),
        };
        let body = format!("exit code {}\n{text}\n", exit.code());
        pinger.send(what, &body, stop).await;
    }
    outcome
}

/// A metric that cannot be written is no reason to fail a run that did its work.
fn write_metrics(path: &Path, summary: &Summary, exit: Exit, duration: Duration) {
    let now = Utc::now().timestamp();
    let before = || Metrics::read_last_success(&std::fs::read_to_string(path).unwrap_or_default());
    let metrics = Metrics {
        last_success: if exit == Exit::Done {
            Some(now)
        } else {
            summary.last_success.or_else(before)
        },
        ended_at: now,
        exit_code: exit.code(),
        duration_seconds: duration.as_secs_f64(),
        rows: summary.published_rows(),
        requests: summary.requests,
        refreshes: summary.refreshes,
        pending: summary.pending,
        token_expires_at: summary.token_expires_at,
    };
    if let Err(e) = atomic::replace_file(path, metrics.render().as_bytes(), METRICS_MODE) {
        tracing::warn!(
            event = "metrics_failed",
            "cannot write the metrics to {}: {e}",
            path.display()
        );
    }
}

async fn go(
    common: &cli::Common,
    args: &cli::Run,
    env: Env<'_>,
    pinger: Option<&Pinger>,
    mut stop: Stop,
    summary: &mut Summary,
) -> Result<()> {
    // What was typed is checked before anything is touched.
    let paths = Paths::new(common, env)?;
    let network = Network::new(common, &args.network)?;
    let since = Since::parse(args.since.as_deref())?;
    let layout = layout(args)?;
    let configured = secret::client_secret(env)?;

    // 1. Take the locks. 2a. Finish what a killed run left of the tokens.
    let workplace = match Workplace::enter(&paths, args.network.lock_wait, &mut stop).await {
        Err(error) if error.exit() == Exit::TryLater => {
            summary.locked_out = true;
            return Err(error);
        }
        other => other?,
    };
    if let Some(pinger) = pinger {
        pinger.send(Ping::Start, "", stop.clone()).await;
    }
    let tokens = workplace.load_tokens(common.client_id.as_deref())?;

    // Building the HTTP client comes before the refresh token is spent: a missing CA bundle fails here.
    let mut session = Session::new(
        network,
        workplace.store.clone(),
        tokens,
        configured.map(|secret| secret.value),
        stop,
    )?;
    let account = match session.tokens().account_id.clone() {
        Some(account) => checked_account(account)?,
        // A token file made by hand: only AWeber knows whose it is.
        None => {
            session.refresh().await?;
            learn_account(&mut session, &workplace).await?
        }
    };
    let mut ledger = Ledger::open(&paths.ledger(&account), args.dry_run)?;
    ledger.check_whole()?;
    let run = ledger.begin_run(Utc::now().timestamp())?;
    ledger.commit()?;
    let job = Job {
        args,
        paths: &paths,
        account,
        since,
        layout,
        run,
    };
    let outcome = job.work(&mut session, &mut ledger, summary).await;
    let outcome = with_owed(outcome, &mut session);
    // Whatever was to last has been committed: the rest is in no batch, and must not count by the commit below.
    let taken_back = ledger.rollback();
    let outcome = outcome.and(taken_back);

    // 7. Report. A ledger that cannot take it has said so already.
    let counts = session.counts();
    (summary.requests, summary.refreshes) = (counts.requests, counts.refreshes);
    summary.token_expires_at = Some(session.tokens().expires_at);
    summary.last_success = ledger.last_success().unwrap_or_default();
    summary.pending = ledger.pending().ok();
    let totals = RunTotals {
        exit: outcome.as_ref().err().map_or(Exit::Done, Error::exit),
        rows: summary.published_rows(),
        requests: counts.requests,
        refreshes: counts.refreshes,
    };
    let message = outcome.as_ref().err().map(ToString::to_string);
    let noted = ledger
        .set_request_times(&session.recent_requests())
        .and_then(|()| {
            session
                .now()
                .map_or(Ok(()), |now| ledger.set_aweber_time(now.timestamp()))
        })
        .and_then(|()| ledger.end_run(run, Utc::now().timestamp(), totals, message.as_deref()))
        .and_then(|()| ledger.commit());
    outcome.and(noted)
}

/// A run that lived on with a dead refresh token must not end as if nothing were the matter.
fn with_owed(outcome: Result<()>, session: &mut Session) -> Result<()> {
    match (outcome, session.take_owed()) {
        (outcome, None) => outcome,
        (Ok(()), Some(owed)) => Err(owed),
        (Err(error), Some(owed)) if error.exit().worse(Exit::NeedsHuman) == Exit::NeedsHuman => {
            error.log();
            Err(owed)
        }
        (Err(error), Some(_)) => Err(error),
    }
}

/// What all steps of one run know.
struct Job<'a> {
    args: &'a cli::Run,
    paths: &'a Paths,
    account: String,
    since: Since,
    layout: Layout,
    run: i64,
}

impl Job<'_> {
    async fn work(
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
                    tracing::info!(rows, path = %path.display(), "published what a killed run had left");
                    summary.recovered = Some((path, rows));
                }
                Some(Recovered::Void) => tracing::info!(
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
            tracing::warn!(
                "no new subscriber has a custom field named {name:?}: its column is empty (names match exactly)"
            );
        }

        // 6. Publish what there is, unless the disk failed or somebody wants us gone: then the next run does.
        let exit = outcome.as_ref().err().map_or(Exit::Done, Error::exit);
        let kept = match exit {
            // Which of the rows since the last checkpoint are in the stage file nobody knows: `go` takes them back.
            Exit::LocalIo | Exit::Output => Ok(()),
            Exit::Terminated | Exit::Interrupted => collector.checkpoint(ledger),
            _ => match collector.publish(ledger, &mut printer).await {
                Ok(published) => {
                    summary.published = published;
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        match kept {
            Ok(()) => outcome,
            Err(error) => Err(worse(outcome, error)),
        }
    }

    async fn collect(
        &self,
        session: &mut Session,
        ledger: &mut Ledger,
        collector: &mut Collector,
        summary: &mut Summary,
    ) -> Result<()> {
        let all = fetch_lists(session, &self.account).await.map_err(|error| {
            error
                .during("the account's lists")
                .or_safe("the tokens are stored; nothing was exported by this run, no row is lost")
        })?;
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
                        list = list.this.id,
                        name = list.this.name,
                        new,
                        "list is up to date"
                    );
                    unreachable = 0;
                    done += 1;
                }
                Err(error) if error.exit() == Exit::Unavailable => {
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
                tracing::warn!("without a token the other lists are left to the next run");
                break;
            }
            if unreachable == UNREACHABLE_LISTS {
                tracing::warn!(
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

/// Of two failures of one run the one to end with; the other is said.
fn worse(outcome: Result<()>, error: Error) -> Error {
    match outcome {
        Err(first) if first.exit().worse(error.exit()) == first.exit() => {
            error.log();
            first
        }
        Err(first) => {
            first.log();
            error
        }
        Ok(()) => error,
    }
}

/// The account id is part of a path and of a file name.
pub(crate) fn checked_account(account: String) -> Result<String> {
    if !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(account);
    }
    Err(
        Error::config("the account_id in the token file is no number")
            .safe("no request was sent")
            .next("aweber-sync authorize"),
    )
}

/// Asks AWeber whose tokens these are, and keeps the answer in the token file.
pub(crate) async fn learn_account(session: &mut Session, workplace: &Workplace) -> Result<String> {
    let account = whose(session).await.map_err(|error| {
        error.or_safe("the tokens are stored; nothing was exported by this run, no row is lost")
    })?;
    let account = account.id;
    let present = session.tokens().clone();
    let tokens = TokenFile {
        generation: present.generation + 1,
        account_id: Some(account.clone()),
        ..present.clone()
    };
    workplace.store.install(&tokens)?;
    session.replace_tokens(tokens);
    Ok(account)
}

/// An account as AWeber describes it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) company: Option<String>,
}

/// The one account that the tokens belong to (AWeber API, section 3: always exactly one).
pub(crate) async fn whose(session: &mut Session) -> Result<Account> {
    let query = Query {
        path: "/1.0/accounts".to_owned(),
        parameters: vec![],
    };
    let origin = session.origin().clone();
    let read = |body| {
        let page = Page::parse(body, &query, &origin)?;
        let accounts = (0..page.len()).map(|i| Account {
            id: page.keys[i].id.to_string(),
            company: serde_json::from_str::<serde_json::Value>(page.entry(i))
                .ok()
                .and_then(|account| account.get("company")?.as_str().map(str::to_owned)),
        });
        match accounts.collect::<Vec<_>>() {
            accounts if accounts.is_empty() => Err("there is no account in it".to_owned()),
            accounts => Ok(accounts),
        }
    };
    let several = |n: usize| {
        Error::config(format!("the tokens belong to {n} accounts; one is needed"))
            .next("write to the authors of aweber-sync: AWeber has promised that there is one")
    };
    match session.get(&query.path, read).await? {
        Found::There(mut accounts) => match (accounts.pop(), accounts.len()) {
            (Some(account), 0) => Ok(account),
            (_, more) => Err(several(more + 1)),
        },
        Found::NotThere => Err(Error::new(
            Exit::NeedsHuman,
            format!(
                "AWeber knows no account for these tokens ({})",
                account_path("")
            ),
        )
        .next("aweber-sync authorize")),
    }
}

/// Format and columns as asked for. Errors: 2 for a column that does not exist.
fn layout(args: &cli::Run) -> Result<Layout> {
    let format = match (args.format, args.excel) {
        (cli::Format::Csv, false) => Format::Csv,
        (cli::Format::Csv, true) => Format::Excel,
        (cli::Format::Jsonl, false) => Format::Jsonl,
        (cli::Format::Jsonl, true) => {
            return Err(Error::new(
                Exit::Usage,
                "--excel goes with --format csv only",
            ));
        }
    };
    let Some(text) = args.columns.as_deref() else {
        return Ok(Layout::new(format, None));
    };
    if format == Format::Jsonl {
        return Err(Error::new(
            Exit::Usage,
            "--columns goes with --format csv only: jsonl has every field",
        ));
    }
    let columns: Vec<Column> = split_record(text)
        .iter()
        .map(|name| Column::from_name(name).ok_or_else(|| unknown_column(name)))
        .collect::<Result<_>>()?;
    if columns.is_empty() {
        return Err(Error::new(Exit::Usage, "--columns names no column"));
    }
    Ok(Layout::new(format, Some(columns)))
}

fn unknown_column(name: &str) -> Error {
    let names: Vec<String> = Column::all()
        .iter()
        .map(|column| column.name().into_owned())
        .collect();
    Error::new(
        Exit::Usage,
        format!("--columns: there is no column {name:?}"),
    )
    .next(format!(
        "choose from {}, and custom.NAME for a custom field",
        names.join(", ")
    ))
}

/// `--since`: a day, or today by AWeber's clock.
#[derive(Debug, Clone, Copy)]
enum Since {
    Beginning,
    Today,
    Day(NaiveDate),
}

impl Since {
    fn parse(text: Option<&str>) -> Result<Since> {
        match text.map(str::trim) {
            None => Ok(Since::Beginning),
            Some("today") => Ok(Since::Today),
            Some(text) => stamp::day(text).map(Since::Day).ok_or_else(|| {
                Error::new(Exit::Usage, format!("--since {text}: not a day"))
                    .next("write it as 2026-11-22, or today")
            }),
        }
    }

    fn day(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Since::Beginning => None,
            Since::Today => Some(today),
            Since::Day(day) => Some(day),
        }
    }
}
