//! Publishing a complete batch, step by step. After a kill between any two steps [`recover`](super::recover) continues
//! from what is on disk.

use super::errors::{cannot_publish, stage_replaced};
use super::growing;
use super::interrupted;
use super::naming::file_name;
use super::printer::Printer;
use super::stage::remove_work_file;
use crate::disk::{atomic, shared};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::ledger::batches::{AppendAt, BatchRecord, Destination, State};
use crate::ledger::outputs::KnownOutput;
use chrono::Utc;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The number of names tried if other programs have created files with our names.
const NAMES: u32 = 1000;

/// Publishes a batch whose stage file is complete and synced; returns the path of the published file.
pub(super) async fn publish(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    printer: &mut Printer,
) -> Result<PathBuf> {
    match batch.destination.clone() {
        Destination::Directory { marker, .. } => into_directory(ledger, batch, stage, &marker),
        Destination::GrowingFile(_) => append_at_end(ledger, batch, stage),
        Destination::Stdout => to_stdout(ledger, batch, stage, printer).await,
    }
}

/// Creates the marker, then sets the state to ready. If the stage file is gone and the marker is not, the batch was
/// published, even if a consumer has already taken the file away.
fn into_directory(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    marker: &Path,
) -> Result<PathBuf> {
    let set_mode = || {
        atomic::set_mode(stage, batch.mode)?;
        // The content is durable already; the mode is not.
        match batch.mode {
            atomic::PRIVATE => Ok(()),
            _ => stage.sync_all(),
        }
    };
    set_mode()
        .and_then(|()| atomic::create_private(marker)?.sync_all())
        .and_then(|()| atomic::sync_parent(marker))
        .map_err(|e| cannot_publish("cannot publish into", &batch, &e))?;
    let batch = advance(ledger, batch, State::Ready)?;
    rename_into_place(ledger, batch, stage)
}

/// The steps after ready: rename, settle, remove the marker. Another user of the directory may have put something else in
/// the place of `stage`, before the rename or while it was under way.
pub(super) fn rename_into_place(
    ledger: &mut Ledger,
    mut batch: BatchRecord,
    stage: &File,
) -> Result<PathBuf> {
    for _ in 0..NAMES {
        if !shared::is_file_at(&batch.stage, stage)
            .map_err(|e| cannot_publish("cannot finish", &batch, &e))?
        {
            return Err(replaced(ledger, &batch, &batch.stage));
        }
        let target = batch.destination.target().to_owned();
        match atomic::rename_new_unsynced(&batch.stage, &target) {
            // A reader may have taken it away already, or rewritten it. Looked at before the sync, which takes longer.
            Ok(()) => match shared::is_file_at(&target, stage) {
                Ok(false) if !shared::is_own(&target) => {
                    return Err(replaced(ledger, &batch, &target));
                }
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot_publish("cannot look at", &batch, &e));
                }
                _ => {
                    atomic::sync_parent(&target)
                        .map_err(|e| cannot_publish("cannot publish as", &batch, &e))?;
                    return settle(ledger, batch);
                }
            },
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // A file of another program: take the next name, and record it before the rename.
                batch.named_at = batch.named_at.saturating_add(1);
                let name = file_name(batch.named_at, &batch.layout);
                batch.destination.set_file_name(&name);
                ledger.put_batch(&batch)?;
                ledger.commit()?;
            }
            Err(e) => return Err(cannot_publish("cannot publish as", &batch, &e)),
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(cannot_publish(
        "cannot find a free name near",
        &batch,
        &taken,
    ))
}

/// Voids the batch, so that its rows are found again, and returns the error to end with.
fn replaced(ledger: &mut Ledger, batch: &BatchRecord, path: &Path) -> Error {
    let voided = ledger.void_batch(batch.id).and_then(|()| ledger.commit());
    voided.err().unwrap_or_else(|| stage_replaced(path))
}

/// Appends the batch to its growing file, if that is as the last append left it.
pub(super) fn append_at_end(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
) -> Result<PathBuf> {
    let file = batch.destination.target();
    let known = ledger.output(file)?;
    let at = growing::append_position(file, known.as_ref(), &batch.layout)?;
    append(ledger, batch, stage, at)
}

/// Appends the batch to its growing file at a position recorded first.
pub(super) fn append(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    at: AppendAt,
) -> Result<PathBuf> {
    ledger.set_append_target(interrupted::open_target(&batch)?)?;
    let batch = advance(ledger, batch, State::Appending(at))?;
    finish_appending(ledger, batch, stage, at)
}

/// The steps after appending: append the missing bytes, settle, remove the stage file.
pub(super) fn finish_appending(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    at: AppendAt,
) -> Result<PathBuf> {
    let known = KnownOutput::GrowingFile(growing::append(&batch, stage, at)?);
    ledger.set_output(batch.destination.target(), &known)?;
    settle(ledger, batch)
}

async fn to_stdout(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    printer: &mut Printer,
) -> Result<PathBuf> {
    let batch = advance(ledger, batch, State::Ready)?;
    let header = batch.layout.header();
    printer.print(header, stage).await?;
    settle(ledger, batch)
}

fn advance(ledger: &mut Ledger, mut batch: BatchRecord, state: State) -> Result<BatchRecord> {
    batch.state = state;
    ledger.put_batch(&batch)?;
    ledger.commit()?;
    Ok(batch)
}

/// Commits the batch as published, then removes its work file; returns the path of the published file.
pub(super) fn settle(ledger: &mut Ledger, batch: BatchRecord) -> Result<PathBuf> {
    ledger.settle_batch(batch.id, Utc::now().timestamp())?;
    ledger.commit()?;
    // Only one of them is left: the stage file of a directory batch has been renamed.
    remove_work_file(batch.destination.marker().unwrap_or(&batch.stage));
    Ok(batch.destination.target().to_owned())
}
