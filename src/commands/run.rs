//! `aweber-sync run`: the [`job`], and reporting how it went.

use crate::config::{self, Watchers};
use crate::error::Result;
use crate::job;
use crate::report::{Reporter, Summary};
use crate::stop::Stop;

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
        Ok(config) => job::run(&config, &reporter, stop, &mut summary).await,
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(|error| error.in_service(config::process_env("STATE_DIRECTORY")));
    reporter.finish(summary, &outcome).await;
    outcome
}
