//! Finishing the batch of a killed run, from what is on disk alone, before any request.

use super::allowed::{self, OwnPaths};
use super::errors::{cannot_publish, cannot_stage, check_directory};
use super::growing;
use super::interrupted::{self, Appended};
use super::printer::Printer;
use super::publish::{self, Settled};
use super::stage::{self, remove_work_file};
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::ledger::batches::{AppendAt, BatchRecord, Destination, State};
use crate::ledger::outputs::AppendTarget;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Where a new growing file begins.
const BEGINNING: AppendAt = AppendAt {
    offset: 0,
    with_header: true,
};

/// What became of an unfinished batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// Its path, and the number of rows.
    Published(PathBuf, u64),
    /// It was lost; its rows will be found again.
    Void,
}

/// Finishes the batch that the previous run left unfinished, if any, with the options that it was recorded with.
///
/// Errors: 73 if its directory is missing or not writable, or its growing file cannot be recognized as ours, 78 if it
/// names files that are not ours; the batch is kept.
pub(crate) async fn recover(
    ledger: &mut Ledger,
    printer: &mut Printer,
    own: &OwnPaths,
) -> Result<Option<Recovered>> {
    for file in ledger.last_work_files()? {
        if let Some(file) = allowed::work_file(&file, own) {
            remove_work_file(&file);
        }
    }
    let Some(batch) = ledger.unfinished_batch()? else {
        return Ok(None);
    };
    let batch = allowed::checked(batch, own, ledger.path())?;
    check_directory(&batch)?;
    let rows = batch.rows;
    let published = match (batch.state, batch.destination.clone()) {
        (State::Ready, Destination::Directory { marker, .. }) => {
            finish_rename(ledger, batch, &marker)?
        }
        (State::Appending(at), _) => finish_append(ledger, batch, at)?,
        _ => finish_open(ledger, batch, printer).await?,
    };
    Ok(Some(match published {
        Some(settled) => Recovered::Published(settled.commit(ledger)?, rows),
        None => Recovered::Void,
    }))
}

/// Killed while collecting, or before printing was finished: publishes the rows that the ledger counts, and cuts off
/// any bytes behind them.
async fn finish_open(
    ledger: &mut Ledger,
    batch: BatchRecord,
    printer: &mut Printer,
) -> Result<Option<Settled>> {
    let stage = match batch.rows {
        0 => None,
        _ => reopen_stage(&batch)?,
    };
    match stage {
        Some(stage) => publish::publish(ledger, batch, &stage, printer)
            .await
            .map(Some),
        None => void(ledger, &batch),
    }
}

/// Killed between ready and published.
fn finish_rename(
    ledger: &mut Ledger,
    batch: BatchRecord,
    marker: &Path,
) -> Result<Option<Settled>> {
    // Only a file that is certainly missing counts as missing: a disk error proves nothing.
    let exists = |path: &Path| match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(cannot_publish("cannot finish", &batch, &e)),
    };
    if exists(&batch.stage)? {
        match reopen_stage(&batch)? {
            Some(stage) => publish::rename_into_place(ledger, batch, &stage).map(Some),
            None => void(ledger, &batch),
        }
    } else if exists(marker)? {
        // Renamed, and perhaps taken away by a consumer since then; but perhaps not synced.
        atomic::sync_parent(marker).map_err(|e| cannot_publish("cannot finish", &batch, &e))?;
        publish::settle(ledger, batch).map(Some)
    } else {
        void(ledger, &batch)
    }
}

/// Killed while appending to the growing file.
fn finish_append(ledger: &mut Ledger, batch: BatchRecord, at: AppendAt) -> Result<Option<Settled>> {
    let found = growing::length(&batch)?;
    let Some(stage) = reopen_stage(&batch)? else {
        return if found == 0 || found == at.offset {
            // Nothing was appended, or the stage file was removed as an error message advises.
            void(ledger, &batch)
        } else {
            Err(lost_stage(&batch))
        };
    };
    let target = ledger.append_target(batch.id)?;
    match find_appended(target, &batch, &stage, at)? {
        Appended::Here if target.is_some_and(|target| target.header_only) => {
            publish::append(ledger, batch, &stage, at).map(Some)
        }
        Appended::Here if found == 0 => publish::append(ledger, batch, &stage, BEGINNING).map(Some),
        Appended::Here => publish::finish_appending(ledger, batch, &stage, at).map(Some),
        Appended::Nowhere => publish::append_at_end(ledger, batch, &stage).map(Some),
        Appended::PerhapsIn(other) => {
            Err(interrupted::appended_elsewhere(&batch, other.as_deref()))
        }
    }
}

/// Where the rows appended so far are.
fn find_appended(
    target: Option<AppendTarget>,
    batch: &BatchRecord,
    stage: &File,
    at: AppendAt,
) -> Result<Appended> {
    // An older version recorded no file.
    let Some(target) = target else {
        return Ok(Appended::Here);
    };
    interrupted::find_appended(batch, stage, target, at)
        .map_err(|e| cannot_publish("cannot look at", batch, &e))
}

fn lost_stage(batch: &BatchRecord) -> Error {
    let file = batch.destination.target().display();
    Error::new(
        Kind::LocalIo,
        format!(
            "cannot finish appending to {file}: the stage file {} is missing",
            batch.stage.display()
        ),
    )
    .safe("it was not changed")
    .next(format!(
        "restore the stage file; without it: mv '{file}' '{file}.old', then aweber-sync run, which fetches the rows again"
    ))
}

/// Opens the stage file, cut to its valid length; returns `None` if its rows have to be fetched again.
fn reopen_stage(batch: &BatchRecord) -> Result<Option<File>> {
    stage::reopen(&batch.stage, batch.length).map_err(|e| cannot_stage(batch, &e))
}

fn void(ledger: &mut Ledger, batch: &BatchRecord) -> Result<Option<Settled>> {
    ledger.void_batch(batch.id)?;
    ledger.commit()?;
    remove_work_file(&batch.stage);
    if let Some(marker) = batch.destination.marker() {
        remove_work_file(marker);
    }
    Ok(None)
}
