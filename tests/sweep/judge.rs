//! Tries one fault in one scenario, and judges: a kind looks at what the disturbed command has left, then the steps after
//! it follow, and in the end the site is compared with what AWeber holds.

use crate::exports::{
    check_files, check_modes, check_rows, check_rows_after_forget, published_rows,
};
use crate::fault::{Fault, Kind};
use crate::scenario::{CommandLine, End, Scenario, Step};
use crate::setup::{CREDENTIALS, write_credentials};
use crate::support::{Done, Site};
use crate::tokens::{current_token, stored_tokens, works};
use crate::trace::Trace;
use crate::watch::Watch;

/// The column of faults after which the token was lost, with an excuse.
pub(crate) const TOKEN_LOST: &str = "token lost";

/// The exit code of a command that needs `authorize` to be run again.
const AUTHORIZE_AGAIN: i32 = 77;

/// A disturbed command, as a kind of faults judges it.
pub(crate) struct Disturbed<'a> {
    pub(crate) site: &'a Site,
    pub(crate) command: CommandLine,
    /// How it ends without a fault.
    pub(crate) code_without_fault: i32,
    /// The rows before it.
    pub(crate) published: Vec<String>,
    pub(crate) end: End,
    pub(crate) done: Done,
    pub(crate) trace: Trace,
    /// Whether its last write may be torn, as a power cut does and a kill does not.
    pub(crate) may_be_torn: bool,
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
        let at = scenario.play_to_fault();
        let published = published_rows(&at.site);
        let mut watch = Watch::begin(&at.site);
        let (done, trace) = kind.disturb(&at.site, at.command, fault);
        if trace.token_window().is_some() {
            watch.excuse(&at.site, &trace);
        }
        let disturbed = Disturbed {
            site: &at.site,
            command: at.command,
            code_without_fault: at.code,
            published,
            end: scenario.end,
            done,
            trace,
            may_be_torn: false,
        };
        let checked = watch.check(&at.site);
        let judgement = checked
            .and_then(|()| kind.judge(&disturbed))
            .map_err(|harm| disturbed.report(&harm, &disturbed.done))?;
        disturbed.play_after(at.steps_after, watch, judgement)
    });
    tried.unwrap_or_else(|_| Err("panicked, see above".to_owned()))
}

impl Disturbed<'_> {
    /// Plays the steps after it, and looks at the end.
    pub(crate) fn play_after(
        &self,
        steps: &[Step],
        mut watch: Watch,
        mut judgement: Judgement,
    ) -> Result<Judgement, String> {
        let site = self.site;
        let mut last = None;
        let mut failed = self.done.code != 0;
        for step in steps {
            let (command, codes) = match step {
                Step::Plain(command) | Step::Disturbed(command) => (command, &[0][..]),
                Step::Failing(command, code) => (command, std::slice::from_ref(code)),
                Step::Ends(command, codes) => (command, *codes),
                Step::OnFailure(_) if !failed => continue,
                Step::Change(change) | Step::OnFailure(change) => {
                    change(site);
                    continue;
                }
            };
            let done = self.play(*command, &mut judgement)?;
            if !codes.contains(&done.code) {
                return Err(self.report("a later command fails", &done));
            }
            watch
                .check(site)
                .map_err(|harm| self.report(&harm, &done))?;
            failed = done.code != 0;
            last = Some(done);
        }
        let is_torn = self.may_be_torn && judgement.column == TOKEN_LOST;
        match self.check_end(&watch, is_torn) {
            Ok(()) => Ok(judgement),
            Err(harm) => Err(self.report(&harm, last.as_ref().unwrap_or(&self.done))),
        }
    }

    /// Plays a command, once more with new tokens if it finds that the token is lost and that has an excuse.
    fn play(&self, command: CommandLine, judgement: &mut Judgement) -> Result<Done, String> {
        let done = command.run(self.site);
        match judgement.lost_token.take() {
            Some(lost) if done.code == AUTHORIZE_AGAIN => {
                judgement.column = TOKEN_LOST;
                judgement.note = Some(lost.at);
                allow_access_anew(self.site);
                Ok(command.run(self.site))
            }
            Some(lost) if lost.is_certain && done.code == 0 => {
                let harm = "the refresh token is lost, and a later command does not say so";
                Err(self.report(harm, &done))
            }
            lost => {
                judgement.lost_token = lost;
                Ok(done)
            }
        }
    }

    /// What must be true when all steps are done. Half an answer with tokens may be kept if `is_torn`.
    fn check_end(&self, watch: &Watch, is_torn: bool) -> Result<(), String> {
        let site = self.site;
        if self.end == End::Revoked {
            let live = watch.not_revoked(site).len();
            let stored = stored_tokens(site).len();
            return match (live, stored) {
                (0, 0) => Ok(()),
                _ => Err(format!("{live} tokens still work, {stored} are on disk")),
            };
        }
        check_files(site, is_torn || self.end == End::AnswerKept)?;
        check_modes(site, self.command)?;
        if !current_token(site).is_some_and(|token| works(site, &token)) {
            return Err("the token file holds a dead token".to_owned());
        }
        match self.end {
            End::Forgotten => {
                let is_certain = self.done.code == 0;
                check_rows_after_forget(site, &self.published, is_certain)
            }
            _ => check_rows(site),
        }
    }

    /// The harm, with the command that showed it and the disturbed one.
    pub(crate) fn report(&self, harm: &str, last: &Done) -> String {
        format!(
            "{harm}: {}--- the disturbed command, exit code {}\n{}--- its trace\n{}",
            last,
            self.done.code,
            self.done.stderr,
            self.trace.excerpt()
        )
    }
}

/// The customer allows access anew: to this program, or to the one whose tokens are imported.
fn allow_access_anew(site: &Site) {
    if site.path(CREDENTIALS).exists() {
        write_credentials(site);
    } else {
        site.authorize_anew();
    }
}
