//! `aweber-sync status`: is the job healthy? Looks only: no network, no lock of ours.

use super::print;
use crate::cli;
use crate::config::{Env, Paths};
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::ledger::history::{ListHistory, PastRun};
use crate::token::store::TokenStore;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Days that the sparkline covers.
const DAYS: usize = 30;

/// Characters of a run's message shown.
const NOTE: usize = 90;

/// How far ahead of us the clock of a run may have been, seconds.
const CLOCK_SLACK: i64 = 300;

/// Runs shown.
const RUNS: u32 = 5;

/// The heights of a sparkline.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// All that status knows. Times in Unix seconds.
#[derive(Debug, Default)]
struct Picture {
    token_file: PathBuf,
    /// What is wrong with the token file.
    token_problem: Option<String>,
    account: Option<String>,
    expires_at: Option<i64>,
    last_success: Option<i64>,
    runs: Vec<PastRun>,
    lists: Vec<ListHistory>,
    /// Rows of a batch that is not published yet.
    waiting: Option<(u64, PathBuf)>,
}

/// Prints it. Errors: 1 if the last success is older than `--max-age`; 74 ledger damaged, 78 of a newer version.
pub(crate) async fn status(common: &cli::Common, args: &cli::Status, env: Env<'_>) -> Result<()> {
    let paths = Paths::new(common, env)?;
    let picture = look(&paths)?;
    let now = Utc::now().timestamp();
    let stale = args
        .max_age
        .and_then(|max_age| too_old(picture.last_success, now, max_age));
    if args.json {
        print(&format!("{:#}\n", to_json(&picture, stale.is_none())))?;
    } else {
        print(&to_text(&picture, now))?;
    }
    match stale {
        Some(what) => Err(Error::new(Kind::Unhealthy, what)
            .next("look at the last run above, or at the log of the job")),
        None => Ok(()),
    }
}

fn look(paths: &Paths) -> Result<Picture> {
    let store = TokenStore::at(&paths.token_file)?;
    let mut picture = Picture {
        token_file: store.path().to_owned(),
        ..Picture::default()
    };
    match store.load() {
        Ok(tokens) => {
            picture.account = tokens.account_id;
            picture.expires_at = Some(tokens.expires_at);
        }
        Err(error) => picture.token_problem = Some(error.to_string()),
    }
    let ledger = match &picture.account {
        Some(account) => Ledger::look(&paths.ledger(account))?,
        // Without a token file the ledger still tells what was done.
        None => match only_ledger(&paths.state_dir) {
            Some(path) => Ledger::look(&path)?,
            None => None,
        },
    };
    if let Some(ledger) = ledger {
        picture.last_success = ledger.last_success()?;
        picture.runs = ledger.past_runs(RUNS)?;
        picture.lists = ledger.list_histories(Utc::now().timestamp(), DAYS)?;
        picture.waiting = ledger.waiting_batch()?;
    }
    Ok(picture)
}

fn only_ledger(state_dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(state_dir).ok()?;
    let mut ledgers = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        name.starts_with("ledger-") && name.ends_with(".sqlite3")
    });
    match (ledgers.next(), ledgers.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

fn too_old(last_success: Option<i64>, now: i64, max_age: Duration) -> Option<String> {
    match last_success {
        None => Some("no run has succeeded yet".to_owned()),
        Some(at) if at > now + CLOCK_SLACK => {
            Some("the last success lies in the future: a clock was wrong, then or now".to_owned())
        }
        Some(at) if now - at > max_age.as_secs() as i64 => {
            Some(format!("the last success was {} ago", age(now - at)))
        }
        Some(_) => None,
    }
}

fn to_json(picture: &Picture, fresh: bool) -> Value {
    let time = |at: Option<i64>| {
        at.and_then(|at| DateTime::from_timestamp(at, 0))
            .map(rfc3339)
    };
    let runs = picture.runs.iter().map(|run| {
        json!({
            "began_at": time(Some(run.began_at)),
            "ended_at": time(run.ended_at),
            "exit_code": run.exit_code,
            "rows": run.rows,
            "requests": run.requests,
            "message": run.message,
        })
    });
    let lists = picture.lists.iter().map(|list| {
        json!({
            "id": list.id,
            "rows": list.rows,
            "rows_by_day": list.days,
            "pending": list.pending,
            "first_export_complete": list.complete,
        })
    });
    json!({
        "version": 1,
        "healthy": healthy(picture) && fresh,
        "account_id": picture.account,
        "token": {
            "file": picture.token_file.display().to_string(),
            "problem": picture.token_problem,
            "access_token_expires_at": time(picture.expires_at.filter(|at| *at > 0)),
        },
        "last_success_at": time(picture.last_success),
        "pending": picture.lists.iter().map(|list| list.pending).sum::<u64>(),
        "unpublished": picture.waiting.as_ref().map(|(rows, target)| json!({
            "rows": rows,
            "target": target.display().to_string(),
        })),
        "runs": runs.collect::<Vec<_>>(),
        "lists": lists.collect::<Vec<_>>(),
    })
}

/// The token can be read and the last run that ended succeeded.
fn healthy(picture: &Picture) -> bool {
    let last = picture.runs.iter().find(|run| run.ended_at.is_some());
    picture.token_problem.is_none() && last.is_some_and(|run| run.exit_code == Some(0))
}

fn to_text(picture: &Picture, now: i64) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{}", verdict(picture, now));
    if let Some(problem) = &picture.token_problem {
        let _ = writeln!(
            text,
            "\ntoken     {}",
            problem.replace('\n', "\n          ")
        );
    } else {
        let account = picture.account.as_deref().unwrap_or("not known yet");
        let _ = writeln!(
            text,
            "\naccount   {account}\ntoken     {} (refreshed by every run)",
            picture.token_file.display()
        );
    }
    if let Some((rows, target)) = &picture.waiting {
        let _ = writeln!(
            text,
            "waiting   {rows} rows for {}: the next run publishes them",
            target.display()
        );
    }
    let pending: u64 = picture.lists.iter().map(|list| list.pending).sum();
    if pending > 0 {
        let _ = writeln!(text, "pending   {pending} await confirmation");
    }
    if !picture.runs.is_empty() {
        let _ = writeln!(text, "\nLAST RUNS (UTC)       EXIT   ROWS  REQUESTS");
    }
    for run in &picture.runs {
        let began = DateTime::from_timestamp(run.began_at, 0).unwrap_or_default();
        let exit = match (run.exit_code, run.ended_at) {
            (Some(code), _) => code.to_string(),
            (None, None) => "-".to_owned(),
            (None, Some(_)) => "?".to_owned(),
        };
        let note = match (&run.message, run.ended_at) {
            (Some(message), _) => message
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(NOTE)
                .collect(),
            (None, None) => "under way, or killed".to_owned(),
            _ => String::new(),
        };
        let line = format!(
            "{}  {exit:>5}  {:>5}  {:>8}  {note}",
            began.format("%Y-%m-%d %H:%M:%S"),
            run.rows,
            run.requests
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !picture.lists.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<12}{:>9}  {:>7}  LAST {DAYS} DAYS",
            "LIST", "ROWS", "PENDING"
        );
    }
    for list in &picture.lists {
        let note = if list.complete {
            ""
        } else {
            "  first export not complete"
        };
        let _ = writeln!(
            text,
            "{:<12}{:>9}  {:>7}  {}{note}",
            list.id,
            list.rows,
            list.pending,
            sparkline(&list.days)
        );
    }
    text
}

fn verdict(picture: &Picture, now: i64) -> String {
    let ago = picture
        .last_success
        .map(|at| format!("last success {} ago", age(now - at)));
    match (healthy(picture), ago) {
        (true, Some(ago)) => format!("healthy: {ago}"),
        (false, Some(ago)) => format!("not healthy: {ago}"),
        (_, None) => "not healthy: no run has succeeded yet".to_owned(),
    }
}

/// One character a day; a blank where nothing came.
fn sparkline(days: &[u64]) -> String {
    let most = days.iter().copied().max().unwrap_or(0).max(1);
    let bar = |rows: &u64| match rows {
        0 => '·',
        rows => BARS[((rows * 8).div_ceil(most) as usize).clamp(1, 8) - 1],
    };
    days.iter().map(bar).collect()
}

/// `3 days 4 h`, `4 h 5 min`, `5 min`.
fn age(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_the_least_and_the_most() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), "·▁▄█");
        assert_eq!(sparkline(&[0, 0]), "··");
        assert_eq!(sparkline(&[1_000_000, 1]), "█▁");
    }

    #[test]
    fn an_age_is_said_in_two_units() {
        for (seconds, text) in [
            (-5, "0 min"),
            (59, "0 min"),
            (3 * 3600 + 60, "3 h 1 min"),
            (90_000, "1 day 1 h"),
            (3 * 86_400, "3 days 0 h"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn too_old_is_older_than_allowed() {
        let day = Duration::from_secs(86_400);
        assert!(too_old(None, 0, day).is_some());
        assert!(too_old(Some(0), 86_400, day).is_none());
        assert!(too_old(Some(0), 86_401, day).is_some());
        assert!(too_old(Some(99_999), 0, day).is_some());
    }
}
