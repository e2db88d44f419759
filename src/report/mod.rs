//! Reports how a run went: summary line, metrics file, ping. None of these can fail the run.

mod metrics;
mod ping;
mod summary;

pub(crate) use self::summary::{Summary, counted};

use self::metrics::Metrics;
use self::ping::{Ping, Pinger};
use crate::config::Watchers;
use crate::disk::atomic;
use crate::disk::shared::{self, Access, Found};
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::stop::Stop;
use chrono::Utc;
use std::cell::Cell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Prometheus' collector runs as another user; the file contains nothing but numbers.
const METRICS_MODE: u32 = 0o644;

/// No more of an old metrics file is read, bytes; a new one has about 3 KiB.
const MOST_METRICS: u64 = 64 * 1024;

/// Reports the start and the end of one run.
#[derive(Debug)]
pub(crate) struct Reporter {
    metrics_file: Option<PathBuf>,
    pinger: Option<Pinger>,
    stop: Stop,
    began: Instant,
    /// Whether the run holds the locks.
    has_started: Cell<bool>,
}

impl Reporter {
    /// A reporter for the run that begins now.
    pub(crate) fn new(watchers: Watchers, stop: Stop) -> Reporter {
        Reporter {
            metrics_file: watchers.metrics_file,
            pinger: watchers.ping_url.map(Pinger::new),
            stop,
            began: Instant::now(),
            has_started: Cell::new(false),
        }
    }

    /// Pings that the run has started: it holds the locks.
    pub(crate) async fn start(&self) {
        self.has_started.set(true);
        if let Some(pinger) = &self.pinger {
            pinger.send(Ping::Start, "", self.stop.clone()).await;
        }
    }

    /// Logs the summary, writes the metrics and pings the outcome.
    pub(crate) async fn finish(self, mut summary: Summary, outcome: &Result<()>) {
        summary.duration = self.began.elapsed();
        let failure = outcome.as_ref().err();
        let exit = failure.map_or(Exit::Done, Error::exit);
        let kind = failure.map(Error::kind);
        if matches!(kind, None | Some(Kind::TimeBudget)) {
            summary.log(exit);
        }
        if let Some(Kind::LockHeld | Kind::Usage | Kind::Config) = kind
            && !self.has_started.get()
        {
            // The run that holds the lock reports for itself; and a line mistyped by hand says nothing about the
            // scheduled one.
            return;
        }
        if let Some(file) = &self.metrics_file {
            write_metrics(file, &summary, exit);
        }
        if let Some(pinger) = self.pinger {
            let ping = match exit {
                Exit::Done => Ping::Success,
                _ => Ping::Fail,
            };
            let text = failure.map_or_else(|| summary.line(), Error::to_string);
            let body = format!("exit code {}\n{text}\n", exit.code());
            pinger.send(ping, &body, self.stop).await;
        }
    }
}

/// Reads the metrics of an earlier run. Other users may write to the directory: a pipe of theirs does not block.
fn read_old(file: &Path) -> Option<String> {
    let mut text = String::new();
    match shared::open(&shared::behind(file), Access::Read).ok()? {
        Found::File(file) => file.take(MOST_METRICS).read_to_string(&mut text).ok()?,
        _ => return None,
    };
    Some(text)
}

fn write_metrics(file: &Path, summary: &Summary, exit: Exit) {
    let now = Utc::now().timestamp();
    // A run that failed before it opened the ledger does not know the last success; the old metrics do.
    let previous_success = || {
        let old = read_old(file).unwrap_or_default();
        summary
            .previous_success
            .or_else(|| Metrics::read_last_success(&old))
    };
    let metrics = Metrics {
        last_success: match exit {
            Exit::Done => Some(now),
            _ => previous_success(),
        },
        ended_at: now,
        exit_code: exit.code(),
        duration: summary.duration,
        rows: summary.published_rows(),
        unsubscriptions: summary.published_departures,
        requests: summary.requests,
        refreshes: summary.refreshes,
        pending: summary.pending,
        token_expires_at: summary.token_expires_at,
    };
    if let Err(e) = atomic::replace_file(file, metrics.render().as_bytes(), METRICS_MODE) {
        tracing::warn!(
            event = "metrics_failed",
            "cannot write the metrics to {}: {e}",
            file.display()
        );
    }
}
