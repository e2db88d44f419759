//! Tries one fault in one scenario, and judges: a kind looks at what the disturbed command has left, then the steps after
//! it follow, and in the end the site is compared with what AWeber holds.

use crate::exports::check_exports_and_files;
use crate::fault::{Fault, Kind};
use crate::scenario::{CommandLine, Scenario, Step};
use crate::support::{Done, Site};
use crate::tokens::{current_token, works};
use crate::trace::Trace;

/// The column of faults after which the token was lost, with an excuse.
pub(crate) const TOKEN_LOST: &str = "token lost";

/// The exit code of a command that needs `authorize` to be run again.
const AUTHORIZE_AGAIN: i32 = 77;

/// A disturbed command, as a kind of faults judges it.
pub(crate) struct Disturbed<'a> {
    pub(crate) site: &'a Site,
    pub(crate) command: CommandLine,
    /// The current refresh token before it.
    pub(crate) token_before: Option<String>,
    pub(crate) done: Done,
    pub(crate) trace: Trace,
}

/// What became of a fault that has done no harm.
pub(crate) struct Judgement {
    /// The column of the report that counts it.
    pub(crate) column: &'static str,
    /// A line of the report; equal ones are counted.
    pub(crate) note: Option<String>,
    /// Set if the next command may find that the refresh token is lost.
    pub(crate) lost_token: Option<LostToken>,
}

/// A token lost in the time between AWeber's answer and its write.
pub(crate) struct LostToken {
    /// The call at which the command was killed.
    pub(crate) at: String,
    /// No working token was on disk. Otherwise AWeber may have worked on the request only after that was looked up, and
    /// the token may be lost or not.
    pub(crate) is_certain: bool,
}

/// Tries a fault; an error describes the harm.
pub(crate) fn try_fault(
    scenario: &Scenario,
    kind: &dyn Kind,
    fault: &Fault,
) -> Result<Judgement, String> {
    let tried = std::panic::catch_unwind(|| {
        let (site, command, steps_after) = scenario.play_to_fault();
        let token_before = current_token(&site);
        let (done, trace) = kind.disturb(&site, command, fault);
        let disturbed = Disturbed {
            site: &site,
            command,
            token_before,
            done,
            trace,
        };
        let judgement = kind
            .judge(&disturbed)
            .map_err(|harm| disturbed.report(&harm, &disturbed.done))?;
        disturbed.play_after(steps_after, judgement)
    });
    tried.unwrap_or_else(|_| Err("panicked, see above".to_owned()))
}

impl Disturbed<'_> {
    /// Plays the steps after it; then AWeber accepts the current token, and exports and files are complete.
    fn play_after(&self, steps: &[Step], mut judgement: Judgement) -> Result<Judgement, String> {
        let site = self.site;
        let mut last = None;
        for step in steps {
            let command = match step {
                Step::Plain(command) | Step::Disturbed(command) => command,
                Step::Change(change) => {
                    change(site);
                    continue;
                }
            };
            let mut done = command.run(site);
            match judgement.lost_token.take() {
                Some(lost) if done.code == AUTHORIZE_AGAIN => {
                    judgement.column = TOKEN_LOST;
                    judgement.note = Some(lost.at);
                    site.authorize_anew();
                    done = command.run(site);
                }
                Some(lost) if lost.is_certain => {
                    let harm = "the refresh token is lost, and the next command does not say so";
                    return Err(self.report(harm, &done));
                }
                _ => {}
            }
            if done.code != 0 {
                return Err(self.report("the next command fails", &done));
            }
            last = Some(done);
        }
        let last = last.as_ref().unwrap_or(&self.done);
        if !current_token(site).is_some_and(|token| works(site, &token)) {
            return Err(self.report("the token file holds a dead token", last));
        }
        match check_exports_and_files(site) {
            Ok(()) => Ok(judgement),
            Err(harm) => Err(self.report(&harm, last)),
        }
    }

    /// The harm, with the command that showed it and the disturbed one.
    fn report(&self, harm: &str, last: &Done) -> String {
        format!(
            "{harm}: {}--- the disturbed command, exit code {}\n{}--- its trace\n{}",
            last,
            self.done.code,
            self.done.stderr,
            self.trace.excerpt()
        )
    }
}
