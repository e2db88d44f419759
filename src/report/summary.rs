//! The result of a run and its summary line.

use crate::exit::Exit;
use crate::printable::printable;
use crate::rows::ListRef;
use std::path::PathBuf;
use std::time::Duration;

/// The result of a run, filled in while it runs.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) dry_run: bool,
    /// New rows per list, in the order in which the lists were read.
    pub(crate) rows_by_list: Vec<(ListRef, u64)>,
    /// The file that has the new rows; `-` for standard output, `None` if they are not published.
    pub(crate) published_to: Option<PathBuf>,
    /// The file and the number of rows of an earlier, interrupted run that this one published.
    pub(crate) recovered: Option<(PathBuf, u64)>,
    /// Requests sent, including refreshes.
    pub(crate) requests: u64,
    pub(crate) refreshes: u64,
    /// The most requests a minute, if others who share AWeber's limit have lowered it.
    pub(crate) lowered_pace: Option<usize>,
    /// The last success before this run, in Unix seconds.
    pub(crate) previous_success: Option<i64>,
    /// Unconfirmed subscribers who may still confirm.
    pub(crate) pending: Option<u64>,
    pub(crate) duration: Duration,
    /// Expiry of the access token, in Unix seconds.
    pub(crate) token_expires_at: Option<i64>,
}

impl Summary {
    /// New rows of this run.
    pub(crate) fn rows(&self) -> u64 {
        self.rows_by_list.iter().map(|(_, rows)| rows).sum()
    }

    /// Rows that this run has published, including those left by an interrupted run, which counted none of them.
    pub(crate) fn published_rows(&self) -> u64 {
        let new = match self.published_to {
            Some(_) => self.rows(),
            None => 0,
        };
        new + self.recovered_rows()
    }

    fn recovered_rows(&self) -> u64 {
        self.recovered.as_ref().map_or(0, |(_, rows)| *rows)
    }

    /// Logs the summary line; as JSON also its numbers.
    pub(super) fn log(&self, exit: Exit) {
        tracing::info!(
            event = "run_done",
            exit_code = exit.code(),
            rows = self.rows(),
            recovered = self.recovered_rows(),
            lists = self.rows_by_list.len(),
            requests = self.requests,
            refreshes = self.refreshes,
            seconds = self.duration.as_secs_f64(),
            path = self
                .published_to
                .as_ref()
                .map(|path| path.display().to_string()),
            "{}",
            self.line()
        );
    }

    /// The summary in one line.
    pub(super) fn line(&self) -> String {
        let lists = self.rows_by_list.len();
        let mut line = self.rows_text();
        if let Some((path, rows)) = &self.recovered {
            line += &format!(
                "; {} left by a killed run in {}",
                new_subscribers(*rows),
                path.display()
            );
        }
        line += &format!(
            "; {lists} {}, {} requests, {:.1} s",
            if lists == 1 { "list" } else { "lists" },
            self.requests,
            self.duration.as_secs_f64()
        );
        if let Some(pace) = self.lowered_pace {
            line += &format!("; others use AWeber's limit too: at most {pace} requests a minute");
        }
        line
    }

    /// `3 new subscribers (News 2, Tips 1) in FILE`.
    fn rows_text(&self) -> String {
        let mut text = match (self.rows(), self.dry_run) {
            (0, false) => "nothing new".to_owned(),
            (0, true) => "nothing new (dry run)".to_owned(),
            (rows, true) => format!("{} would be exported (dry run)", new_subscribers(rows)),
            (rows, false) => new_subscribers(rows),
        };
        let with_rows: Vec<String> = self
            .rows_by_list
            .iter()
            .filter(|(_, rows)| *rows > 0)
            .map(|(list, rows)| format!("{} {rows}", printable(&list.name, usize::MAX)))
            .collect();
        if !with_rows.is_empty() {
            text += &format!(" ({})", with_rows.join(", "));
        }
        match &self.published_to {
            Some(path) if path.as_os_str() == "-" => text + " in standard output",
            Some(path) => text + &format!(" in {}", path.display()),
            None => text,
        }
    }
}

fn new_subscribers(rows: u64) -> String {
    match rows {
        1 => "1 new subscriber".to_owned(),
        _ => format!("{rows} new subscribers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_rows_by_list_file_requests_duration_and_lowered_pace() {
        let list = |name: &str| ListRef {
            id: 1,
            name: name.into(),
        };
        let mut summary = Summary {
            rows_by_list: vec![(list("News"), 2), (list("Offers"), 0), (list("Tips"), 1)],
            published_to: Some("/x/subscribers-1.csv".into()),
            requests: 6,
            duration: Duration::from_millis(440),
            lowered_pace: Some(48),
            ..Summary::default()
        };
        assert_eq!(
            summary.line(),
            "3 new subscribers (News 2, Tips 1) in /x/subscribers-1.csv; 3 lists, 6 requests, 0.4 s; others use AWeber's limit too: at most 48 requests a minute"
        );
        summary.rows_by_list.clear();
        summary.published_to = None;
        summary.lowered_pace = None;
        assert_eq!(summary.line(), "nothing new; 0 lists, 6 requests, 0.4 s");
    }
}
