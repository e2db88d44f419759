//! Which kind of output a path is, and whether it can be written to; checked before the first request.

use super::growing;
use crate::disk::{atomic, shared};
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::ledger::outputs::KnownOutput;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where a run exports to. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// One file per batch.
    Directory(PathBuf),
    /// One file that all batches are appended to.
    GrowingFile(PathBuf),
    /// Standard output.
    Stdout,
}

impl Output {
    /// The absolute path of `given`, by default `exports/` in the state directory; `None` for standard output.
    pub(crate) fn path(given: Option<&Path>, state_dir: &Path) -> Result<Option<PathBuf>> {
        let path = match given {
            Some(path) if path == Path::new("-") => return Ok(None),
            Some(path) => crate::config::absolute(path)?,
            None => state_dir.join("exports"),
        };
        Ok(Some(normal(&path)))
    }

    /// The kind of output that `given` (by default `exports/` in the state directory) was before, or else is now;
    /// creates a directory that was never used before.
    ///
    /// Errors: 73 if it cannot be written to.
    pub(crate) fn settle(
        given: Option<&Path>,
        state_dir: &Path,
        layout: &Layout,
        ledger: &mut Ledger,
        dry_run: bool,
    ) -> Result<Output> {
        let Some(path) = Output::path(given, state_dir)? else {
            if !dry_run {
                crate::stdout::check_open()?;
            }
            return Ok(Output::Stdout);
        };
        let must_be_directory =
            given.is_none_or(|path| path.as_os_str().as_bytes().ends_with(b"/"));
        check_link(&path)?;
        let known = ledger.output(&path)?;
        let is_directory = match &known {
            Some(known) => *known == KnownOutput::Directory,
            None => must_be_directory || path.is_dir(),
        };
        if is_directory {
            check_directory(&path, known.is_some(), dry_run)?;
            if known.is_none() {
                ledger.set_output(&path, &KnownOutput::Directory)?;
            }
            return Ok(Output::Directory(path));
        }
        // A file becomes known when rows are appended to it: until then the user may replace it by a directory.
        check_file(&path)?;
        if !dry_run {
            growing::append_position(&path, known.as_ref(), layout)?;
        }
        Ok(Output::GrowingFile(path))
    }

    /// The layout that the rows of this output already have, if it is a growing file with rows.
    pub(crate) fn layout_begun(&self, layout: &Layout, ledger: &Ledger) -> Result<Option<Layout>> {
        match self {
            Output::GrowingFile(path) => {
                let known = ledger.output(path)?;
                Ok(growing::layout_begun(path, known.as_ref(), layout))
            }
            Output::Directory(_) | Output::Stdout => Ok(None),
        }
    }
}

/// Removes `.` and trailing slashes, so that a directory has one name.
fn normal(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

/// Errors: 73 if the path is a link that another user may have made.
fn check_link(path: &Path) -> Result<()> {
    let link = shared::behind(path);
    match std::fs::read_link(&link) {
        Ok(target) => Err(cannot(format!(
            "{} is a symbolic link in a directory that other users can change",
            link.display()
        ))
        .next(format!(
            "if the link is yours: give its target as --output: '{}'",
            link.parent()
                .unwrap_or(Path::new("/"))
                .join(target)
                .display()
        ))),
        Err(_) => Ok(()),
    }
}

fn check_directory(path: &Path, known: bool, dry_run: bool) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(cannot(format!(
            "{shown} was a directory and no longer is one"
        ))
        .next(format!("move {shown} away, or give another --output"))),
        Ok(_) if known || dry_run => writable(path),
        Ok(_) => {
            // It may have been made just now. Best effort: its parent may be unreadable for this user.
            let _ = atomic::sync_parent(path);
            writable(path)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && known => Err(cannot(format!(
            "the output directory {shown} is missing, although it was used before"
        ))
        .next(format!(
            "mount its volume; or, if it was removed on purpose: mkdir -m 700 '{shown}'"
        ))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && dry_run => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => atomic::create_private_dirs(path)
            .map_err(|e| {
                Error::output("cannot create the output directory", path, &e)
                    .safe(UNTOUCHED)
                    .next("create it, writable for the user that runs the job, or give another --output")
            }),
        Err(e) => Err(cannot(format!("cannot look at {shown}: {e}")).next("give another --output")),
    }
}

fn check_file(path: &Path) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(cannot(format!(
            "{shown} was a growing file and is now a directory"
        ))
        .next(format!(
            "give --output {shown}/NAME.csv, or move the directory away"
        ))),
        Ok(found) if !found.is_file() => Err(cannot(format!("{shown} is not a regular file"))
            .next("give a directory or a file, or - for standard output")),
        Ok(_) => writable(path),
        Err(_) => {
            let parent = path.parent().unwrap_or(Path::new("/"));
            if !parent.is_dir() {
                return Err(
                    cannot(format!("no such directory: {}", parent.display())).next(format!(
                        "mkdir -p '{}', or mount its volume",
                        parent.display()
                    )),
                );
            }
            writable(parent)
        }
    }
}

/// Asks the system instead of writing a test file. Root may write to anything that is not mounted read-only.
fn writable(path: &Path) -> Result<()> {
    use rustix::fs::{Access, access};
    access(path, Access::WRITE_OK).map_err(|e| {
        cannot(format!(
            "cannot write to {}: {}",
            path.display(),
            std::io::Error::from(e)
        ))
        .next("make it writable for the user that runs the job, or give another --output")
    })
}

/// What is safe before the first request.
const UNTOUCHED: &str = "nothing was fetched and no token was spent; no row is lost";

/// 73, before the first request.
fn cannot(what: String) -> Error {
    Error::new(Kind::Output, what).safe(UNTOUCHED)
}
