//! Kills: SIGKILL just before a call.
//!
//! No refresh token may be lost, as [`crate::watch`] says. The one excuse: AWeber had been asked for new tokens, and the
//! write of its answer had not returned, as the trace of the killed command shows.

use crate::fault::{Fault, Kind};
use crate::judge::{Disturbed, Judgement, LostToken, TOKEN_LOST};
use crate::support::interrupt::KILLED;
use crate::tokens::has_working_token;
use crate::trace::Point;

/// The column of kills that hit a process of the token command instead, which the command then reported.
const COMMAND_KILLED: &str = "reported";

/// The kind.
pub(crate) struct Kill;

impl Kind for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn sample_size(&self) -> usize {
        700
    }

    fn faults_at(&self, point: &Point) -> Vec<Fault> {
        vec![Fault {
            point: point.clone(),
            effect: "signal=KILL",
            lasting: false,
        }]
    }

    /// SQLite takes and releases its locks by four of five calls.
    fn is_repetitive(&self, point: &Point) -> bool {
        point.call == "fcntl"
    }

    fn repetitive_share(&self) -> usize {
        10
    }

    fn judge(&self, disturbed: &Disturbed<'_>) -> Result<Judgement, String> {
        let column = match disturbed.done.code {
            KILLED => "recovered",
            74 if disturbed.site.has_token_command() => COMMAND_KILLED,
            code if code == disturbed.code_without_fault => "not reached",
            code => return Err(format!("ended with {code} instead of being killed")),
        };
        let is_lost = !has_working_token(disturbed.site);
        Ok(Judgement {
            column,
            note: None,
            lost_token: disturbed.trace.token_window().map(|at| LostToken {
                at,
                // `authorize` gets other tokens when it is repeated.
                is_certain: is_lost && !disturbed.command.is_authorize(),
            }),
        })
    }

    fn columns(&self) -> &'static [&'static str] {
        &["not reached", "recovered", COMMAND_KILLED, TOKEN_LOST]
    }

    fn notes_heading(&self) -> &'static str {
        "Token lost: AWeber had been asked for new tokens, and its answer was not written yet. Killed at"
    }
}
