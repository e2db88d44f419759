//! The progress bar on a terminal. Log lines must go through [`print()`], or they and the bar overwrite each other.

use crate::printable::printable;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many characters of a list name the bar gets; its template cuts them to the width of a column.
const NAME_LENGTH: usize = 100;

/// New subscribers in a full page: the first one of each was in the page before.
const ROWS_OF_A_PAGE: usize = 99;

/// With a list of a million subscribers and 59 minutes left it is 79 columns wide.
const TEMPLATE: &str = "{prefix:>18!} {bar:9} {pos}/{len}, {left} left{msg}";

/// The only bar of the process; global because the log writer needs it too.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// The most requests a minute, now.
static PACE: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Shows the bar if standard error is a terminal and not to be quiet. `total`: how many subscribers will be read.
pub(crate) fn begin(total: u64) {
    if !std::io::stderr().is_terminal() || !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        let left = |state: &ProgressState, out: &mut dyn Write| {
            let rows = state.len().unwrap_or(0).saturating_sub(state.pos());
            let left = time_left(rows, state.per_sec(), PACE.load(Ordering::Relaxed));
            let _ = write!(out, "{}", HumanDuration(left));
        };
        bar.set_style(style.with_key("left", left));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let _ = BAR.set(bar);
}

/// At the speed so far, but no faster than the rate limit allows in the long run.
fn time_left(rows: u64, per_second: f64, requests_per_minute: usize) -> Duration {
    let allowed = requests_per_minute.saturating_mul(ROWS_OF_A_PAGE) as f64 / 60.0;
    let speed = if per_second > 0.0 {
        per_second.min(allowed)
    } else {
        allowed
    };
    Duration::from_secs_f64((rows as f64 / speed).clamp(0.0, 1e9))
}

/// Shows the name of the list being read.
pub(crate) fn list(name: &str) {
    if let Some(bar) = BAR.get() {
        bar.set_prefix(printable(name, NAME_LENGTH));
    }
}

/// The rate limit allows that many requests a minute.
pub(crate) fn pace(requests_per_minute: usize) {
    PACE.store(requests_per_minute, Ordering::Relaxed);
}

/// Shows whether the run is waiting for the rate limit, and whether others who share it have lowered its pace.
pub(crate) fn waiting(is_waiting: bool, is_lowered: bool) {
    if let Some(bar) = BAR.get() {
        bar.set_message(match (is_lowered, is_waiting) {
            (true, _) => ", others use the limit",
            (false, true) => ", waiting for the limit",
            (false, false) => "",
        });
    }
}

/// Advances the bar by that many subscribers.
pub(crate) fn advance(rows: u64) {
    if let Some(bar) = BAR.get() {
        bar.inc(rows);
        if bar.length().is_some_and(|length| bar.position() > length) {
            // AWeber's totals are not always right.
            bar.set_length(bar.position());
        }
    }
}

/// Removes the bar.
pub(crate) fn end() {
    if let Some(bar) = BAR.get() {
        bar.finish_and_clear();
    }
}

/// Writes to standard error, above the bar if there is one.
pub(crate) fn print(bytes: &[u8]) -> std::io::Result<()> {
    let write = || std::io::stderr().lock().write_all(bytes);
    match BAR.get() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_bounded_by_the_rate_limit() {
        for (rows, per_second, pace, seconds) in [
            (9_900, 990.0, 100, 60),
            (9_900, 16.5, 100, 600),
            (9_900, 0.0, 100, 60),
            (9_900, 990.0, usize::MAX, 10),
            (0, 0.0, 110, 0),
        ] {
            let left = time_left(rows, per_second, pace);
            assert_eq!(
                left.as_secs_f64().round() as u64,
                seconds,
                "{rows} {per_second} {pace}"
            );
        }
    }
}
