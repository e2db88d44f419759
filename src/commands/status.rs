//! `aweber-sync status`: shows whether the job is healthy. Reads only: no network, no lock.

mod health;
mod json;
mod snapshot;
mod text;

use self::health::{is_healthy, staleness};
use self::snapshot::Snapshot;
use super::print;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::stdout;
use chrono::Utc;

/// Prints the state of the job.
///
/// Errors: 1 if the last success is older than `--max-age`, 74 if the ledger is damaged, 78 if it has a newer version.
pub(crate) fn status(config: config::Status) -> Result<()> {
    if config.json {
        stdout::check_open()?;
    }
    let now = Utc::now().timestamp();
    let snapshot = Snapshot::take(&config.paths, now)?;
    let stale = config
        .max_age
        .and_then(|max_age| staleness(snapshot.last_success, now, max_age));
    if config.json {
        let healthy = is_healthy(&snapshot) && stale.is_none();
        print(&format!("{:#}\n", json::render(&snapshot, healthy)))?;
    } else {
        print(&text::render(&snapshot, now))?;
    }
    match stale {
        Some(reason) => Err(Error::new(Kind::Unhealthy, reason)
            .next("see the last runs above, or the log of the job")),
        None => Ok(()),
    }
}
