//! The progress bar on a terminal. Log lines go through [`print()`], so that the two do not overwrite each other.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

/// The one bar of the process: the log writer has to know it too.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Shows a bar from now on, if standard error is a terminal. `total`: how many subscribers are to be looked at.
pub(crate) fn begin(total: u64) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{msg:>24!} {bar:30} {pos}/{len} subscribers, {rate}, {eta} left",
    );
    if let Ok(style) = style {
        // indicatif's own rate has four digits behind the point.
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let _ = BAR.set(bar);
}

/// The list that is being looked at.
pub(crate) fn list(name: &str) {
    if let Some(bar) = BAR.get() {
        bar.set_message(name.to_owned());
    }
}

/// So many more subscribers were looked at.
pub(crate) fn advance(rows: u64) {
    if let Some(bar) = BAR.get() {
        bar.inc(rows);
        if bar.length().is_some_and(|length| bar.position() > length) {
            // AWeber's totals do not always add up.
            bar.set_length(bar.position());
        }
    }
}

/// Takes the bar away.
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
