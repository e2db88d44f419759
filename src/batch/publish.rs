//! Publishing a complete batch, step by step; after a kill between any two of them
//! [`recover`](super::recover) goes on from what is on disk.

use super::collect::file_name;
use super::growing;
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::ledger::batches::{BatchRecord, KnownOutput, OutputKind, State};
use crate::stop::Stop;
use chrono::Utc;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many names are tried if others put files of our names into the directory.
const NAMES: u32 = 1000;

/// Standard output, with one header however many batches are printed.
#[derive(Debug)]
pub(crate) struct Printer {
    stop: Stop,
    header_printed: Option<Vec<u8>>,
}

impl Printer {
    /// Nothing printed yet.
    pub(crate) fn new(stop: Stop) -> Printer {
        Printer {
            stop,
            header_printed: None,
        }
    }

    /// Prints header and stage file. A reader that does not read must not keep us from heeding a signal, so this
    /// happens on a thread of its own.
    async fn print(&mut self, header: Vec<u8>, stage: PathBuf) -> Result<()> {
        // A second batch of another shape begins with a header of its own.
        let header_due = self.header_printed.as_ref() != Some(&header);
        let begin = if header_due {
            header.clone()
        } else {
            Vec::new()
        };
        let printing = tokio::task::spawn_blocking(move || -> io::Result<()> {
            let mut out = io::stdout().lock();
            out.write_all(&begin)?;
            io::copy(&mut File::open(&stage)?, &mut out)?;
            out.flush()
        });
        let printed = tokio::select! {
            printed = printing => printed.unwrap_or_else(|e| Err(io::Error::other(e))),
            stopped = self.stop.signalled() => return Err(stopped),
        };
        printed.map_err(|e| {
            Error::new(
                Kind::Output,
                format!("cannot write to standard output: {e}"),
            )
            .safe("the batch counts as not published; the next run prints all of it")
            .next("look at the program that reads our output")
        })?;
        self.header_printed = Some(header);
        Ok(())
    }
}

/// Publishes a batch whose stage file is complete and synced; says where it is now.
pub(crate) async fn publish(
    ledger: &mut Ledger,
    batch: BatchRecord,
    printer: &mut Printer,
) -> Result<PathBuf> {
    match batch.kind {
        OutputKind::Directory => into_directory(ledger, batch),
        OutputKind::File => into_file(ledger, batch),
        OutputKind::Stdout => to_stdout(ledger, batch, printer).await,
    }
}

/// The marker says 'ready' on disk as the ledger does, so that a batch whose stage file is gone is known to be
/// published, even if its reader has taken it away already.
fn into_directory(ledger: &mut Ledger, mut batch: BatchRecord) -> Result<PathBuf> {
    if let Some(marker) = &batch.marker {
        File::open(&batch.stage)
            .and_then(|stage| atomic::set_mode(&stage, batch.mode))
            .and_then(|()| atomic::create_private(marker)?.sync_all())
            .and_then(|()| atomic::sync_parent(marker))
            .map_err(|e| cannot("cannot publish into", &batch, &e))?;
    }
    batch.state = State::Ready;
    ledger.put_batch(&batch)?;
    ledger.commit()?;
    rename_into_place(ledger, batch)
}

/// From 'ready' on: rename, settle, remove the marker.
pub(crate) fn rename_into_place(ledger: &mut Ledger, mut batch: BatchRecord) -> Result<PathBuf> {
    for _ in 0..NAMES {
        match atomic::rename_new(&batch.stage, &batch.target) {
            Ok(()) => {
                settle(ledger, &batch, None)?;
                remove_marker(&batch);
                return Ok(batch.target);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // Another job's file: take the next name, which the ledger knows before the file does.
                batch.named_at += 1;
                batch
                    .target
                    .set_file_name(file_name(batch.named_at, &layout_of(&batch)?));
                ledger.put_batch(&batch)?;
                ledger.commit()?;
            }
            Err(e) => return Err(cannot("cannot publish as", &batch, &e)),
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(cannot("cannot find a free name near", &batch, &taken))
}

/// Removes the marker of a settled batch. A left-over one is harmless; the next run tries again.
pub(crate) fn remove_marker(batch: &BatchRecord) {
    if let Some(marker) = &batch.marker
        && let Err(e) = atomic::remove_if_there(marker)
    {
        tracing::debug!(
            event = "leftover",
            "cannot remove {}: {e}",
            marker.display()
        );
    }
}

fn into_file(ledger: &mut Ledger, mut batch: BatchRecord) -> Result<PathBuf> {
    let known = ledger.output(&batch.target)?;
    let place = growing::check(&batch.target, known.as_ref(), &layout_of(&batch)?)?;
    batch.state = State::Appending;
    batch.appended_at = Some(place.at);
    batch.with_header = place.with_header;
    ledger.put_batch(&batch)?;
    ledger.commit()?;
    finish_appending(ledger, batch)
}

/// From 'appending' on: append what is missing, settle, remove the stage file.
pub(crate) fn finish_appending(ledger: &mut Ledger, batch: BatchRecord) -> Result<PathBuf> {
    let layout = layout_of(&batch)?;
    let header = if batch.with_header {
        layout.header()
    } else {
        Vec::new()
    };
    let at = batch.appended_at.unwrap_or(0);
    let length = growing::append(&batch.target, at, &header, &batch.stage, batch.mode)?;
    let known = KnownOutput {
        kind: OutputKind::File,
        length: Some(length),
        tail: Some(growing::fingerprint(&batch.target, length)?),
        shape: Some(layout.shape()),
    };
    settle(ledger, &batch, Some(known))?;
    remove_stage(&batch);
    Ok(batch.target)
}

async fn to_stdout(
    ledger: &mut Ledger,
    mut batch: BatchRecord,
    printer: &mut Printer,
) -> Result<PathBuf> {
    batch.state = State::Ready;
    ledger.put_batch(&batch)?;
    ledger.commit()?;
    let header = layout_of(&batch)?.header();
    printer.print(header, batch.stage.clone()).await?;
    settle(ledger, &batch, None)?;
    remove_stage(&batch);
    Ok(batch.target)
}

/// The layout that the batch was recorded with.
fn layout_of(batch: &BatchRecord) -> Result<Layout> {
    Layout::parse(&batch.format, &batch.columns).ok_or_else(|| {
        Error::config(format!(
            "batch {} has a format that this version does not know",
            batch.id
        ))
        .safe("its rows are kept")
        .next("install the newer aweber-sync again")
    })
}

/// The ledger's word that the batch is out.
pub(crate) fn settle(
    ledger: &mut Ledger,
    batch: &BatchRecord,
    output: Option<KnownOutput>,
) -> Result<()> {
    if let Some(output) = output {
        ledger.set_output(&batch.target, &output)?;
    }
    ledger.settle_batch(batch.id, Utc::now().timestamp())?;
    ledger.commit()
}

/// Removes the stage file of a batch that no longer needs it. A left-over one is harmless.
pub(crate) fn remove_stage(batch: &BatchRecord) {
    if let Err(e) = atomic::remove_if_there(&batch.stage) {
        tracing::debug!(
            event = "leftover",
            "cannot remove {}: {e}",
            batch.stage.display()
        );
    }
}

/// 73 with the batch kept.
pub(crate) fn cannot(doing: &str, batch: &BatchRecord, cause: &io::Error) -> Error {
    let error = Error::output(doing, &batch.target, cause)
        .safe("the new rows are kept; the next run publishes them");
    match missing_directory(batch) {
        Some((_, way_out)) => error
            .safe("no row is lost: what is not in that directory any more is fetched again")
            .next(way_out),
        None => error.next("make the directory writable, with room in it, then run again"),
    }
}

/// The directory that the batch is to go into, if it is none, and what to do about it.
pub(crate) fn missing_directory(batch: &BatchRecord) -> Option<(PathBuf, String)> {
    let target = if batch.kind == OutputKind::Stdout {
        &batch.stage
    } else {
        &batch.target
    };
    let directory = target.parent().unwrap_or(Path::new("/"));
    let shown = directory.display();
    let make = format!("mkdir -m 700 '{shown}' (the rows are then fetched again)");
    let way_out = match directory.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => format!(
            "it is no directory any more: mv '{shown}' '{shown}.old', then put the directory back; or, if that is gone \
             for good: {make}"
        ),
        Err(_) => format!("mount its volume; or, if it is gone for good: {make}"),
    };
    Some((directory.to_owned(), way_out))
}
