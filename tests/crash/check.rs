//! One kill, the run that follows, and what must hold.

use crate::points::scenario::Scenario;
use crate::points::trace::{Point, in_window};
use crate::points::truth::{compare, live_token_on_disk};
use crate::support::killing::KILLED;

/// What became of a kill.
pub(crate) enum Outcome {
    /// All is well.
    Well,
    /// The run ended before it came to that call; all is well.
    NotReached,
    /// The token was lost in the one window that no client can close, at this call; all else is well.
    Excused(String),
    /// A promise was broken.
    Failed(String),
}

/// Kills a scenario at a point, lets a plain run follow, and checks.
pub(crate) fn kill_and_check(scenario: &Scenario, point: &Point) -> Outcome {
    let checked = std::panic::catch_unwind(|| try_it(scenario, point));
    match checked {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(why)) => Outcome::Failed(why),
        Err(_) => Outcome::Failed("panicked, see above".to_owned()),
    }
}

fn try_it(scenario: &Scenario, point: &Point) -> Result<Outcome, String> {
    let site = scenario.prepare();
    let (killed, trace) = scenario.killed_at(&site, point);
    if killed.code != KILLED && killed.code != 0 {
        return Err(format!("not killed, and not well: {killed}"));
    }
    let window = in_window(&trace);
    let lost = !live_token_on_disk(&site);
    // Nobody was connected yet, and nobody has been asked: there was no token to lose.
    let had_none = scenario.is_authorize()
        && site
            .sandbox
            .with(|world| world.live_refresh_tokens().is_empty());
    if lost && !had_none && window.is_none() {
        return Err(format!("the refresh token is lost: {killed}\n{trace}"));
    }

    let mut mended = scenario.plainly(&site);
    let mut outcome = if killed.code == KILLED {
        Outcome::Well
    } else {
        Outcome::NotReached
    };
    // The request may have reached AWeber only after the look above: the run that follows tells.
    if let (77, Some(at)) = (mended.code, window) {
        outcome = Outcome::Excused(at);
        site.authorize_anew();
        mended = site.run(scenario.output());
    } else if lost && !had_none && !scenario.is_authorize() {
        return Err(format!(
            "a lost token that the next run did not miss: {mended}"
        ));
    }
    if mended.code != 0 {
        return Err(format!("the run that follows fails: {mended}"));
    }
    if scenario.is_authorize() {
        mended = site.run(&[]);
        if mended.code != 0 {
            return Err(format!("the first run fails: {mended}"));
        }
    }
    if !site.token_is_live() {
        return Err(format!("the token file holds a dead token: {mended}"));
    }
    compare(&site).map_err(|why| format!("{why}: {mended}"))?;
    Ok(outcome)
}
