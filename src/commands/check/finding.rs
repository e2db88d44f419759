//! What `check` found out about set-up and connection. A failure is the error that a run would end with.

use crate::error::Error;
use crate::typed::as_typed;

/// One line of the result.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) id: &'static str,
    pub(super) verdict: Verdict,
}

/// The result, with a text for people.
#[derive(Debug)]
pub(super) enum Verdict {
    /// As it should be.
    Good(String),
    /// Worth knowing; nothing to do.
    Note(String),
    /// A run would succeed, but not as its user meant it: what, and what to do.
    Warning(String, String),
    /// A run would end with this.
    Failed(Error),
}

impl Verdict {
    /// The word in the report and in JSON.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Verdict::Good(_) => "ok",
            Verdict::Note(_) => "note",
            Verdict::Warning(..) => "warning",
            Verdict::Failed(_) => "failed",
        }
    }

    /// What was found, without what to do.
    pub(super) fn text(&self) -> String {
        match self {
            Verdict::Good(text) | Verdict::Note(text) | Verdict::Warning(text, _) => text.clone(),
            Verdict::Failed(error) => error.what().to_owned(),
        }
    }

    /// What to do.
    pub(super) fn next(&self) -> Option<&str> {
        match self {
            Verdict::Good(_) | Verdict::Note(_) => None,
            Verdict::Warning(_, next) => Some(next),
            Verdict::Failed(error) => error.advice(),
        }
    }
}

/// The findings of one part of the check, in order.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, id: &'static str, text: impl Into<String>) {
        self.add(id, Verdict::Good(text.into()));
    }

    pub(super) fn note(&mut self, id: &'static str, text: impl Into<String>) {
        self.add(id, Verdict::Note(as_typed(&text.into())));
    }

    pub(super) fn warn(&mut self, id: &'static str, text: impl Into<String>, next: &str) {
        self.add(id, Verdict::Warning(text.into(), as_typed(next)));
    }

    pub(super) fn failed(&mut self, id: &'static str, error: Error) {
        self.add(id, Verdict::Failed(error));
    }

    /// Adds the error of a result; returns its value.
    pub(super) fn take<T>(
        &mut self,
        id: &'static str,
        result: crate::error::Result<T>,
    ) -> Option<T> {
        result.map_err(|error| self.failed(id, error)).ok()
    }

    /// The errors among them.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Error> {
        self.0.iter().filter_map(|finding| match &finding.verdict {
            Verdict::Failed(error) => Some(error),
            _ => None,
        })
    }

    fn add(&mut self, id: &'static str, verdict: Verdict) {
        self.0.push(Finding { id, verdict });
    }
}
