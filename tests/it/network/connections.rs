//! Failures below HTTP, and answers that never end.

use super::step::{ALL, API, TOKEN};
use super::table::Outcome::{Retries, TokensLost};
use super::table::{Outcomes, Row, row};
use aweber_sandbox::FaultKind;

/// The work is done, but no answer arrives: tokens may be lost, nothing else.
const UNANSWERED: Outcomes = &[(TOKEN, TokensLost), (API, Retries)];

pub(super) fn broken() -> Vec<Row> {
    vec![
        row(
            "reset before the work",
            FaultKind::ResetBefore,
            "the connection broke",
            &[(ALL, Retries)],
        )
        .twice(),
        row(
            "reset after the work",
            FaultKind::ResetAfter,
            "the connection broke",
            UNANSWERED,
        )
        .twice(),
        row(
            "half a body",
            FaultKind::HalfBody,
            "the connection broke",
            UNANSWERED,
        )
        .twice(),
    ]
}

pub(super) fn stalled() -> Vec<Row> {
    let never = |work_done| FaultKind::Never { work_done };
    vec![
        row(
            "never answered, work not done",
            never(false),
            "no answer in time",
            &[(ALL, Retries)],
        )
        .stalling(),
        row(
            "never answered, work done",
            never(true),
            "no answer in time",
            UNANSWERED,
        )
        .stalling(),
        row(
            "a body that never ends",
            FaultKind::EndlessBody,
            "no answer in time",
            UNANSWERED,
        )
        .stalling(),
    ]
}
