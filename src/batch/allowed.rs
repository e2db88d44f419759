//! Which files a batch in the ledger may make the job touch. A ledger is data: one that was copied from elsewhere must not
//! name files of other programs (promise N5). Of its paths only the output directory is taken as recorded; every file in
//! it, or in the state directory, has a name of ours. A growing file can have any name, so it is the configured one, or
//! begins with the header of the batch.

use super::errors::not_of_this_job;
use super::growing;
use super::naming;
use crate::error::{Error, Kind, Result};
use crate::ledger::batches::{BatchRecord, Destination};
use std::path::{Path, PathBuf};

/// Where the files of this job are.
#[derive(Debug)]
pub(crate) struct OwnPaths {
    pub(crate) state_dir: PathBuf,
    /// The configured output, if it is a path.
    pub(crate) output: Option<PathBuf>,
}

/// Returns the batch with its stage file where this job looks for it.
///
/// Errors: 78 if it names a file that is not ours, 73 if its growing file is neither the configured one nor recognized.
pub(super) fn checked(
    mut batch: BatchRecord,
    own: &OwnPaths,
    ledger: &Path,
) -> Result<BatchRecord> {
    let foreign = |path: &Path| Err(not_of_this_job(ledger, path));
    match &batch.destination {
        Destination::Directory { file, marker } => {
            let directory = file.parent().filter(|directory| directory.is_absolute());
            let is_in_it = |path: &Path| directory.is_some() && path.parent() == directory;
            if !has_name(file, naming::is_published) || !is_in_it(file) {
                return foreign(file);
            }
            for (path, extension) in [(&batch.stage, "part"), (marker, "ready")] {
                if !has_name(path, |name| naming::is_hidden(name, extension)) || !is_in_it(path) {
                    return foreign(path);
                }
            }
        }
        Destination::GrowingFile(_) | Destination::Stdout => {
            // The state directory may have been moved since then.
            let Some(stage) = in_state_dir(&batch.stage, own) else {
                return foreign(&batch.stage);
            };
            batch.stage = stage;
        }
    }
    if let Destination::GrowingFile(file) = &batch.destination
        && batch.rows > 0
    {
        check_growing(file, &batch, own)?;
    }
    Ok(batch)
}

/// The stage file or marker of a finished batch, if this program may remove it.
pub(super) fn work_file(path: &Path, own: &OwnPaths) -> Option<PathBuf> {
    let is_hidden = has_name(path, |name| {
        naming::is_hidden(name, "part") || naming::is_hidden(name, "ready")
    });
    if is_hidden {
        return Some(path.to_owned());
    }
    let known = in_state_dir(path, own);
    if known.is_none() {
        tracing::warn!(
            event = "not_removed",
            path = %path.display(),
            "the ledger names a file that is not of this job: it was not removed"
        );
    }
    known
}

fn has_name(path: &Path, is_ours: impl Fn(&str) -> bool) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(is_ours)
}

fn in_state_dir(path: &Path, own: &OwnPaths) -> Option<PathBuf> {
    has_name(path, naming::is_in_state_dir)
        .then(|| Some(own.state_dir.join(path.file_name()?)))
        .flatten()
}

fn check_growing(file: &Path, batch: &BatchRecord, own: &OwnPaths) -> Result<()> {
    if own.output.as_deref() == Some(file) {
        return Ok(());
    }
    if let Some(found) = growing::open(file)? {
        let has_header = growing::has_header(&found, &batch.layout);
        if has_header.map_err(|e| Error::output("cannot read", file, &e))? {
            return Ok(());
        }
    }
    let shown = file.display();
    Err(Error::new(
        Kind::Output,
        format!(
            "{} new rows are waiting for {shown}, which is not the --output of this run and does not begin with their header",
            batch.rows
        ),
    )
    .safe("it was not touched; the rows are kept and no token was spent")
    .next(format!(
        "aweber-sync run --output '{shown}', which appends them, then run as before"
    )))
}
