//! Whether the job is healthy. Pure.

use super::snapshot::Snapshot;
use crate::exit::Exit;
use crate::printable::shortened;
use std::time::Duration;

/// How far in the future a run may seem to have ended because two clocks differ, in seconds.
const CLOCK_TOLERANCE: i64 = 300;

/// The most characters of a message.
const NOTE_LENGTH: usize = 90;

/// Returns why the job is not healthy, or `None` if it is: the token file is usable, the last finished run did not fail,
/// and the last success is not older than `max_age`.
pub(super) fn problem(snapshot: &Snapshot, now: i64, max_age: Option<Duration>) -> Option<String> {
    if let Some(problem) = &snapshot.token_problem {
        return problem.lines().next().map(str::to_owned);
    }
    let last = snapshot.runs.iter().find(|run| run.ended_at.is_some());
    let failed = last.and_then(|run| match run.exit_code {
        Some(code) if code == Exit::Done.code() => None,
        // The next run is expected to succeed: the age of the last success decides.
        Some(code) if code == Exit::TryLater.code() => None,
        Some(code) => Some(match &run.message {
            Some(message) => format!(
                "the last run ended with exit code {code}: {}",
                first_line(message)
            ),
            None => format!("the last run ended with exit code {code}"),
        }),
        None => Some("the last run ended without an exit code".to_owned()),
    });
    let longest = Duration::from_secs(i64::MAX as u64);
    failed.or_else(|| staleness(snapshot.last_success, now, max_age.unwrap_or(longest)))
}

/// What happened, without what is safe and what to do.
pub(super) fn first_line(message: &str) -> String {
    shortened(message.lines().next().unwrap_or_default(), NOTE_LENGTH)
}

/// Returns why the last success does not count as recent, or `None` if it does. Times in Unix seconds.
fn staleness(last_success: Option<i64>, now: i64, max_age: Duration) -> Option<String> {
    match last_success {
        None => Some("no run has succeeded yet".to_owned()),
        Some(at) if at > now + CLOCK_TOLERANCE => {
            Some("the last success is in the future: the clock is wrong, or was".to_owned())
        }
        Some(at) if now - at > max_age.as_secs() as i64 => {
            Some(format!("the last success was {} ago", age(now - at)))
        }
        Some(_) => None,
    }
}

/// Formats seconds as `3 days 4 h`, `4 h 5 min` or `5 min`.
pub(super) fn age(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units() {
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
    fn a_missing_old_or_future_success_is_stale() {
        let day = Duration::from_secs(86_400);
        assert!(staleness(None, 0, day).is_some());
        assert!(staleness(Some(0), 86_400, day).is_none());
        assert!(staleness(Some(0), 86_401, day).is_some());
        assert!(staleness(Some(99_999), 0, day).is_some());
    }
}
