//! The progress bar on a terminal. Log lines must go through [`print()`], or they and the bar overwrite each other.

use crate::printable::printable;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The width of a list's name, columns.
const NAME_WIDTH: usize = 18;

/// New subscribers in a full page: the first one of each was in the page before.
const ROWS_OF_A_PAGE: usize = 99;

/// The width of the rest at its longest, without bar and counts: `, 59 minutes left, waiting for the limit`.
const REST_WIDTH: usize = 40;

/// The width of a terminal, columns.
const WIDTH: usize = 80;

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
    if let Ok(style) = ProgressStyle::with_template(&template(total)) {
        let left = |state: &ProgressState, out: &mut dyn Write| {
            let rows = state.len().unwrap_or(0).saturating_sub(state.pos());
            if rows > 0 {
                let left = time_left(rows, state.per_sec(), PACE.load(Ordering::Relaxed));
                let _ = write!(out, ", {} left", HumanDuration(left));
            }
        };
        bar.set_style(style.with_key("left", left));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let _ = BAR.set(bar);
}

/// A line that fits into 80 columns at its longest. Not indicatif's widest bar: it takes every character for one column.
fn template(total: u64) -> String {
    if total == 0 {
        return "{prefix} looking for new subscribers{msg}".to_owned();
    }
    let counts = 2 * total.to_string().len() + 1;
    let bar = WIDTH.saturating_sub(NAME_WIDTH + 2 + counts + REST_WIDTH);
    format!(
        "{{prefix}} {{bar:{}}} {{pos}}/{{len}}{{left}}{{msg}}",
        bar.max(3)
    )
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
        bar.set_prefix(cell(name));
    }
}

/// How many columns a character takes, at most.
fn columns(c: char) -> usize {
    match c {
        '\0'..'\u{1100}' | '\u{2000}'..'\u{2300}' => 1,
        _ => 2,
    }
}

/// A name at the end of its column.
fn cell(name: &str) -> String {
    let width = |text: &str| text.chars().map(columns).sum::<usize>();
    let mut text = printable(name, usize::MAX);
    if width(&text) > NAME_WIDTH {
        while width(&text) >= NAME_WIDTH {
            text.pop();
        }
        text.push('…');
    }
    let blanks = " ".repeat(NAME_WIDTH - width(&text));
    // indicatif counts characters when it fills a line with blanks: beside a wide one it counts one without a width.
    let wide = |c: char| [Some(c), (columns(c) == 2).then_some('\u{200b}')];
    blanks + &text.chars().flat_map(wide).flatten().collect::<String>()
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
    fn a_name_never_exceeds_its_column() {
        for (name, shown) in [
            ("News", "              News"),
            ("eighteen columns!!", "eighteen columns!!"),
            ("nineteen columns!!!", "nineteen columns!…"),
            ("九つの広い文字です", "九つの広い文字です"),
            ("十の広い文字があるよ", " 十の広い文字があ…"),
        ] {
            let cell = cell(name);
            assert_eq!(cell.chars().count(), NAME_WIDTH);
            assert_eq!(cell.replace('\u{200b}', ""), shown);
        }
    }

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
