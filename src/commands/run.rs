//! `aweber-sync run`: the [`job`], and reporting how it ended: log line, metrics file, ping.

use crate::config::{self, Watchers};
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::job;
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
        Ok(config) => job::run(&config, pinger.as_ref(), stop.clone(), &mut summary).await,
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
    if matches!(&outcome, Err(error) if error.kind() == Kind::LockHeld) {
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
