//! The whole result: what a run would end with, and what to do next.

use super::finding::{Finding, Findings, Verdict};
use super::judgement::{Effect, Judgement};
use super::report;
use crate::error::Error;
use crate::typed::as_typed;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Version of the JSON.
const VERSION: u32 = 1;

/// Asks for a report.
const REPORT: [&str; 2] = [
    "please report what AWeber does otherwise; nothing personal is in the file:",
    "aweber-sync check --report aweber-report.json",
];

/// Everything that a check found.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) setup: Findings,
    pub(super) connection: Findings,
    pub(super) judgements: Vec<Judgement>,
    /// The list that was looked at, for people.
    pub(super) list: Option<String>,
    /// Why not all assumptions were tried.
    pub(super) stopped: Option<Error>,
    pub(super) requests: u64,
    /// Where the report was written.
    pub(super) report: Option<PathBuf>,
}

impl Outcome {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.setup.0.iter().chain(&self.connection.0)
    }

    /// The most urgent of the errors: what a run would end with.
    fn worst(&self) -> Option<&Error> {
        let errors = self.setup.errors().chain(self.connection.errors());
        errors.min_by_key(|error| error.exit().rank())
    }

    /// What to do, the most urgent first.
    pub(super) fn next(&self) -> Vec<String> {
        let lines = self.advice();
        lines.iter().map(|line| as_typed(line)).collect()
    }

    fn advice(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(advice) = self.worst().and_then(Error::advice) {
            lines.push(advice.to_owned());
            lines.push("then aweber-sync check once more".to_owned());
            let written = self.report.as_ref();
            lines.extend(written.map(|file| format!("the report is in {}", file.display())));
            return lines;
        }
        let warnings = self
            .findings()
            .filter(|finding| matches!(finding.verdict, Verdict::Warning(..)));
        if warnings.count() > 0 {
            lines.push("look at the warnings above; a run would succeed nevertheless".to_owned());
        }
        if let Some(stopped) = &self.stopped {
            lines.push(format!(
                "not everything about AWeber was tried: {}",
                stopped.what()
            ));
        }
        if self
            .judgements
            .iter()
            .any(|judgement| judgement.effect.is_odd())
        {
            match &self.report {
                Some(file) => lines.push(format!(
                    "please attach {} to an issue; nothing personal is in it",
                    file.display()
                )),
                None => lines.extend(REPORT.map(str::to_owned)),
            }
        } else if let Some(file) = &self.report {
            lines.push(format!("the report is in {}", file.display()));
        }
        let at_risk = |judgement: &&Judgement| matches!(judgement.effect, Effect::Risk(_));
        match self.judgements.iter().find(at_risk) {
            Some(_) => {
                lines.push("read the lines with RISK before you schedule the job".to_owned())
            }
            None => lines.push("aweber-sync run, and then schedule it".to_owned()),
        }
        lines
    }

    /// The error to end with, if a run would end with one.
    pub(super) fn error(&self) -> Option<Error> {
        let worst = self.worst()?;
        let failed = self.setup.errors().chain(self.connection.errors()).count();
        let code = worst.exit().code();
        let what = match failed {
            1 => format!("a run would end with exit code {code}: {}", worst.what()),
            n => format!(
                "{n} checks failed; a run would end with exit code {code}: {}",
                worst.what()
            ),
        };
        let error = Error::new(worst.kind(), what).safe("ledger and exports are untouched");
        Some(match worst.advice() {
            Some(advice) => error.next(advice),
            None => error,
        })
    }

    /// The object of `--json`.
    pub(super) fn json(&self) -> Value {
        json!({
            "version": VERSION,
            "exit_code": self.worst().map_or(0, |error| error.exit().code()),
            "setup": findings(&self.setup),
            "connection": findings(&self.connection),
            "list": self.list,
            "assumptions": self.judgements.iter().map(report::judgement).collect::<Vec<_>>(),
            "stopped": self.stopped.as_ref().map(Error::what),
            "requests": self.requests,
            "next": self.next(),
        })
    }
}

fn findings(findings: &Findings) -> Vec<Value> {
    let to_json = |finding: &Finding| {
        let verdict = &finding.verdict;
        json!({
            "id": finding.id,
            "verdict": verdict.word(),
            "text": verdict.text(),
            "next": verdict.next(),
        })
    };
    findings.0.iter().map(to_json).collect()
}
