//! `aweber-sync run`: the [`job`], and reporting how it went.

use crate::config::{self, Watchers};
use crate::error::Result;
use crate::job;
use crate::report::{Reporter, Summary};
use crate::stop::Stop;

/// Runs the job and reports how it went.
pub(crate) async fn run(watchers: Watchers, config: &config::Run) -> Result<()> {
    let mut summary = Summary {
        dry_run: config.dry_run,
        ..Summary::default()
    };
    let stop = Stop::listen(config.max_duration)?;
    let reporter = Reporter::new(watchers, stop.clone());
    let outcome = job::run(config, &reporter, stop, &mut summary).await;
    reporter.finish(summary, &outcome).await;
    outcome
}
