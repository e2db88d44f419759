//! The state of the job as text.

use super::health::{age, first_line};
use super::snapshot::{DAYS, Snapshot};
use crate::ledger::history::{ListHistory, PastRun};
use crate::printable::{printable, shortened};
use chrono::DateTime;

/// The most characters of a list's name.
const NAME_LENGTH: usize = 60;

/// The heights of a sparkline.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Renders the output of `status`.
pub(super) fn render(snapshot: &Snapshot, problem: Option<&str>, now: i64) -> String {
    let mut text = overview(snapshot, problem, now);
    if !snapshot.runs.is_empty() {
        text += "\nLAST RUNS (UTC)       EXIT   ROWS  REQUESTS\n";
        let runs = snapshot.runs.iter().enumerate();
        // Only the newest can be under way.
        text.extend(runs.map(|(n, run)| run_line(run, n == 0 && snapshot.is_running)));
    }
    if !snapshot.lists.is_empty() {
        // A column of its own only for those who want unsubscriptions.
        let with_left = snapshot.lists.iter().any(|list| list.departures.is_some());
        let left = if with_left {
            left_cell("OF THEM LEFT")
        } else {
            String::new()
        };
        text += &format!(
            "\n{:<12}{:>9}{left}  {:>7}  {:<DAYS$}  NAME\n",
            "LIST",
            "ROWS",
            "PENDING",
            format!("LAST {DAYS} DAYS")
        );
        text.extend(snapshot.lists.iter().map(|list| list_line(list, with_left)));
    }
    text
}

fn overview(snapshot: &Snapshot, problem: Option<&str>, now: i64) -> String {
    let mut text = format!("{}\n\n", verdict(snapshot, problem, now));
    match &snapshot.token_problem {
        Some(problem) => {
            let indented = problem.replace('\n', "\n          ");
            text += &format!("token     {indented}\n");
        }
        None => {
            let account = snapshot.account.as_deref().unwrap_or("not known yet");
            let location = &snapshot.token_location;
            let life = match snapshot.oauth1 {
                true => "OAuth 1.0a: never expires",
                false => "refreshed by every run",
            };
            text += &format!("account   {account}\ntoken     {location} ({life})\n");
        }
    }
    if let Some(batch) = snapshot
        .unpublished
        .as_ref()
        .filter(|_| !snapshot.is_running)
    {
        text += &format!(
            "waiting   {} rows for {}: the next run publishes them\n",
            batch.rows,
            batch.target.display()
        );
    }
    if snapshot.is_running {
        text += "running   a run is under way\n";
    }
    if snapshot.pending() > 0 {
        text += &format!("pending   {} await confirmation\n", snapshot.pending());
    }
    text
}

/// `healthy: last success 3 h ago`, or the reason why not in front of that.
fn verdict(snapshot: &Snapshot, problem: Option<&str>, now: i64) -> String {
    let success = snapshot
        .last_success
        .map(|at| format!("last success {} ago", age(now - at)));
    match (problem, success) {
        (None, success) => format!("healthy: {}", success.unwrap_or_default()),
        (Some(problem), Some(success)) if !problem.starts_with("the last success") => {
            format!("not healthy: {problem}; {success}")
        }
        (Some(problem), _) => format!("not healthy: {problem}"),
    }
}

fn run_line(run: &PastRun, is_running: bool) -> String {
    let began = DateTime::from_timestamp(run.began_at, 0).unwrap_or_default();
    let exit = match (run.exit_code, run.ended_at) {
        (Some(code), _) => code.to_string(),
        (None, None) => "-".to_owned(),
        (None, Some(_)) => "?".to_owned(),
    };
    let line = format!(
        "{}  {exit:>5}  {:>5}  {:>8}  {}",
        began.format("%Y-%m-%d %H:%M:%S"),
        run.rows,
        run.requests,
        note(run, is_running)
    );
    format!("{}\n", line.trim_end())
}

fn note(run: &PastRun, is_running: bool) -> String {
    match (&run.message, run.ended_at) {
        (Some(message), _) => first_line(message),
        (None, None) if is_running => "under way".to_owned(),
        (None, None) => "killed".to_owned(),
        (None, Some(_)) => String::new(),
    }
}

fn left_cell(text: &str) -> String {
    format!("  {text:>12}")
}

fn list_line(list: &ListHistory, with_left: bool) -> String {
    let left = match &list.departures {
        _ if !with_left => String::new(),
        Some(feed) => left_cell(&feed.rows.to_string()),
        None => left_cell("-"),
    };
    let name = list.name.as_deref().unwrap_or_default();
    let since = list.since.map(|day| format!("since {day}"));
    let incomplete = (!list.is_complete()).then(|| "first export not complete".to_owned());
    let notes: Vec<String> = since.into_iter().chain(incomplete).collect();
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!(" ({})", notes.join(", ")),
    };
    let line = format!(
        "{:<12}{:>9}{left}  {:>7}  {}  {}{notes}",
        list.id,
        list.rows(),
        list.pending,
        sparkline(&list.days()),
        shortened(&printable(name, usize::MAX), NAME_LENGTH)
    );
    format!("{}\n", line.trim_end())
}

/// Draws one character per day; a dot for a day without rows.
fn sparkline(days: &[u64]) -> String {
    let most = days.iter().copied().max().unwrap_or(0).max(1);
    let bar = |rows: &u64| match rows {
        0 => '·',
        rows => BARS[((rows * 8).div_ceil(most) as usize).clamp(1, 8) - 1],
    };
    days.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_is_scaled_to_its_maximum() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), "·▁▄█");
        assert_eq!(sparkline(&[0, 0]), "··");
        assert_eq!(sparkline(&[1_000_000, 1]), "█▁");
    }
}
