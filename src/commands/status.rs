//! `aweber-sync status`: shows whether the job is healthy. Reads only: no network, no lock.

mod health;
mod json;
mod snapshot;
mod text;

use self::health::problem;
use self::snapshot::Snapshot;
use super::print;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::printable::escaped;
use chrono::Utc;

/// Prints the state of the job.
///
/// Errors: with `--max-age` 1 if the job is not healthy for any reason; 74 if the ledger is damaged, 78 if it has a newer
/// version.
pub(crate) fn status(config: config::Status) -> Result<()> {
    let now = Utc::now().timestamp();
    let snapshot = Snapshot::take(&config.paths, now)?;
    let problem = problem(&snapshot, now, config.max_age);
    if config.json {
        let healthy = problem.is_none();
        print(&escaped(&format!("{}\n", json::render(&snapshot, healthy))))?;
    } else {
        print(&text::render(&snapshot, problem.as_deref(), now))?;
    }
    match problem.filter(|_| config.max_age.is_some()) {
        Some(reason) => Err(Error::new(Kind::Unhealthy, reason)
            .next("see the last runs above, or the log of the job")),
        None => Ok(()),
    }
}
