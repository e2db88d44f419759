//! What `--version` prints: the version, and for a release build the commit and its date, as `0.1.0 (1a2b3c4 2026-11-22)`.
//! They come from the variable `AWEBER_SYNC_REVISION`, a source archive, the repository, or the published crate (without
//! the date), whichever has them.

use std::process::Command;

/// Replaced in source archives (`git archive`, GitHub's tarballs).
const ARCHIVED: &str = "$Format:%h %cs$";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=AWEBER_SYNC_REVISION");
    let version = env!("CARGO_PKG_VERSION");
    let long = match revision() {
        Some(revision) => format!("{version} ({revision})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=AWEBER_SYNC_LONG_VERSION={long}");
}

fn revision() -> Option<String> {
    // A debug build would compile again after each commit.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return None;
    }
    let given = std::env::var("AWEBER_SYNC_REVISION").ok();
    let archived = Some(ARCHIVED).filter(|archived| !archived.starts_with('$'));
    given
        .filter(|given| !given.is_empty())
        .or(archived.map(str::to_owned))
        .or_else(from_repository)
        .or_else(from_crate)
}

/// The commit that is checked out, with a plus sign if files were changed since.
fn from_repository() -> Option<String> {
    // Another project's repository may surround an unpacked crate.
    let prefix = git(&["rev-parse", "--show-prefix", "--git-path", "logs/HEAD"])?;
    let log = prefix.strip_prefix('\n')?;
    println!("cargo::rerun-if-changed={log}\ncargo::rerun-if-changed=src");
    let revision = git(&["log", "-1", "--format=%h %cs"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed {
        revision.replacen(' ', "+ ", 1)
    } else {
        revision
    })
}

/// The commit that `cargo package` notes in a published crate.
fn from_crate() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    Some(rest.get(..7)?.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
