//! Which file an interrupted append went into: until the next run, a log rotation may have renamed or emptied it, and the
//! rows in it must not be written again elsewhere.

use super::growing::{self, Beginning, cannot_append, compare, header_at};
use crate::disk::atomic;
use crate::disk::shared::{self, Access, Found};
use crate::error::{Error, Kind, Result};
use crate::ledger::batches::{AppendAt, BatchRecord};
use crate::ledger::outputs::AppendTarget;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Creates the growing file of `batch` if it is missing; returns which file it is, to be recorded before the first byte
/// is appended.
pub(super) fn open_target(batch: &BatchRecord, at: AppendAt) -> Result<AppendTarget> {
    let path = batch.destination.target();
    let found = growing::open_for_append(batch)?
        .metadata()
        .map_err(|e| cannot_append(path, e))?;
    if found.len() == 0 {
        // A run killed right after making the file may not have synced its directory.
        atomic::sync_parent(&shared::behind(path)).map_err(|e| cannot_append(path, e))?;
    }
    Ok(AppendTarget {
        batch: batch.id,
        device: found.dev(),
        inode: found.ino(),
        changed: changed(&found),
        header_only: !header_at(batch, at).is_empty(),
    })
}

/// Where the rows are that were appended before a kill.
pub(super) enum Appended {
    /// Nowhere, or in the file at the path of the batch: the missing ones belong there too.
    Here,
    /// Nowhere, and another file is at that path.
    Nowhere,
    /// In this file, or somewhere else, or nowhere.
    PerhapsIn(Option<PathBuf>),
}

/// Looks for the rows of `batch` that were appended to `target`, which may have been emptied or renamed since then.
pub(super) fn find_appended(
    batch: &BatchRecord,
    stage: &File,
    target: AppendTarget,
    at: AppendAt,
) -> io::Result<Appended> {
    let path = &shared::behind(batch.destination.target());
    match path.symlink_metadata() {
        Ok(found) if is_target(&found, target) && target.header_only => return Ok(Appended::Here),
        _ if target.header_only => return Ok(Appended::Nowhere),
        Ok(found) if is_target(&found, target) => {
            // An empty file was emptied after the append began, unless nothing has changed it.
            let untouched = at.offset == 0 && changed(&found) == target.changed;
            return Ok(if found.len() > 0 || untouched {
                Appended::Here
            } else {
                Appended::PerhapsIn(None)
            });
        }
        Ok(found) if found.is_file() && continues(batch, stage, at)? => return Ok(Appended::Here),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // A log rotation renames within the directory.
    for entry in std::fs::read_dir(path.parent().unwrap_or(Path::new("/")))? {
        let entry = entry?;
        let found = match entry.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if is_target(&found, target) {
            return Ok(if found.len() == at.offset {
                Appended::Nowhere
            } else {
                Appended::PerhapsIn(Some(entry.path()))
            });
        }
    }
    Ok(Appended::PerhapsIn(None))
}

/// Whether the file at the path of `batch`, a copy put back perhaps, goes on from `at` with rows of it. A header alone
/// proves nothing.
fn continues(batch: &BatchRecord, mut stage: &File, at: AppendAt) -> io::Result<bool> {
    let path = shared::behind(batch.destination.target());
    let Found::File(mut file) = shared::open(&path, Access::Read)? else {
        return Ok(false);
    };
    let header = header_at(batch, at);
    if file.metadata()?.len() <= at.offset.saturating_add(header.len() as u64) {
        return Ok(false);
    }
    stage.seek(SeekFrom::Start(0))?;
    let mut wanted = header.as_slice().chain(stage);
    Ok(compare(&mut file, at.offset, &mut wanted)? == Beginning::Whole)
}

/// The number of a device may change when it is mounted again.
fn is_target(found: &Metadata, target: AppendTarget) -> bool {
    found.ino() == target.inode
        && (found.dev() == target.device || changed(found) == target.changed)
}

/// The time of the last change, nanoseconds.
fn changed(found: &Metadata) -> i64 {
    found
        .mtime()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(found.mtime_nsec())
}

/// 73: rows of `batch` would be in two files.
pub(super) fn appended_elsewhere(batch: &BatchRecord, half: Option<&Path>) -> Error {
    let (file, stage) = (batch.destination.target().display(), batch.stage.display());
    let error = |what: String, put_back: String| {
        Error::new(Kind::Output, what)
            .safe("nothing was changed and no token was spent; the new rows are kept")
            .next(format!(
                "{put_back}; or, if no row of that batch is to be kept: rm '{stage}', then aweber-sync run, which \
                 fetches the rows again into a new file"
            ))
    };
    match half {
        Some(half) => {
            let half = half.display();
            error(
                format!(
                    "{half} ends with the first part of a batch: it was {file} until it was renamed, before the rest could be appended"
                ),
                format!("mv '{half}' '{file}', then aweber-sync run, which appends the rest"),
            )
        }
        None => error(
            format!(
                "{file} was emptied or taken away, or the power failed, before the rest of a batch could be appended: its first part may be elsewhere"
            ),
            format!(
                "move the file that ends with it back to '{file}', then aweber-sync run, which appends the rest"
            ),
        ),
    }
}
