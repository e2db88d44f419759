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
use crate::ledger::outputs::{AppendTarget, KnownOutput};
use chrono::Utc;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The number of names tried if other programs have created files with our names.
const NAMES: u32 = 1000;

/// A published batch. The ledger has it as such with its next commit; a kill before that has the next run do it.
#[derive(Debug)]
pub(crate) struct Settled {
    file: PathBuf,
    work_file: PathBuf,
}

impl Settled {
    /// The published file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Removes the work file, which must not happen before the commit.
    pub(crate) fn clean_up(&self) {
        remove_work_file(&self.work_file);
    }

    /// Commits; returns the path of the published file.
    pub(super) fn commit(self, ledger: &mut Ledger) -> Result<PathBuf> {
        ledger.commit()?;
        self.clean_up();
        Ok(self.file)
    }
}

/// Publishes a batch whose stage file is complete and synced.
pub(super) async fn publish(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    printer: &mut Printer,
) -> Result<Settled> {
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
) -> Result<Settled> {
    let set_mode = || {
        atomic::set_mode(stage, batch.mode)?;
        // The content is durable already; the mode is not.
        match batch.mode {
            atomic::PRIVATE => Ok(()),
            _ => stage.sync_all(),
        }
    };
    set_mode()
        .and_then(|()| atomic::create_private(marker).map(drop))
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
) -> Result<Settled> {
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
) -> Result<Settled> {
    let file = batch.destination.target();
    let known = ledger.output(file)?;
    let at = growing::append_position(file, known.as_ref(), &batch.layout)?;
    append(ledger, batch, stage, at)
}

/// Appends the batch to its growing file at a position recorded first. The header is durable before the first row is
/// written: should the power fail then, an empty file cannot have held a row that a log rotation has copied.
pub(super) fn append(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    mut at: AppendAt,
) -> Result<Settled> {
    ledger.set_append_target(interrupted::open_target(&batch, at)?)?;
    let mut batch = advance(ledger, batch, State::Appending(at))?;
    if !growing::header_at(&batch, at).is_empty() {
        let header = growing::append(&batch, io::empty(), at)?;
        at = AppendAt {
            offset: header.length,
            with_header: false,
        };
        let known = KnownOutput::GrowingFile(header);
        ledger.set_output(batch.destination.target(), &known)?;
        ledger.set_append_target(interrupted::open_target(&batch, at)?)?;
        batch = advance(ledger, batch, State::Appending(at))?;
        if growing::length(&batch)? < at.offset {
            return append_at_once(ledger, batch, stage);
        }
    }
    finish_appending(ledger, batch, stage, at)
}

/// As [`append_at_end`], but the rows follow the header at once: a consumer has taken or emptied the file when it had the
/// header alone, and would do so again. No row was in it.
fn append_at_once(ledger: &mut Ledger, batch: BatchRecord, stage: &File) -> Result<Settled> {
    let file = batch.destination.target();
    let known = ledger.output(file)?;
    let at = growing::append_position(file, known.as_ref(), &batch.layout)?;
    ledger.set_append_target(AppendTarget {
        header_only: false,
        ..interrupted::open_target(&batch, at)?
    })?;
    let batch = advance(ledger, batch, State::Appending(at))?;
    finish_appending(ledger, batch, stage, at)
}

/// The steps after appending: append the missing bytes, settle, remove the stage file.
pub(super) fn finish_appending(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    at: AppendAt,
) -> Result<Settled> {
    let known = KnownOutput::GrowingFile(growing::append(&batch, stage, at)?);
    ledger.set_output(batch.destination.target(), &known)?;
    settle(ledger, batch)
}

async fn to_stdout(
    ledger: &mut Ledger,
    batch: BatchRecord,
    stage: &File,
    printer: &mut Printer,
) -> Result<Settled> {
    let batch = advance(ledger, batch, State::Ready)?;
    let header = batch.layout.header();
    printer.print(header, stage).await?;
    let settled = settle(ledger, batch)?;
    // What is printed cannot be undone: as soon as possible.
    ledger.commit()?;
    Ok(settled)
}

fn advance(ledger: &mut Ledger, mut batch: BatchRecord, state: State) -> Result<BatchRecord> {
    batch.state = state;
    ledger.put_batch(&batch)?;
    ledger.commit()?;
    Ok(batch)
}

/// Marks the batch as published.
pub(super) fn settle(ledger: &mut Ledger, batch: BatchRecord) -> Result<Settled> {
    ledger.settle_batch(batch.id, Utc::now().timestamp())?;
    // Only one of them is left: the stage file of a directory batch has been renamed.
    let work_file = batch.destination.marker().unwrap_or(&batch.stage);
    Ok(Settled {
        file: batch.destination.target().to_owned(),
        work_file: work_file.to_owned(),
    })
}
