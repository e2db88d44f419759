//! Kills: SIGKILL just before a call.
//!
//! A working refresh token must be on disk. The one excuse: AWeber had been asked for new tokens, and the write of its
//! answer had not returned, as the trace of the killed command shows.

use crate::fault::{Fault, Kind};
use crate::judge::{Disturbed, Judgement, LostToken, TOKEN_LOST};
use crate::support::interrupt::KILLED;
use crate::tokens::has_working_token;
use crate::trace::Point;

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
            0 => "not reached",
            code => return Err(format!("ended with {code} instead of being killed")),
        };
        let live = disturbed
            .site
            .sandbox
            .with(|world| world.live_refresh_tokens());
        let had_none = disturbed.command.is_authorize() && live.is_empty();
        let is_lost = !had_none && !has_working_token(disturbed.site);
        let window = disturbed.trace.token_window();
        if is_lost && window.is_none() {
            return Err("the refresh token is lost".to_owned());
        }
        Ok(Judgement {
            column,
            note: None,
            lost_token: window.map(|at| LostToken {
                at,
                // `authorize` gets other tokens when it is repeated.
                is_certain: is_lost && !disturbed.command.is_authorize(),
            }),
        })
    }

    fn columns(&self) -> &'static [&'static str] {
        &["not reached", "recovered", TOKEN_LOST]
    }

    fn notes_heading(&self) -> &'static str {
        "Token lost: AWeber had been asked for new tokens, and its answer was not written yet. Killed at"
    }
}
