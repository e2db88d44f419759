//! Errors of SQLite and of a ledger that cannot be used, each with the way out.

use crate::disk::ownership;
use crate::error::{Error, Kind};
use crate::stop;
use rusqlite::ErrorCode;
use std::path::Path;

pub(super) fn damaged(path: &Path, why: &str) -> Error {
    let shown = path.display();
    Error::new(Kind::LocalIo, format!("the ledger {shown} is damaged: {why}"))
        .safe("it was not changed; nothing was exported and no token was spent")
        .next(format!(
            "restore a backup of it; without one: mv '{shown}' '{shown}.damaged', then aweber-sync run --since DATE, \
             which exports again everything since that day"
        ))
}

/// A ledger of version `version`, while this program knows versions up to `known`.
pub(super) fn too_new(path: &Path, version: i64, known: i64) -> Error {
    Error::config(format!(
        "the ledger {} has version {version}, written by a newer aweber-sync; this one knows version {known}",
        path.display()
    ))
    .safe("the ledger was not changed; nothing was exported")
    .next("install the newer aweber-sync again")
}

pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            // Perhaps in the middle of a run.
            damaged(path, &error.to_string())
                .safe("no token is lost; no row is published before the ledger has recorded it")
        }
        Some(ErrorCode::DiskFull) => Error::new(
            Kind::LocalIo,
            format!("no space left for the ledger {shown}"),
        )
        .safe("uncommitted changes are found again by the next run; no row is lost or duplicated")
        .next("free some disk space, then run again"),
        // Another user's is opened for reading only.
        Some(ErrorCode::ReadOnly) if !path.metadata().is_ok_and(|found| ownership::is_mine(&found)) => {
            Error::new(
                Kind::LocalIo,
                format!("a killed run has left changes in the ledger {shown} that only its owner can roll back"),
            )
            .safe("nothing was changed")
            .next("run it as its owner: sudo -u USER aweber-sync …, or wait for the next run")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let busy = || {
                Error::new(
                    Kind::LedgerBusy,
                    format!("another process has locked the ledger {shown}"),
                )
                .safe("nothing is lost")
                .next("close the program that has it open, such as sqlite3, then run again")
            };
            // The wait for the lock ends early for a signal.
            stop::signalled().unwrap_or_else(busy)
        }
        _ => Error::new(
            Kind::LocalIo,
            format!("cannot use the ledger {shown}: {error}"),
        )
        .safe("uncommitted changes are found again by the next run; no row is lost or duplicated")
        .next("check the disk and its free space, and the owner and mode of that file and its directory"),
    }
}
