//! The metrics of a run in Prometheus' text format. Numbers only: another user reads the file.

use std::time::Duration;

/// The metrics of one run; times in Unix seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metrics {
    pub(super) last_success: Option<i64>,
    pub(super) ended_at: i64,
    pub(super) exit_code: u8,
    pub(super) duration: Duration,
    pub(super) rows: u64,
    pub(super) unsubscriptions: Option<u64>,
    pub(super) requests: u64,
    pub(super) refreshes: u64,
    pub(super) pending: Option<u64>,
    pub(super) token_expires_at: Option<i64>,
}

const LAST_SUCCESS: &str = "aweber_sync_last_success_timestamp_seconds";

impl Metrics {
    /// Renders the text for the collector; a metric without a value is left out.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            if let Some(value) = value {
                text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
            }
        };
        let number = |n: u64| Some(n as f64);
        gauge(
            LAST_SUCCESS,
            "When a run last ended with exit code 0.",
            self.last_success.map(|at| at as f64),
        );
        gauge(
            "aweber_sync_last_run_timestamp_seconds",
            "When the last run ended.",
            Some(self.ended_at as f64),
        );
        gauge(
            "aweber_sync_last_run_exit_code",
            "Exit code of the last run.",
            number(self.exit_code.into()),
        );
        gauge(
            "aweber_sync_last_run_duration_seconds",
            "How long the last run took.",
            Some(self.duration.as_secs_f64()),
        );
        gauge(
            "aweber_sync_last_run_rows",
            "Rows that the last run exported.",
            number(self.rows),
        );
        gauge(
            "aweber_sync_last_run_unsubscriptions",
            "Unsubscriptions among these rows.",
            self.unsubscriptions.and_then(number),
        );
        gauge(
            "aweber_sync_last_run_requests",
            "Requests that the last run sent.",
            number(self.requests),
        );
        gauge(
            "aweber_sync_last_run_refreshes",
            "Token refreshes of the last run.",
            number(self.refreshes),
        );
        gauge(
            "aweber_sync_pending_subscribers",
            "Subscribers seen unconfirmed who may still confirm.",
            self.pending.and_then(number),
        );
        gauge(
            "aweber_sync_access_token_expiry_timestamp_seconds",
            "When the access token of the last run expires; every run refreshes it.",
            self.token_expires_at.map(|at| at as f64),
        );
        text
    }

    /// Reads the last success from the metrics of an earlier run.
    pub(super) fn read_last_success(text: &str) -> Option<i64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(LAST_SUCCESS))?;
        line.trim().parse::<f64>().ok().map(|at| at as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_help_and_type_and_the_last_success_is_read_back() {
        let metrics = Metrics {
            last_success: Some(1_700_000_000),
            exit_code: 77,
            duration: Duration::from_millis(1500),
            pending: Some(3),
            token_expires_at: Some(1_700_007_200),
            ..Metrics::default()
        };
        let text = metrics.render();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(' ').next().unwrap();
            assert!(
                text.contains(&format!("# HELP {name} "))
                    && text.contains(&format!("# TYPE {name} gauge"))
            );
        }
        assert!(text.contains("aweber_sync_last_run_exit_code 77\n"));
        assert_eq!(Metrics::read_last_success(&text), Some(1_700_000_000));
        assert_eq!(
            Metrics::read_last_success(&Metrics::default().render()),
            None
        );
    }
}
