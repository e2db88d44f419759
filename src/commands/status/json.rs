//! The state of the job as JSON. A contract: later versions may add fields but change none.

use super::snapshot::{Snapshot, Unpublished};
use crate::ledger::history::{FeedHistory, ListHistory, PastRun};
use chrono::DateTime;
use serde_json::{Value, json};

/// Version of this format.
const VERSION: u32 = 1;

/// Renders the object of `status --json`.
pub(super) fn render(snapshot: &Snapshot, healthy: bool) -> Value {
    json!({
        "version": VERSION,
        "healthy": healthy,
        "account_id": snapshot.account,
        "token": {
            "file": snapshot.token_file,
            "problem": snapshot.token_problem,
            "oauth1": snapshot.oauth1,
            "access_token_expires_at": time(snapshot.token_expires_at.filter(|at| *at > 0)),
        },
        "running": snapshot.is_running,
        "last_success_at": time(snapshot.last_success),
        "pending": snapshot.pending(),
        "unpublished": snapshot.unpublished.as_ref().map(unpublished),
        "runs": snapshot.runs.iter().map(run).collect::<Vec<_>>(),
        "lists": snapshot.lists.iter().map(list).collect::<Vec<_>>(),
    })
}

fn unpublished(batch: &Unpublished) -> Value {
    json!({ "rows": batch.rows, "target": batch.target.display().to_string() })
}

fn run(run: &PastRun) -> Value {
    json!({
        "began_at": time(Some(run.began_at)),
        "ended_at": time(run.ended_at),
        "exit_code": run.exit_code,
        "rows": run.rows,
        "requests": run.requests,
        "message": run.message,
    })
}

fn list(list: &ListHistory) -> Value {
    json!({
        "id": list.id,
        "name": list.name,
        "since": list.since.map(|day| day.to_string()),
        "rows": list.rows(),
        "rows_by_day": list.days(),
        "pending": list.pending,
        "first_export_complete": list.is_complete(),
        "unsubscriptions": list.departures.as_ref().map(feed),
    })
}

fn feed(feed: &FeedHistory) -> Value {
    json!({
        "rows": feed.rows,
        "rows_by_day": feed.days,
        "first_export_complete": feed.complete,
    })
}

/// Formats Unix seconds as `2026-11-22T03:17:02Z`.
fn time(at: Option<i64>) -> Option<String> {
    let at = DateTime::from_timestamp(at?, 0)?;
    Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
