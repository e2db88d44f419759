//! The report to attach to an issue: versions, words of this program, counts. It takes nothing that could hold personal
//! data: no text of AWeber's, no path, no id, no date.

use super::connection::Connection;
use super::finding::Findings;
use super::judgement::Judgement;
use serde_json::{Value, json};

/// Version of this format.
const VERSION: u32 = 1;

/// What a report is made of.
#[derive(Debug)]
pub(super) struct Report {
    /// Name and word of each finding.
    findings: Vec<(&'static str, &'static str, Option<u8>)>,
    connection: Connection,
    judgements: Vec<Judgement>,
    lists: Option<u64>,
    requests: u64,
}

impl Report {
    pub(super) fn new(
        parts: [&Findings; 2],
        connection: Connection,
        judgements: &[Judgement],
        lists: Option<u64>,
        requests: u64,
    ) -> Report {
        let findings = parts.into_iter().flat_map(|part| &part.0);
        let words = findings.map(|finding| {
            let verdict = &finding.verdict;
            let exit = match verdict {
                super::finding::Verdict::Failed(error) => Some(error.exit().code()),
                _ => None,
            };
            (finding.id, verdict.word(), exit)
        });
        Report {
            findings: words.collect(),
            connection,
            judgements: judgements.to_vec(),
            lists,
            requests,
        }
    }

    /// Renders it as JSON.
    pub(super) fn render(&self) -> String {
        let findings = self.findings.iter().map(|(id, word, exit)| match exit {
            Some(exit) => json!({ "id": id, "verdict": word, "exit_code": exit }),
            None => json!({ "id": id, "verdict": word }),
        });
        let connection = &self.connection;
        let report = json!({
            "version": VERSION,
            "program": concat!("aweber-sync ", env!("CARGO_PKG_VERSION")),
            "platform": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "findings": findings.collect::<Vec<_>>(),
            "connection": {
                "tls": connection.tls,
                "protocol": connection.protocol,
                "compressed": connection.is_compressed,
                "milliseconds": connection.milliseconds,
                "clock_seconds": connection.clock_seconds,
                "proxy": connection.has_proxy,
            },
            "lists": self.lists,
            "requests": self.requests,
            "assumptions": self.judgements.iter().map(judgement).collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}

/// One assumption as JSON, also for `--json`.
pub(super) fn judgement(judgement: &Judgement) -> Value {
    json!({
        "id": judgement.id,
        "effect": judgement.effect.word(),
        "expected": judgement.expected,
        "seen": judgement.seen.to_string(),
        "explanation": judgement.effect.explanation(),
    })
}
