//! Finishing what a killed run left behind, from what is on disk alone, before any request.

use super::collect::cannot_stage;
use super::publish::{self, Printer};
use super::stage;
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::ledger::batches::{BatchRecord, OutputKind, State};
use std::path::{Path, PathBuf};

/// What became of a batch found unfinished.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// It is out now, with so many rows.
    Published(PathBuf, u64),
    /// It was lost: its rows were forgotten and are found again.
    Void,
}

/// Finishes the batch that no run has finished, with the options it was recorded with.
///
/// Errors: 73 if its directory is missing or cannot be written to: then it stays as it is.
pub(crate) async fn recover(
    ledger: &mut Ledger,
    printer: &mut Printer,
) -> Result<Option<Recovered>> {
    for last in ledger.last_finished()? {
        // Killed with only the tidying up left to do, or the disk would not have it.
        publish::remove_marker(&last);
        publish::remove_stage(&last);
    }
    let Some(batch) = ledger.unfinished_batch()? else {
        return Ok(None);
    };
    let rows = batch.rows;
    let published = match batch.state {
        State::Ready if batch.kind == OutputKind::Directory => finish_rename(ledger, batch)?,
        State::Appending => finish_append(ledger, batch)?,
        _ => finish_open(ledger, batch, printer).await?,
    };
    Ok(Some(match published {
        Some(path) => Recovered::Published(path, rows),
        None => Recovered::Void,
    }))
}

/// Killed while collecting: what the ledger counts is published, what stands behind it is cut off.
async fn finish_open(
    ledger: &mut Ledger,
    batch: BatchRecord,
    printer: &mut Printer,
) -> Result<Option<PathBuf>> {
    check_directory(&batch)?;
    let usable = batch.rows > 0
        && stage::cut(&batch.stage, batch.length).map_err(|e| cannot_stage(&batch, &e))?;
    if usable {
        publish::publish(ledger, batch, printer).await.map(Some)
    } else {
        void(ledger, &batch)
    }
}

/// Killed between 'ready' and 'published'.
fn finish_rename(ledger: &mut Ledger, batch: BatchRecord) -> Result<Option<PathBuf>> {
    check_directory(&batch)?;
    if is_there(&batch.stage, &batch)? {
        return publish::rename_into_place(ledger, batch).map(Some);
    }
    let marked = match &batch.marker {
        Some(marker) => is_there(marker, &batch)?,
        None => false,
    };
    if marked {
        // Renamed, and perhaps taken away by its reader already.
        publish::settle(ledger, &batch, None)?;
        publish::remove_marker(&batch);
        return Ok(Some(batch.target));
    }
    void(ledger, &batch)
}

/// Killed while appending to the growing file.
fn finish_append(ledger: &mut Ledger, mut batch: BatchRecord) -> Result<Option<PathBuf>> {
    check_directory(&batch)?;
    let found = match std::fs::metadata(&batch.target) {
        Ok(file) => file.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(publish::cannot("cannot look at", &batch, &e)),
    };
    let complete = stage::cut(&batch.stage, batch.length).map_err(|e| cannot_stage(&batch, &e))?;
    if !complete && (found == 0 || batch.appended_at == Some(found)) {
        // Nothing of it stands anywhere.
        return void(ledger, &batch);
    }
    if !complete {
        return Err(Error::new(
            Kind::LocalIo,
            format!(
                "the rows being appended to {} are gone: {} is missing",
                batch.target.display(),
                batch.stage.display()
            ),
        )
        .safe("the file was left as it is")
        .next(format!(
            "put that file back; without it: mv '{0}' '{0}.old', then aweber-sync run, which fetches the rows again",
            batch.target.display()
        )));
    }
    if found == 0 {
        // Rotated meanwhile, or never begun: all of it goes into a new file.
        batch.appended_at = Some(0);
        batch.with_header = true;
        ledger.put_batch(&batch)?;
        ledger.commit()?;
    }
    publish::finish_appending(ledger, batch).map(Some)
}

fn void(ledger: &mut Ledger, batch: &BatchRecord) -> Result<Option<PathBuf>> {
    ledger.void_batch(batch.id)?;
    ledger.commit()?;
    publish::remove_stage(batch);
    publish::remove_marker(batch);
    Ok(None)
}

/// Only a file that is surely not there counts as gone: nothing may be concluded from a disk that does not answer.
fn is_there(path: &Path, batch: &BatchRecord) -> Result<bool> {
    path.try_exists()
        .map_err(|e| publish::cannot("cannot finish", batch, &e))
}

/// A directory that is not there may be a volume that is not mounted: nothing may be concluded from its emptiness.
fn check_directory(batch: &BatchRecord) -> Result<()> {
    let Some((directory, way_out)) = publish::missing_directory(batch) else {
        return Ok(());
    };
    Err(Error::new(
        Kind::Output,
        format!("the output directory {} is missing", directory.display()),
    )
    .safe(format!(
        "{} new rows wait to be published there; no token was spent",
        batch.rows
    ))
    .next(way_out))
}
