//! The one error type: what happened, what was kept safe, what to type next, and the exit code that follows.
//! Grouped by reaction ([`Exit`]), not by origin. Pure. A message never holds a secret: callers put in names,
//! paths, statuses and AWeber's own words, never a token, a form or a header.

use crate::exit::Exit;
use std::fmt;
use std::path::Path;

/// Result of everything that can end a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A failure as a person reads it in a cron mail.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    what: String,
    safe: Option<String>,
    next: Option<String>,
    planned: bool,
}

impl Error {
    /// `what` happened; `exit` is the reaction it asks for.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Error {
        Error {
            exit,
            what: what.into(),
            safe: None,
            next: None,
            planned: false,
        }
    }

    /// 78: configuration.
    pub(crate) fn config(what: impl Into<String>) -> Error {
        Error::new(Exit::Config, what)
    }

    /// 74: a local file could not be read or written. `doing` reads like "cannot write".
    pub(crate) fn disk(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
        Error::new(
            Exit::LocalIo,
            format!("{doing} {}: {cause}", path.display()),
        )
    }

    /// 73: the output could not be written.
    pub(crate) fn output(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
        Error::new(Exit::Output, format!("{doing} {}: {cause}", path.display()))
    }

    /// What was kept safe, as a sentence.
    pub(crate) fn safe(mut self, safe: impl Into<String>) -> Error {
        self.safe = Some(safe.into());
        self
    }

    /// What was kept safe, unless something closer to the failure has said it already.
    pub(crate) fn or_safe(mut self, safe: impl Into<String>) -> Error {
        self.safe.get_or_insert_with(|| safe.into());
        self
    }

    /// What to type next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Error {
        self.next = Some(next.into());
        self
    }

    /// An end that was asked for, such as that of `--max-duration`: no mail from cron, the exit code says it.
    pub(crate) fn planned(mut self) -> Error {
        self.planned = true;
        self
    }

    /// Whether it is one.
    pub(crate) fn is_planned(&self) -> bool {
        self.planned
    }

    /// Puts the work that failed in front: "list 7: cannot …".
    pub(crate) fn during(mut self, doing: impl fmt::Display) -> Error {
        self.what = format!("{doing}: {}", self.what);
        self
    }

    /// Says it: to people in its three parts, in JSON also as fields of their own.
    pub(crate) fn log(&self) {
        if self.planned {
            tracing::info!(
                event = "stopped",
                exit_code = self.exit.code(),
                what = self.what,
                safe = self.safe,
                next = self.next,
                "{self}"
            );
            return;
        }
        tracing::error!(
            event = "failed",
            exit_code = self.exit.code(),
            what = self.what,
            safe = self.safe,
            next = self.next,
            "{self}"
        );
    }

    /// The exit code this failure asks for.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The same failure under another exit code.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Error {
        self.exit = exit;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(safe) = &self.safe {
            write!(f, "\n  safe: {safe}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The chain of causes of a foreign error, outermost first, each said once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_up_to_three_parts() {
        let error = Error::config("it broke")
            .safe("nothing was lost")
            .next("aweber-sync run");
        assert_eq!(
            error.to_string(),
            "it broke\n  safe: nothing was lost\n  next: aweber-sync run"
        );
        assert_eq!(Error::config("it broke").to_string(), "it broke");
    }

    #[test]
    fn the_closest_word_on_what_is_safe_wins() {
        let error = Error::config("x").safe("first").or_safe("second");
        assert!(error.to_string().ends_with("safe: first"));
    }
}
