//! Log lines on standard error: plain for people, with the journal's priority prefix under systemd, or JSON.

use crate::cli::LogFormat;
use crate::progress;
use chrono::Utc;
use serde_json::{Map, Value};
use std::fmt;
use std::io::{self, IsTerminal};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// How much is said: as asked for, else all is said to a person or a journal, and only trouble to a cron mail.
/// A dry run is there for what it says.
pub(crate) fn level(cli: &crate::cli::Cli, journal: bool) -> LevelFilter {
    let common = &cli.common;
    let talkative = journal
        || io::stderr().is_terminal()
        || matches!(&cli.command, crate::cli::Cmd::Run(run) if run.dry_run);
    match (common.quiet, common.verbose, common.log) {
        (true, _, _) => LevelFilter::ERROR,
        (_, 1, _) => LevelFilter::DEBUG,
        (_, 2.., _) => LevelFilter::TRACE,
        (_, _, Some(level)) => level,
        _ if talkative => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    }
}

/// Sets the process's logging up.
pub(crate) fn start(level: LevelFilter, format: LogFormat, journal: bool) {
    let style = match format {
        LogFormat::Json => Style::Json,
        LogFormat::Text if journal => Style::Journal,
        LogFormat::Text => Style::Plain,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(BesideProgress)
        .event_format(Line { style })
        .init();
}

/// Whether standard error goes to systemd's journal.
pub(crate) fn is_journal(env: crate::config::Env<'_>) -> bool {
    env("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal()
}

/// Writes to standard error without tearing the progress bar.
struct BesideProgress;

impl<'a> MakeWriter<'a> for BesideProgress {
    type Writer = BesideProgress;

    fn make_writer(&'a self) -> BesideProgress {
        BesideProgress
    }
}

impl io::Write for BesideProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A log on a full disk (`2>>FILE` in a crontab) or with a reader that is gone must not keep a run from its work;
        // nor is there anybody left to tell.
        let _ = progress::print(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Style {
    /// `aweber-sync: level: message name=value`.
    Plain,
    /// The same behind `<priority>`, which the journal understands (sd-daemon).
    Journal,
    /// `{"time":…,"level":…,"event":…,"message":…,name:value…}`.
    Json,
}

struct Line {
    style: Style,
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
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (priority, word) = match *event.metadata().level() {
            Level::ERROR => (3, "error"),
            Level::WARN => (4, "warning"),
            Level::INFO => (6, "info"),
            _ => (7, "debug"),
        };
        if let Style::Json = self.style {
            return writeln!(out, "{}", fields.into_json(word));
        }
        let prefix = match self.style {
            Style::Journal => format!("<{priority}>"),
            _ => String::new(),
        };
        for (i, line) in fields.into_text().lines().enumerate() {
            match (i, priority) {
                (0, 3 | 4) => writeln!(out, "{prefix}aweber-sync: {word}: {line}")?,
                (0, _) => writeln!(out, "{prefix}aweber-sync: {line}")?,
                _ => writeln!(out, "{prefix}{line}")?,
            }
        }
        Ok(())
    }
}

/// An event's message and fields. The field `event` names the event in JSON; the names are part of the contract.
#[derive(Default)]
struct Fields {
    message: String,
    event: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn into_text(self) -> String {
        let mut text = self.message;
        if let Some("failed" | "stopped" | "run_done") = self.event.as_deref() {
            // The message has all of it.
            return text;
        }
        for (name, value) in self.others {
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }

    fn into_json(self, level: &str) -> Value {
        let mut map = Map::new();
        map.insert(
            "time".into(),
            Utc::now()
                .format("%Y-%m-%dT%H:%M:%S%.3fZ")
                .to_string()
                .into(),
        );
        map.insert("level".into(), level.into());
        map.insert("event".into(), self.event.map_or(Value::Null, Value::from));
        map.insert("message".into(), self.message.into());
        for (name, value) in self.others {
            map.insert(name.to_owned(), value);
        }
        Value::Object(map)
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("event", Value::String(text)) => self.event = Some(text),
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}
