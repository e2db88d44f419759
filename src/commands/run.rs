//! `aweber-sync run`: the order of the job, in numbered steps (2b to 6 are in [`job`](crate::job)).

use crate::account::{checked_account, learn_account};
use crate::api::session::Session;
use crate::config::{self, Watchers};
use crate::error::{Failures, Result};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::ledger::runs::RunTotals;
use crate::locks::Locks;
use crate::report::{Reporter, Summary};
use crate::stop::Stop;
use chrono::Utc;

/// Runs the job and reports how it went.
pub(crate) async fn run(watchers: Watchers, config: Result<config::Run>) -> Result<()> {
    let mut summary = Summary {
        dry_run: config.as_ref().is_ok_and(|config| config.dry_run),
        ..Summary::default()
    };
    let budget = config.as_ref().ok().and_then(|config| config.max_duration);
    let stop = Stop::listen(budget)?;
    let reporter = Reporter::new(watchers, stop.clone());
    let outcome = match config {
        Ok(config) => go(&config, &reporter, stop, &mut summary).await,
        Err(error) => Err(error),
    };
    reporter.finish(summary, &outcome).await;
    outcome
}

async fn go(
    config: &config::Run,
    reporter: &Reporter,
    mut stop: Stop,
    summary: &mut Summary,
) -> Result<()> {
    let base = &config.base;

    // 1. Take the locks. 2a. Finish what a killed run left of the tokens.
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    reporter.start().await;
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
    summary.previous_success = ledger.last_success().unwrap_or_default();
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
