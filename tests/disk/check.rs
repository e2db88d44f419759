//! One fault, the run that follows on a healed disk, and what must hold.

use crate::Fault;
use crate::points::scenario::{GROWN, Scenario};
use crate::points::trace::{Failed, failed};
use crate::points::truth::{compare, compare_rows, live_tokens_elsewhere};
use crate::support::token::refresh_token_in;
use crate::support::{Done, Site};
use std::path::Path;

/// What became of a fault.
pub(crate) enum Outcome {
    /// The run ended before it came to that call; all is well.
    NotReached,
    /// The run did all its work in spite of it.
    Well,
    /// 73, and all is well.
    Output,
    /// 74, and all is well.
    LocalIo,
    /// A promise was broken.
    Failed(String),
}

/// Runs a scenario with a fault, then a plain run, and checks.
pub(crate) fn fail_and_check(scenario: &Scenario, fault: &Fault) -> Outcome {
    let checked = std::panic::catch_unwind(|| try_it(scenario, fault));
    match checked {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(why)) => Outcome::Failed(why),
        Err(_) => Outcome::Failed("panicked, see above".to_owned()),
    }
}

fn try_it(scenario: &Scenario, fault: &Fault) -> Result<Outcome, String> {
    let site = scenario.prepare();
    let before = refresh_token_in(&site.token_file());
    let root = site.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let (done, trace) = scenario.failing_at(&site, &fault.at.point, fault.errno, fault.lasting);
    let failed = failed(&trace, root);
    let with_lines = |what: &str, done: &Done| {
        let lines: Vec<&str> = failed.iter().map(|one| one.line.as_str()).collect();
        format!("{what}: {done}\n--- failed\n{}", lines.join("\n"))
    };
    check_tokens(&site, done.code, before.as_deref())
        .and_then(|()| check_end(scenario, &site, &done, &failed, root))
        .map_err(|why| with_lines(&why, &done))?;

    let mut mended = scenario.plainly(&site);
    if mended.code == 0 && scenario.is_authorize() {
        mended = site.run(&[]);
    }
    if mended.code != 0 {
        let first = with_lines("the run that follows fails", &mended);
        return Err(format!("{first}\n--- before it\n{}", done.stderr));
    }
    if !site.token_is_live() {
        return Err(with_lines("the token file holds a dead token", &mended));
    }
    compare(&site).map_err(|why| {
        let first = with_lines(&why, &mended);
        format!("{first}\n--- before it, {}\n{}", done.code, done.stderr)
    })?;
    Ok(match done.code {
        _ if failed.is_empty() => Outcome::NotReached,
        73 => Outcome::Output,
        74 => Outcome::LocalIo,
        _ => Outcome::Well,
    })
}

/// Every token that lives at AWeber is on disk, but for those that `authorize` has replaced by others, `before`.
fn check_tokens(site: &Site, code: i32, before: Option<&str>) -> Result<(), String> {
    let in_force = refresh_token_in(&site.token_file());
    let is_live = in_force.as_deref().is_some_and(|token| {
        site.sandbox
            .with(|world| world.is_live_refresh_token(token))
    });
    if code == 0 && !is_live {
        return Err("ended well with a dead token on disk".to_owned());
    }
    let mut lost = live_tokens_elsewhere(site);
    lost.retain(|token| !(is_live && Some(token.as_str()) == before));
    match lost.len() {
        0 => Ok(()),
        lost => Err(format!("{lost} live tokens are not on disk")),
    }
}

/// How a run may end whose disk has failed.
fn check_end(
    scenario: &Scenario,
    site: &Site,
    done: &Done,
    failed: &[Failed],
    root: &str,
) -> Result<(), String> {
    if done.code == 0 {
        return match scenario.is_authorize() {
            true => Ok(()),
            false => compare_rows(site).map_err(|why| format!("ended well with {why}")),
        };
    }
    let on_output = |one: &Failed| one.file.as_deref().is_some_and(is_output);
    // Syncing the state directory may be for `exports` in it.
    let may_be = |one: &Failed| on_output(one) || one.file.as_deref() == Some("state");
    let allowed: &[i32] = if failed.iter().all(on_output) {
        &[73]
    } else if failed.iter().any(may_be) {
        &[73, 74]
    } else {
        &[74]
    };
    if !allowed.contains(&done.code) {
        return Err(format!("ended with another code than {allowed:?}"));
    }
    let is_mute = failed
        .iter()
        .any(|one| one.call == "write" && one.file.is_none());
    for part in [root, "\n  safe: ", "\n  next: "] {
        if !is_mute && !done.stderr.contains(part) {
            return Err(format!("no {part:?} in the message"));
        }
    }
    match missing(&done.stderr, root) {
        Some(path) => Err(format!(
            "the message says that {path} is kept, and it is not there"
        )),
        None => Ok(()),
    }
}

/// A path of the site that a message says something is kept in, and that does not exist.
fn missing(message: &str, root: &str) -> Option<String> {
    let kept = message.split("kept in ").skip(1);
    let paths = kept.filter(|rest| rest.starts_with(root)).map(|rest| {
        let end = rest.find([' ', '\n', ':', ';', ',']).unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    paths.into_iter().find(|path| !Path::new(path).exists())
}

/// Whether a file of a site is (on its way to be) an export.
fn is_output(file: &str) -> bool {
    file.starts_with("state/exports") || file == GROWN
}
