//! Log lines on standard error: plain text, plain text with priorities for systemd's journal, or JSON.

use crate::cli::{LogFormat, LogOptions};
use crate::config::Env;
use crate::printable::{printable, printable_lines};
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

/// Starts logging for the process.
pub(crate) fn start(options: &LogOptions, env: Env<'_>) {
    let terminal = io::stderr().is_terminal();
    let journal = env("JOURNAL_STREAM").is_some() && !terminal;
    let style = match options.format {
        LogFormat::Json => Style::Json,
        LogFormat::Text if journal => Style::Journal,
        LogFormat::Text => Style::Plain,
    };
    tracing_subscriber::fmt()
        .with_max_level(level(options, terminal || journal))
        .with_writer(BesideProgress)
        .event_format(Line { style })
        .init();
}

/// The level from the options. By default cron gets warnings only, while a terminal or a journal (`has_reader`) gets the
/// summary too, and so does every dry run: the summary is its only result.
fn level(options: &LogOptions, has_reader: bool) -> LevelFilter {
    match (options.quiet, options.verbose, options.level) {
        (true, _, _) => LevelFilter::ERROR,
        (_, 1, _) => LevelFilter::DEBUG,
        (_, 2.., _) => LevelFilter::TRACE,
        (_, _, Some(level)) => level,
        _ if has_reader || options.dry_run => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    }
}

/// Writes to standard error without damaging the progress bar.
struct BesideProgress;

impl<'a> MakeWriter<'a> for BesideProgress {
    type Writer = BesideProgress;

    fn make_writer(&'a self) -> BesideProgress {
        BesideProgress
    }
}

impl io::Write for BesideProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A failure to log, e.g. to a full disk or a closed pipe, must not stop a run, and there is no other place to
        // report it.
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
    /// The same with a `<priority>` prefix, which the journal understands (sd-daemon).
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
        // Other crates may log headers, which hold secrets.
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

/// The message and fields of an event. The field `event` is its name; in JSON the names are part of the contract.
#[derive(Default)]
struct Fields {
    message: String,
    event: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn into_text(self) -> String {
        let mut text = self.message;
        if let Some("failed" | "stopped" | "run_done" | "rate_limit") = self.event.as_deref() {
            // The message already contains the fields.
            return text;
        }
        for (name, value) in self.others {
            text.push_str(&match name {
                "milliseconds" => format!(" {value} ms"),
                _ => format!(" {name}={value}"),
            });
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
            // The parts of an error are lines.
            ("message", Value::String(text)) => self.message = printable_lines(&text),
            ("event", Value::String(text)) => self.event = Some(text),
            (name, Value::String(text)) => {
                let text = printable(&text, usize::MAX);
                self.others.push((name, text.into()));
            }
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
