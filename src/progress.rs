//! The progress bar on a terminal. Log lines must go through [`print()`], or they and the bar overwrite each other.

use crate::printable::printable;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

/// How many characters of a list name the bar gets; its template cuts them to the width of a column.
const NAME_LENGTH: usize = 100;

/// The only bar of the process; global because the log writer needs it too.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Shows the bar if standard error is a terminal. `total`: how many subscribers will be read.
pub(crate) fn begin(total: u64) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{msg:>24!} {bar:30} {pos}/{len} subscribers, {rate}, {eta} left",
    );
    if let Ok(style) = style {
        // indicatif's own rate has four decimal places.
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let _ = BAR.set(bar);
}

/// Shows the name of the list being read.
pub(crate) fn list(name: &str) {
    if let Some(bar) = BAR.get() {
        bar.set_message(printable(name, NAME_LENGTH));
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
