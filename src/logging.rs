//! Log lines on standard error: plain for people, with the journal's priority prefix under systemd.

use std::fmt;
use std::io::IsTerminal;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// How much is said: as asked for, else all is said to a person or a journal, and only trouble to a cron mail.
pub(crate) fn level(common: &crate::cli::Common, journal: bool) -> LevelFilter {
    match (common.quiet, common.verbose, common.log) {
        (true, _, _) => LevelFilter::ERROR,
        (_, 1, _) => LevelFilter::DEBUG,
        (_, 2.., _) => LevelFilter::TRACE,
        (_, _, Some(level)) => level,
        _ if journal || std::io::stderr().is_terminal() => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    }
}

/// Sets the process's logging up.
pub(crate) fn start(level: LevelFilter, journal: bool) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .event_format(Line { journal })
        .init();
}

/// Whether standard error goes to systemd's journal.
pub(crate) fn is_journal(env: crate::config::Env<'_>) -> bool {
    env("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal()
}

/// `aweber-sync: level: message name=value`.
struct Line {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Foreign crates log their own doings, some of them headers: not here.
        if !event.metadata().target().starts_with("aweber_sync") {
            return Ok(());
        }
        let mut text = Text::default();
        event.record(&mut text);
        let (priority, word) = match *event.metadata().level() {
            Level::ERROR => (3, "error: "),
            Level::WARN => (4, "warning: "),
            Level::INFO => (6, ""),
            _ => (7, ""),
        };
        for (i, line) in text.0.lines().enumerate() {
            if self.journal {
                write!(out, "<{priority}>")?;
            }
            let head = if i == 0 {
                format!("aweber-sync: {word}")
            } else {
                String::new()
            };
            writeln!(out, "{head}{line}")?;
        }
        Ok(())
    }
}

/// The message, then the fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}
