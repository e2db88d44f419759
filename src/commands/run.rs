//! `aweber-sync run`: the order of the job, in numbered steps (2b to 6 are in [`job`](crate::job)), and telling whoever
//! watches it.

use crate::account::{checked_account, learn_account};
use crate::api::session::Session;
use crate::config::{self, Watchers};
use crate::disk::atomic;
use crate::error::{Error, Failures, Kind, Result};
use crate::exit::Exit;
use crate::job::Job;
use crate::ledger::Ledger;
use crate::ledger::runs::RunTotals;
use crate::locks::Locks;
use crate::metrics::Metrics;
use crate::ping::{Ping, Pinger};
use crate::report::Summary;
use crate::stop::Stop;
use chrono::Utc;
use std::path::Path;
use std::time::{Duration, Instant};

/// The collector of Prometheus is another user; there are only numbers in it.
const METRICS_MODE: u32 = 0o644;

/// Runs the job, and tells whoever watches it.
pub(crate) async fn run(watchers: Watchers, config: Result<config::Run>) -> Result<()> {
    let began = Instant::now();
    let mut summary = Summary {
        dry_run: config.as_ref().is_ok_and(|config| config.dry_run),
        ..Summary::default()
    };
    let pinger = watchers.ping_url.map(|url| Pinger { url });
    let budget = config.as_ref().ok().and_then(|config| config.max_duration);
    let stop = Stop::listen(budget)?;
    let outcome = match config {
        Ok(config) => go(&config, pinger.as_ref(), stop.clone(), &mut summary).await,
        Err(error) => Err(error),
    };
    let exit = outcome.as_ref().err().map_or(Exit::Done, Error::exit);
    summary.seconds = began.elapsed().as_secs_f64();
    if outcome
        .as_ref()
        .err()
        .is_none_or(|error| error.kind() == Kind::TimeBudget)
    {
        tracing::info!(
            event = "run_done",
            exit_code = exit.code(),
            rows = summary.rows(),
            lists = summary.lists.len(),
            requests = summary.requests,
            refreshes = summary.refreshes,
            seconds = summary.seconds,
            path = summary
                .published
                .as_ref()
                .map(|path| path.display().to_string()),
            "{}",
            summary.line()
        );
    }
    // A run that another one kept out has nothing to tell: the other one does.
    if summary.locked_out {
        return outcome;
    }
    if let Some(path) = &watchers.metrics_file {
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
    config: &config::Run,
    pinger: Option<&Pinger>,
    mut stop: Stop,
    summary: &mut Summary,
) -> Result<()> {
    let base = &config.base;

    // 1. Take the locks. 2a. Finish what a killed run left of the tokens.
    let locks = match Locks::take(&base.paths, base.lock_wait, &mut stop).await {
        Err(error) if error.kind() == Kind::LockHeld => {
            summary.locked_out = true;
            return Err(error);
        }
        other => other?,
    };
    if let Some(pinger) = pinger {
        pinger.send(Ping::Start, "", stop.clone()).await;
    }
    let tokens = locks.load_tokens(base.client.id.as_deref())?;

    // Building the HTTP client comes before the refresh token is spent: a missing CA bundle fails here.
    let mut session = Session::new(
        base.network.clone(),
        locks.store.clone(),
        tokens,
        base.client.secret(),
        stop,
    )?;
    let account = match session.tokens().account_id.clone() {
        Some(account) => checked_account(account)?,
        // A token file made by hand: only AWeber knows whose it is.
        None => {
            session.refresh().await?;
            learn_account(&mut session, &locks).await?
        }
    };
    let mut ledger = Ledger::open(&base.paths.ledger(&account), config.dry_run)?;
    ledger.check_whole()?;
    let run = ledger.begin_run(Utc::now().timestamp())?;
    ledger.commit()?;
    let job = Job {
        config,
        account,
        run,
    };
    let outcome = job.work(&mut session, &mut ledger, summary).await;
    let mut failures = Failures::default();
    failures.take(outcome);
    failures.take(session.take_deferred_error().map_or(Ok(()), Err));
    // What was not committed is in no batch, and must not be committed below.
    failures.take(ledger.rollback());
    let exit = failures.exit();
    let outcome = failures.into_result();

    // 7. Report. A ledger that cannot take it has said so already.
    let counts = session.counts();
    (summary.requests, summary.refreshes) = (counts.requests, counts.refreshes);
    summary.token_expires_at = Some(session.tokens().expires_at);
    summary.last_success = ledger.last_success().unwrap_or_default();
    summary.pending = ledger.pending().ok();
    let totals = RunTotals {
        exit,
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
    let mut failures = Failures::default();
    failures.take(outcome);
    failures.take(noted);
    failures.into_result()
}
