//! Failing disks: a call that changes the disk fails, once or from then on.
//!
//! A command may end with 0 only if it has done all its work. Otherwise it ends with 73 if all that failed was on the
//! output, else with 74; its message names a path, what is safe and what to do next, and the files it names exist. No
//! refresh token is lost, as [`crate::watch`] says.

use crate::exports::check_rows;
use crate::fault::{Fault, Kind};
use crate::judge::{Disturbed, Judgement};
use crate::scenario::{GROWING_FILE, SHARED};
use crate::tokens::{current_token, works};
use crate::trace::{FailedCall, Point};
use std::path::Path;

/// The kind.
pub(crate) struct Errno;

/// The traced calls on files that leave the disk as it is.
const UNCHANGING: [&str; 3] = ["close", "flock", "fcntl"];

/// What a disk answers, and whether it goes on so: a full disk and a broken one do.
const EFFECTS: [(&str, bool); 6] = [
    ("error=ENOSPC", false),
    ("error=EIO", false),
    ("error=EROFS", false),
    ("error=EDQUOT", false),
    ("error=ENOSPC", true),
    ("error=EIO", true),
];

/// Exit codes.
const OUTPUT_FAILED: i32 = 73;
const LOCAL_IO_FAILED: i32 = 74;

impl Kind for Errno {
    fn name(&self) -> &'static str {
        "errno"
    }

    fn sample_size(&self) -> usize {
        500
    }

    fn faults_at(&self, point: &Point) -> Vec<Fault> {
        if point.file.is_none() || UNCHANGING.contains(&point.call.as_str()) {
            return Vec::new();
        }
        let fault = |(effect, lasting)| Fault {
            point: point.clone(),
            effect,
            lasting,
        };
        EFFECTS.map(fault).into()
    }

    /// Half of all calls write pages of the ledger.
    fn is_repetitive(&self, point: &Point) -> bool {
        let is_of_ledger = |file: &String| file.contains("ledger-");
        point.call == "pwrite64" && point.file.as_ref().is_some_and(is_of_ledger)
    }

    fn repetitive_share(&self) -> usize {
        4
    }

    fn judge(&self, disturbed: &Disturbed<'_>) -> Result<Judgement, String> {
        let failed = disturbed.trace.failed_calls();
        check_tokens(disturbed)?;
        check_exit(disturbed, &failed)?;
        let (column, note) = match disturbed.done.code {
            _ if failed.is_empty() => ("not reached", None),
            code if code == disturbed.code_without_fault => {
                ("as without", failed.first().map(describe))
            }
            OUTPUT_FAILED => ("73", None),
            LOCAL_IO_FAILED => ("74", None),
            code => return Err(format!("ended with {code}")),
        };
        Ok(Judgement {
            column,
            note,
            lost_token: None,
        })
    }

    fn columns(&self) -> &'static [&'static str] {
        &["not reached", "as without", "73", "74"]
    }

    fn notes_heading(&self) -> &'static str {
        "Done although this call failed"
    }
}

/// A command that ended well has left a working token in the token file.
fn check_tokens(disturbed: &Disturbed<'_>) -> Result<(), String> {
    let current = current_token(disturbed.site);
    let is_live = current.is_some_and(|token| works(disturbed.site, &token));
    if disturbed.done.code == 0 && !is_live {
        return Err("exit code 0 with a dead token in the token file".to_owned());
    }
    Ok(())
}

/// The exit code and the message fit the calls that failed.
fn check_exit(disturbed: &Disturbed<'_>, failed: &[FailedCall]) -> Result<(), String> {
    let (site, done) = (disturbed.site, &disturbed.done);
    if done.code == 0 {
        return match disturbed.command.is_run() {
            true => check_rows(site).map_err(|harm| format!("exit code 0 with {harm}")),
            false => Ok(()),
        };
    }
    if done.code == disturbed.code_without_fault {
        return Ok(());
    }
    let allowed = allowed_codes(failed);
    if !allowed.contains(&done.code) {
        return Err(format!("the exit code is not in {allowed:?}"));
    }
    let is_mute = failed
        .iter()
        .any(|one| one.call == "write" && one.file.is_none());
    let root = site.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let of_command = "the store of the token command";
    let place = match site.has_token_command() && done.stderr.contains(of_command) {
        true => of_command,
        false => root,
    };
    for part in [place, "\n  safe: ", "\n  next: "] {
        if !is_mute && !done.stderr.contains(part) {
            return Err(format!("no {part:?} in the message"));
        }
    }
    match missing_file(&done.stderr, root) {
        Some(path) => Err(format!("no file {path}, which the message names")),
        None => Ok(()),
    }
}

/// The exit codes of a failure that is due to these calls.
fn allowed_codes(failed: &[FailedCall]) -> &'static [i32] {
    let is_on_output = |one: &FailedCall| one.file.as_deref().is_some_and(is_output);
    // A sync of the state directory can be for `exports` in it.
    let may_be = |one: &FailedCall| is_on_output(one) || one.file.as_deref() == Some("state");
    if failed.iter().all(is_on_output) {
        &[OUTPUT_FAILED]
    } else if failed.iter().any(may_be) {
        &[OUTPUT_FAILED, LOCAL_IO_FAILED]
    } else {
        &[LOCAL_IO_FAILED]
    }
}

/// A path of the site that, as the message says, something is kept in, and that does not exist. What is kept until the end
/// of the run may be in the token store by then, which the token check looks at.
fn missing_file(message: &str, root: &str) -> Option<String> {
    let kept = message.split("kept in ").skip(1).filter(|rest| {
        let line = rest.lines().next().unwrap_or_default();
        rest.starts_with(root)
            && !line.contains(", and stored at the end of this run or by the next")
    });
    let mut paths = kept.map(|rest| {
        let end = rest.find([' ', '\n', ':', ';', ',']).unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    paths.find(|path| !Path::new(path).exists())
}

/// Whether a file of a site is an export or becomes one.
fn is_output(file: &str) -> bool {
    let is_in = |directory: &str| file.starts_with(directory.trim_end_matches('/'));
    is_in("state/exports") || is_in(SHARED) || file == GROWING_FILE
}

/// The call and what kind of file it was on.
fn describe(failed: &FailedCall) -> String {
    let kinds = [
        (".part", "a stage file"),
        (".ready", "a marker"),
        ("-journal", "the ledger's journal"),
        (".sqlite3", "the ledger"),
    ];
    let file = failed.file.as_deref().unwrap_or("no file");
    let kind = kinds.iter().find(|(end, _)| file.ends_with(end));
    format!("{} of {}", failed.call, kind.map_or(file, |(_, kind)| kind))
}
