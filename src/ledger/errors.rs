//! Errors of SQLite and of a ledger that cannot be used, each with the way out.

use crate::error::{Error, Kind};
use rusqlite::ErrorCode;
use std::path::Path;

pub(super) fn damaged(path: &Path, why: &str) -> Error {
    let shown = path.display();
    Error::new(Kind::LocalIo, format!("the ledger {shown} is damaged: {why}"))
        .safe("it was left as it is; nothing was exported and no token was spent")
        .next(format!(
            "put a backup of it back; without one: mv '{shown}' '{shown}.damaged', then aweber-sync run --since DATE \
             exports again what came since that day"
        ))
}

/// A ledger of version `version`, while this program knows versions up to `known`.
pub(super) fn too_new(path: &Path, version: i64, known: i64) -> Error {
    Error::config(format!(
        "the ledger {} has version {version}, written by a newer aweber-sync; this one knows version {known}",
        path.display()
    ))
    .safe("the ledger was left as it is; nothing was exported")
    .next("install the newer aweber-sync again")
}

pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            damaged(path, &error.to_string())
        }
        Some(ErrorCode::DiskFull) => Error::new(
            Kind::LocalIo,
            format!("no room for the ledger {shown}"),
        )
        .safe("what was not committed is found again by the next run; no row is lost or doubled")
        .next("make room on that file system, then run again"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            Kind::LedgerBusy,
            format!("somebody else holds the ledger {shown}"),
        )
        .safe("nothing is lost")
        .next("close the sqlite3 that has it open, then run again"),
        _ => Error::new(
            Kind::LocalIo,
            format!("the ledger {shown} cannot be used: {error}"),
        )
        .safe("what was not committed is found again by the next run; no row is lost or doubled")
        .next("look at the disk and at the owner and mode of that file and its directory"),
    }
}
