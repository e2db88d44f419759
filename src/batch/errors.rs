//! Errors of a batch that is kept for the next run.

use crate::error::{Error, Kind, Result};
use crate::ledger::batches::{BatchRecord, Destination};
use std::io;
use std::path::{Path, PathBuf};

/// The stage file cannot be written: 73 in the output directory, 74 in the state directory.
pub(super) fn cannot_stage(batch: &BatchRecord, cause: &io::Error) -> Error {
    let kind = match batch.destination {
        Destination::Directory { .. } => Kind::Output,
        _ => Kind::LocalIo,
    };
    Error::disk("cannot write", &batch.stage, cause)
        .with_kind(kind)
        .safe("rows written before are kept; the rest is found again by the next run")
        .next("free some disk space and make the directory writable, then run again")
}

/// 73; `doing` reads like "cannot publish as".
pub(super) fn cannot_publish(doing: &str, batch: &BatchRecord, cause: &io::Error) -> Error {
    let error = Error::output(doing, batch.destination.target(), cause)
        .safe("the new rows are kept; the next run publishes them");
    match missing_directory(batch) {
        Some((_, way_out)) => error
            .safe("no row is lost: rows missing from that directory are fetched again")
            .next(way_out),
        None => error.next("make the directory writable and free some disk space, then run again"),
    }
}

/// 73: another user of the output directory has put something else where our file was.
pub(super) fn stage_replaced(path: &Path) -> Error {
    let directory = path.parent().unwrap_or(Path::new("/")).display();
    Error::new(
        Kind::Output,
        format!(
            "{} is not the file that this run wrote: another user replaced it",
            path.display()
        ),
    )
    .safe("it was not opened or changed; no row is lost: the next run fetches the rows again")
    .next(format!(
        "give readers of {directory} no write access: chmod go-w '{directory}'"
    ))
}

/// 78: a batch in the ledger names a file that this program does not make.
pub(super) fn not_of_this_job(ledger: &Path, path: &Path) -> Error {
    let ledger = ledger.display();
    Error::config(format!(
        "the ledger {ledger} names {}, which is not a file of this job",
        path.display()
    ))
    .safe("that file was not touched; nothing was exported and no token was spent")
    .next(format!(
        "restore a backup of the ledger; without one: mv '{ledger}' '{ledger}.foreign', then aweber-sync run --since \
         DATE, which exports again everything since that day"
    ))
}

/// 73: something that must not be opened is at the path of a growing file.
pub(super) fn not_followed(path: &Path, what: &str) -> Error {
    let shown = path.display();
    Error::new(Kind::Output, format!("{shown} {what}"))
        .safe("it was not opened; nothing was fetched and no row is lost")
        .next(format!(
            "find out who made it, then mv '{shown}' '{shown}.foreign' (the next run begins a new file); or give \
             --output a directory of this user's"
        ))
}

/// Fails with 73 if the directory of the batch is missing. It may be a volume that is not mounted, so the missing files
/// prove nothing.
pub(super) fn check_directory(batch: &BatchRecord) -> Result<()> {
    let Some((directory, way_out)) = missing_directory(batch) else {
        return Ok(());
    };
    Err(Error::new(
        Kind::Output,
        format!("the output directory {} is missing", directory.display()),
    )
    .safe(format!(
        "{} new rows are waiting to be published there; no token was spent",
        batch.rows
    ))
    .next(way_out))
}

/// The directory that the batch needs, if it is missing, and what to do about it.
fn missing_directory(batch: &BatchRecord) -> Option<(PathBuf, String)> {
    let file = match &batch.destination {
        Destination::Stdout => &batch.stage,
        other => other.target(),
    };
    let directory = file.parent().unwrap_or(Path::new("/"));
    let shown = directory.display();
    let make = format!("mkdir -m 700 '{shown}' (the rows are then fetched again)");
    let way_out = match directory.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => format!(
            "it is no longer a directory: mv '{shown}' '{shown}.old', then restore the directory; or, if it was \
             removed on purpose: {make}"
        ),
        Err(_) => format!("mount its volume; or, if it was removed on purpose: {make}"),
    };
    Some((directory.to_owned(), way_out))
}
