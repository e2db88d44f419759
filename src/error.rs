//! The one error type: what happened, what was kept safe, what to type next, and its kind, from which the exit code
//! follows. Pure. A message never contains a secret: callers put in names, paths, statuses and AWeber's own words, never
//! a token, a form or a header.

use crate::exit::Exit;
use crate::printable::printable;
use crate::typed::as_typed;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// Result of everything that can end a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// What sort of failure it is: callers decide by this, never by the exit code or the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 1: `status --max-age`.
    Unhealthy,
    /// 2.
    Usage,
    /// 69: AWeber cannot be reached or keeps failing, for one path at least.
    Unavailable,
    /// 73: the output cannot be written.
    Output,
    /// 74: a local file cannot be read or written.
    LocalIo,
    /// 75: another run holds the lock.
    LockHeld,
    /// 75: another process holds the ledger.
    LedgerBusy,
    /// 75: the rate limit outlasted the retries.
    RateLimited,
    /// 75: the planned end of `--max-duration`.
    TimeBudget,
    /// 77: a human must authorize again.
    NeedsHuman,
    /// 77: what was pasted is no code of this authorization; `authorize` may ask again.
    WrongPaste,
    /// 78: configuration, or something only AWeber's support can fix.
    Config,
    /// 128 + n: stopped by a signal at a safe point.
    Signal(Exit),
}

impl Kind {
    /// The exit code.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Kind::Unhealthy => Exit::Unhealthy,
            Kind::Usage => Exit::Usage,
            Kind::Unavailable => Exit::Unavailable,
            Kind::Output => Exit::Output,
            Kind::LocalIo => Exit::LocalIo,
            Kind::LockHeld | Kind::LedgerBusy | Kind::RateLimited | Kind::TimeBudget => {
                Exit::TryLater
            }
            Kind::NeedsHuman | Kind::WrongPaste => Exit::NeedsHuman,
            Kind::Config => Exit::Config,
            Kind::Signal(exit) => exit,
        }
    }
}

/// A failure as a person reads it in a cron mail.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    kind: Kind,
    what: String,
    safe: Option<String>,
    next: Option<String>,
    /// The cause is a full disk or a quota: advice about anything else would mislead.
    is_disk_full: bool,
}

impl Error {
    /// `what` happened; `kind` is the reaction that it asks for.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error {
            kind,
            what: what.into(),
            safe: None,
            next: None,
            is_disk_full: false,
        }
    }

    /// 78: configuration.
    pub(crate) fn config(what: impl Into<String>) -> Error {
        Error::new(Kind::Config, what)
    }

    /// 74: a local file could not be read or written. `doing` reads like "cannot write".
    pub(crate) fn disk(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
        let what = format!("{doing} {}: {cause}", path.display());
        Error {
            is_disk_full: matches!(
                cause.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ),
            ..Error::new(Kind::LocalIo, what)
        }
    }

    /// 73: the output could not be written.
    pub(crate) fn output(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
        Error::disk(doing, path, cause).with_kind(Kind::Output)
    }

    /// Sets what was kept safe, as a sentence.
    pub(crate) fn safe(mut self, safe: impl Into<String>) -> Error {
        self.safe = Some(safe.into());
        self
    }

    /// Sets what was kept safe, unless the error already has it from closer to the failure.
    pub(crate) fn or_safe(mut self, safe: impl Into<String>) -> Error {
        self.safe.get_or_insert_with(|| safe.into());
        self
    }

    /// Sets what to type next; commands in it are completed ([`as_typed`]).
    pub(crate) fn next(mut self, next: impl Into<String>) -> Error {
        let next = next.into();
        let next = if self.is_disk_full {
            for_full_disk(&next)
        } else {
            next
        };
        self.next = Some(as_typed(&next));
        self
    }

    /// Sets what to type next, unless the error already has it from closer to the failure.
    pub(crate) fn or_next(self, next: impl Into<String>) -> Error {
        match self.next {
            Some(_) => self,
            None => self.next(next),
        }
    }

    /// What holds for every failure of its kind, where the failing code does not know better.
    pub(crate) fn completed(self) -> Error {
        match self.kind {
            Kind::LocalIo | Kind::Output => self
                .or_safe("what was stored before this error is kept")
                .or_next("check that path and its disk, then run the same command again"),
            Kind::Usage => self.or_safe("nothing was changed and no token was spent"),
            _ => self,
        }
    }

    /// Puts the work that failed in front: "list 7: cannot …".
    pub(crate) fn during(mut self, doing: impl fmt::Display) -> Error {
        self.what = format!("{doing}: {}", self.what);
        self
    }

    /// The same failure, of another kind.
    pub(crate) fn with_kind(mut self, kind: Kind) -> Error {
        self.kind = kind;
        self
    }

    /// What happened.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to type next.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.kind.exit()
    }

    /// Logs the error: three lines as text, separate fields as JSON. The planned end of `--max-duration` is not an error:
    /// cron sends no mail for it.
    pub(crate) fn log(&self) {
        let exit_code = self.exit().code();
        let (what, safe, next) = (&self.what, &self.safe, &self.next);
        if self.kind == Kind::TimeBudget {
            tracing::info!(event = "stopped", exit_code, what, safe, next, "{self}");
        } else {
            tracing::error!(event = "failed", exit_code, what, safe, next, "{self}");
        }
    }
}

/// The same advice after a full disk, which the failing code did not expect.
fn for_full_disk(next: &str) -> String {
    const FREE: &str = "free some disk space";
    match next.strip_prefix("repair the disk") {
        Some(rest) => format!("{FREE}{rest}"),
        None => format!("{FREE}, then run the same command again"),
    }
}

/// The one place where several errors of a command become one: it ends with the most urgent, the others are logged.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    errors: Vec<Error>,
}

impl Failures {
    /// Adds the error of a result; returns its value.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    /// The exit code to end with.
    pub(crate) fn exit(&self) -> Exit {
        self.worst()
            .map_or(Exit::Done, |worst| self.errors[worst].exit())
    }

    /// The most urgent error, the first of equals; logs the others in the order in which they happened.
    pub(crate) fn into_result(mut self) -> Result<()> {
        let Some(worst) = self.worst() else {
            return Ok(());
        };
        let worst = self.errors.remove(worst);
        self.errors.iter().for_each(Error::log);
        Err(worst)
    }

    fn worst(&self) -> Option<usize> {
        (0..self.errors.len()).min_by_key(|i| self.errors[*i].exit().rank())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path or a name of AWeber's must not forge a line of its own.
        let line = |text: &str| printable(text, usize::MAX);
        write!(f, "{}", line(&self.what))?;
        if let Some(safe) = &self.safe {
            write!(f, "\n  safe: {}", line(safe))?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  next: {}", line(next))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The chain of causes of a foreign error, outermost first, each once.
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
        let forged = Error::config("a\n  next: b").next("c\u{1b}[2J\nd");
        assert_eq!(forged.to_string(), "a   next: b\n  next: c [2J d");
    }

    #[test]
    fn of_several_failures_the_most_urgent_wins() {
        let order = [
            Kind::Signal(Exit::Terminated),
            Kind::NeedsHuman,
            Kind::Config,
            Kind::LocalIo,
            Kind::Output,
            Kind::RateLimited,
            Kind::Unavailable,
        ];
        for (i, urgent) in order.iter().enumerate() {
            for other in &order[i..] {
                for pair in [[urgent, other], [other, urgent]] {
                    let mut failures = Failures::default();
                    for kind in pair {
                        failures.take::<()>(Err(Error::new(*kind, "x")));
                    }
                    assert_eq!(failures.exit(), urgent.exit());
                    assert_eq!(failures.into_result().unwrap_err().kind(), *urgent);
                }
            }
        }
        assert!(Failures::default().into_result().is_ok());
    }

    #[test]
    fn after_a_full_disk_the_advice_is_to_free_space() {
        for (kind, next, shown) in [
            (
                ErrorKind::StorageFull,
                "make it writable",
                "free some disk space, then run the same command again",
            ),
            (
                ErrorKind::QuotaExceeded,
                "repair the disk, then aweber-sync run",
                "free some disk space, then aweber-sync run",
            ),
            (
                ErrorKind::StorageFull,
                "free some disk space and make it writable, then run again",
                "free some disk space, then run the same command again",
            ),
            (
                ErrorKind::PermissionDenied,
                "make it writable",
                "make it writable",
            ),
        ] {
            let error = Error::disk("cannot write", Path::new("x"), &kind.into());
            for error in [error.clone().next(next), error.or_next(next)] {
                assert_eq!(error.advice(), Some(shown));
            }
        }
    }

    #[test]
    fn safe_set_close_to_the_failure_wins() {
        let error = Error::config("x").safe("first").or_safe("second");
        assert!(error.to_string().ends_with("safe: first"));
    }
}
