//! What a run amounted to, in words. Pure.

use crate::rows::ListRef;
use chrono::DateTime;
use std::fmt::Write;
use std::path::PathBuf;

/// A run's result.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Nothing was written.
    pub(crate) dry_run: bool,
    /// New rows per list.
    pub(crate) lists: Vec<(ListRef, u64)>,
    /// Where they are.
    pub(crate) published: Option<PathBuf>,
    /// What a killed run had left: where it is now, and how many rows.
    pub(crate) recovered: Option<(PathBuf, u64)>,
    /// Requests sent, refreshes among them.
    pub(crate) requests: u64,
    /// Refreshes.
    pub(crate) refreshes: u64,
    /// The last success before this run, Unix seconds.
    pub(crate) last_success: Option<i64>,
    /// Who may still confirm.
    pub(crate) pending: Option<u64>,
    /// How long the run took.
    pub(crate) seconds: f64,
    /// When the access token dies, Unix seconds.
    pub(crate) token_expires_at: Option<i64>,
}

impl Summary {
    /// New rows of this run; those it recovered were counted by the run that found them.
    pub(crate) fn rows(&self) -> u64 {
        self.lists.iter().map(|(_, new)| new).sum()
    }

    /// New rows that are out.
    pub(crate) fn published_rows(&self) -> u64 {
        if self.published.is_some() {
            self.rows()
        } else {
            0
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let rows = self.rows();
        let mut line = match (rows, self.dry_run) {
            (0, false) => "nothing new".to_owned(),
            (0, true) => "nothing new (dry run)".to_owned(),
            (n, true) => format!("{} would be exported (dry run)", subscribers(n)),
            (n, false) => subscribers(n),
        };
        let with_news: Vec<String> = self
            .lists
            .iter()
            .filter(|(_, new)| *new > 0)
            .map(|(list, new)| format!("{} {new}", list.name))
            .collect();
        // Writing into a string cannot fail.
        if !with_news.is_empty() {
            let _ = write!(line, " ({})", with_news.join(", "));
        }
        if let Some(path) = &self.published {
            let shown = path.display().to_string();
            let _ = write!(
                line,
                " in {}",
                if shown == "-" {
                    "standard output"
                } else {
                    &shown
                }
            );
        }
        if let Some((path, rows)) = &self.recovered {
            let _ = write!(
                line,
                "; {} left by a killed run in {}",
                subscribers(*rows),
                path.display()
            );
        }
        let lists = self.lists.len();
        let _ = write!(
            line,
            "; {lists} {}, {} requests, {:.1} s",
            if lists == 1 { "list" } else { "lists" },
            self.requests,
            self.seconds
        );
        let expires = self
            .token_expires_at
            .and_then(|at| DateTime::from_timestamp(at, 0));
        if let Some(at) = expires {
            let _ = write!(line, "; token valid until {} UTC", at.format("%H:%M"));
        }
        line
    }
}

fn subscribers(n: u64) -> String {
    format!(
        "{n} new {}",
        if n == 1 { "subscriber" } else { "subscribers" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_many_of_which_list_and_where() {
        let list = |name: &str| ListRef {
            id: 1,
            name: name.into(),
        };
        let mut summary = Summary {
            lists: vec![(list("News"), 2), (list("Offers"), 0), (list("Tips"), 1)],
            published: Some("/x/subscribers-1.csv".into()),
            requests: 6,
            seconds: 0.44,
            token_expires_at: Some(1_700_000_000),
            ..Summary::default()
        };
        assert_eq!(
            summary.line(),
            "3 new subscribers (News 2, Tips 1) in /x/subscribers-1.csv; 3 lists, 6 requests, 0.4 s; token valid until 22:13 UTC"
        );
        summary.lists.truncate(0);
        summary.published = None;
        summary.token_expires_at = None;
        assert_eq!(summary.line(), "nothing new; 0 lists, 6 requests, 0.4 s");
    }
}
