//! The result of a run and its summary line.

use crate::exit::Exit;
use crate::printable::printable;
use crate::rows::ListRef;
use crate::subscriber::feed::Feed;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of a run, filled in while it runs.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) dry_run: bool,
    /// In the order in which the lists were read.
    pub(crate) lists: Vec<ListRows>,
    /// The file that has the new rows; `-` for standard output, `None` if they are not published.
    pub(crate) published_to: Option<PathBuf>,
    /// The file and the number of rows of an earlier, interrupted run that this one published.
    pub(crate) recovered: Option<(PathBuf, u64)>,
    /// The unsubscriptions among the rows that this run has published.
    pub(crate) published_departures: Option<u64>,
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

/// The new rows of one list.
#[derive(Debug)]
pub(crate) struct ListRows {
    list: ListRef,
    /// By feed.
    rows: [u64; Feed::ALL.len()],
}

impl Summary {
    /// Counts new rows of a feed.
    pub(crate) fn count(&mut self, list: &ListRef, feed: Feed, rows: u64) {
        let position = self.lists.iter().position(|one| one.list.id == list.id);
        let position = position.unwrap_or_else(|| {
            self.lists.push(ListRows {
                list: list.clone(),
                rows: [0; Feed::ALL.len()],
            });
            self.lists.len() - 1
        });
        self.lists[position].rows[feed as usize] += rows;
    }

    fn rows_of(&self, feed: Feed) -> u64 {
        self.lists.iter().map(|list| list.rows[feed as usize]).sum()
    }

    /// New rows of this run.
    pub(crate) fn rows(&self) -> u64 {
        Feed::ALL.into_iter().map(|feed| self.rows_of(feed)).sum()
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
            unsubscriptions = self.rows_of(Feed::Departures),
            recovered = self.recovered_rows(),
            lists = self.lists.len(),
            requests = self.requests,
            refreshes = self.refreshes,
            seconds = self.duration.as_millis() as f64 / 1000.0,
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
        let mut line = self.rows_text();
        if let Some((path, rows)) = &self.recovered {
            line += &format!(
                "; {} left by an earlier run in {}",
                counted(*rows, "row"),
                shown(path)
            );
        }
        line += &format!(
            "; {}, {} requests, {:.1} s",
            counted(self.lists.len() as u64, "list"),
            self.requests,
            self.duration.as_secs_f64()
        );
        if let Some(pace) = self.lowered_pace {
            line += &format!("; others use AWeber's limit too: at most {pace} requests a minute");
        }
        line
    }

    /// `3 new subscribers (News 2, Tips 1), 1 unsubscription (News 1) in FILE`.
    fn rows_text(&self) -> String {
        let kinds = Feed::ALL.map(|feed| {
            let noun = match feed {
                Feed::Arrivals => "new subscriber",
                Feed::Departures => "unsubscription",
            };
            (self.rows_of(feed), noun, feed)
        });
        let found: Vec<_> = kinds.into_iter().filter(|(rows, ..)| *rows > 0).collect();
        let text = match (found.is_empty(), self.dry_run) {
            (true, false) => "nothing new".to_owned(),
            (true, true) => "nothing new (dry run)".to_owned(),
            (false, true) => {
                let counts = found.iter().map(|(rows, noun, _)| counted(*rows, noun));
                let lists = found.iter().map(|(.., feed)| self.by_list(*feed));
                format!(
                    "{} would be exported (dry run) ({})",
                    counts.collect::<Vec<_>>().join(" and "),
                    lists.collect::<Vec<_>>().join("; ")
                )
            }
            (false, false) => {
                let parts = found.iter().map(|(rows, noun, feed)| {
                    format!("{} ({})", counted(*rows, noun), self.by_list(*feed))
                });
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        match &self.published_to {
            Some(path) if path.as_os_str() == "-" => text + " in standard output",
            Some(path) => text + &format!(" in {}", shown(path)),
            None => text,
        }
    }

    fn by_list(&self, feed: Feed) -> String {
        let rows = |list: &ListRows| list.rows[feed as usize];
        let with_rows = self.lists.iter().filter(|list| rows(list) > 0);
        let named = with_rows
            .map(|list| format!("{} {}", printable(&list.list.name, usize::MAX), rows(list)));
        named.collect::<Vec<_>>().join(", ")
    }
}

/// A path that stays on its line.
fn shown(path: &Path) -> String {
    printable(&path.display().to_string(), usize::MAX)
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_rows_by_list_file_requests_duration_and_lowered_pace() {
        let mut summary = Summary {
            published_to: Some("/x/subscribers-1.csv".into()),
            requests: 6,
            duration: Duration::from_millis(440),
            lowered_pace: Some(48),
            ..Summary::default()
        };
        let lists = [("News", 2, 3), ("Offers", 0, 0), ("Tips", 1, 0)];
        for feed in Feed::ALL {
            for (id, (name, arrivals, departures)) in (1..).zip(lists) {
                let name = name.to_owned();
                let rows = match feed {
                    Feed::Arrivals => arrivals,
                    Feed::Departures => departures,
                };
                summary.count(&ListRef { id, name }, feed, rows);
            }
        }
        assert_eq!(
            summary.line(),
            "3 new subscribers (News 2, Tips 1), 3 unsubscriptions (News 3) in /x/subscribers-1.csv; 3 lists, 6 requests, 0.4 s; others use AWeber's limit too: at most 48 requests a minute"
        );
        summary.lists.clear();
        summary.published_to = None;
        summary.lowered_pace = None;
        assert_eq!(summary.line(), "nothing new; 0 lists, 6 requests, 0.4 s");
    }
}
