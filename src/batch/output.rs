//! Which kind of output a path is, and whether it can be written to: settled before the first request.

use super::growing;
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::ledger::batches::{KnownOutput, OutputKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where the run's new rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) kind: OutputKind,
    /// Absolute; `-` for standard output.
    pub(crate) path: PathBuf,
}

impl Output {
    /// Settles what `given` (or by default `exports/` in the state directory) is, as remembered or as found; makes
    /// a directory that was never written to before.
    ///
    /// Errors: 73, nothing spent.
    pub(crate) fn settle(
        given: Option<&Path>,
        state_dir: &Path,
        layout: &Layout,
        ledger: &mut Ledger,
        dry_run: bool,
    ) -> Result<Output> {
        if given == Some(Path::new("-")) {
            return Ok(Output {
                kind: OutputKind::Stdout,
                path: "-".into(),
            });
        }
        let (path, says_directory) = match given {
            None => (state_dir.join("exports"), true),
            Some(path) => {
                let slash = path.as_os_str().as_bytes().ends_with(b"/");
                (crate::config::absolute(path)?, slash)
            }
        };
        let path = normal(&path);
        let known = ledger.output(&path)?;
        let found = std::fs::metadata(&path);
        let kind = match (&known, &found) {
            (Some(known), _) => known.kind,
            (None, Ok(found)) if found.is_dir() => OutputKind::Directory,
            (None, _) if says_directory => OutputKind::Directory,
            (None, _) => OutputKind::File,
        };
        match kind {
            OutputKind::Directory => check_directory(&path, known.is_some(), dry_run)?,
            _ => check_file(&path)?,
        }
        let output = Output { kind, path };
        if kind == OutputKind::File && !dry_run {
            growing::check(&output.path, known.as_ref(), layout)?;
        }
        // A file is remembered once something stands in it: until then a directory of that name may still be meant.
        if known.is_none() && kind == OutputKind::Directory {
            let remembered = KnownOutput {
                kind,
                length: None,
                tail: None,
                shape: None,
            };
            ledger.set_output(&output.path, &remembered)?;
        }
        Ok(output)
    }
}

/// Without `.` and a slash at the end, so that one directory has one name.
fn normal(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

fn check_directory(path: &Path, known: bool, dry_run: bool) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(cannot(format!("{shown} was a directory, and is none now"))
            .next(format!("move {shown} away, or give another --output"))),
        Ok(_) => writable(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && known => {
            Err(cannot(format!("the output directory {shown} is missing; it was there before")).next(format!(
                "mount its volume; or, if it was removed on purpose: mkdir -m 700 '{shown}'"
            )))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && dry_run => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => atomic::create_private_dirs(path).map_err(|e| {
            cannot(format!("cannot make the output directory {shown}: {e}"))
                .next("make it yourself, writable for the user that runs the job, or give another --output")
        }),
        Err(e) => Err(cannot(format!("cannot look at {shown}: {e}")).next("give another --output")),
    }
}

fn check_file(path: &Path) -> Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(cannot(format!(
            "{shown} was a growing file, and is a directory now"
        ))
        .next(format!(
            "give --output {shown}/NAME.csv, or move the directory away"
        ))),
        Ok(found) if !found.is_file() => Err(cannot(format!("{shown} is no regular file"))
            .next("give a directory or a file, or - for standard output")),
        Ok(_) => writable(path),
        Err(_) => {
            let parent = path.parent().unwrap_or(Path::new("/"));
            if !parent.is_dir() {
                return Err(
                    cannot(format!("there is no directory {}", parent.display())).next(format!(
                        "mkdir -p '{}', or mount its volume",
                        parent.display()
                    )),
                );
            }
            writable(parent)
        }
    }
}

/// Asks the system, without leaving a trace; root may write anywhere that is not read-only.
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

/// 73, found before anything was asked of AWeber.
fn cannot(what: String) -> Error {
    Error::new(Kind::Output, what)
        .safe("nothing was fetched and no token was spent; no row is lost")
}
