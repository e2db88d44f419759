//! Opening and creating the file.

use super::database::Ledger;
use super::errors::{damaged, failed, too_new};
use super::upgrade::{self, SCHEMA_VERSION};
use crate::disk::{atomic, beside, ownership, with_canonical_directory};
use crate::error::{Error, Result};
use crate::stop;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Marks the file as ours (SQLite's `application_id`): "AWSY".
const APPLICATION_ID: i64 = 0x4157_5359;

/// The tables as version 1 had them, and those that version 2 has added or replaced.
const SCHEMA: [&str; 2] = [include_str!("schema.sql"), upgrade::NEW_TABLES];

/// How long to wait for another process, such as `status` or sqlite3, to release the file: so often, each time so long.
const BUSY_WAITS: i32 = 500;
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// Called by SQLite while the file is locked; returns whether to try again. SQLite blocks the runtime, so a signal has to
/// be noticed here.
fn wait_for_lock(waits: i32) -> bool {
    if waits >= BUSY_WAITS || stop::signalled().is_some() {
        return false;
    }
    std::thread::sleep(BUSY_WAIT);
    true
}

/// The most memory for cached pages, KiB.
const CACHE_KIB: i64 = 512;

impl Ledger {
    /// Opens the ledger at `path`, or creates it. With `dry_run` no change is kept.
    ///
    /// Errors: 74 damaged or unreadable, 78 of a newer version, or another user can change it; the file is not changed.
    pub(crate) fn open(path: &Path, dry_run: bool) -> Result<Ledger> {
        ownership::check_file(path)?;
        // Read-write even for reading: after a kill SQLite has to roll back a journal first.
        Ledger::open_unchecked(path, OpenFlags::SQLITE_OPEN_READ_WRITE, dry_run)
    }

    fn open_unchecked(path: &Path, access: OpenFlags, dry_run: bool) -> Result<Ledger> {
        match path.metadata() {
            // A ledger is never empty, since it is created by a rename. Treating an empty one as new would export
            // every row again.
            Ok(file) if file.len() == 0 => return Err(damaged(path, "it is empty")),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if dry_run {
                    return open_in_memory(path);
                }
                create(path)?;
            }
            Err(e) => return Err(Error::disk("cannot read the ledger", path, &e)),
        }
        let ledger = connect(path, access, dry_run)?;
        match version(&ledger.connection, path)? {
            1 if dry_run => upgrade::show_as_upgraded(&ledger)?,
            1 => {
                // Another connection does the rest: closing the copied file would end SQLite's locks on it.
                ledger.check_whole()?;
                drop(ledger);
                upgrade::keep_copy(path)?;
                let mut ledger = connect(path, access, dry_run)?;
                upgrade::upgrade(&mut ledger)?;
                return Ok(ledger);
            }
            _ => {}
        }
        Ok(ledger)
    }

    /// Opens an existing ledger for reading, without the run lock. Returns `None` if there is no such file.
    pub(crate) fn look(path: &Path) -> Result<Option<Ledger>> {
        let access = match path.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Root may look at the ledger of a service's user. What that user put into a journal is not carried out.
            Ok(found) if !ownership::is_mine(&found) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            _ => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        Ledger::open_unchecked(path, access, true).map(Some)
    }

    /// The version of its schema.
    pub(crate) fn version(&self) -> Result<i64> {
        let version = self.first("PRAGMA user_version", [], |row| row.get(0))?;
        Ok(version.unwrap_or_default())
    }
}

/// An empty ledger for a dry run.
fn open_in_memory(path: &Path) -> Result<Ledger> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(&SCHEMA.concat())?;
        Ok(connection)
    };
    let connection = open().map_err(|e| failed(path, &e))?;
    Ok(Ledger::new(connection, path, true))
}

fn configure(connection: &mut Connection, dry_run: bool) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(32);
    connection.busy_handler(Some(wait_for_lock))?;
    // A ledger is data: nothing in its schema is called, and no statement can corrupt the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // EXTRA also syncs the directory after the journal is deleted, so that a commit survives a power failure.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    // A damaged page is an error when it is read, before a search goes astray on it.
    connection.pragma_update(None, "cell_size_check", true)?;
    // Events arrive roughly in the order in which they are stored: a larger cache would only use memory.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Uncommitted pages stay in memory: a spill would lock out `status`. A dry run never commits.
    connection.pragma_update(None, "cache_spill", dry_run)
}

/// Opens the file, whatever its version is.
fn connect(path: &Path, access: OpenFlags, dry_run: bool) -> Result<Ledger> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // With NOFOLLOW, SQLite accepts no link anywhere in the path; links to the state directory are fine.
    let real = with_canonical_directory(path);
    let mut connection = Connection::open_with_flags(real, flags).map_err(|e| failed(path, &e))?;
    configure(&mut connection, dry_run).map_err(|e| failed(path, &e))?;
    Ok(Ledger::new(connection, path, dry_run))
}

/// The version of a ledger that this program can read.
fn version(connection: &Connection, path: &Path) -> Result<i64> {
    let number = |name: &str| -> Result<i64> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| failed(path, &e))
    };
    if number("application_id")? != APPLICATION_ID {
        return Err(damaged(
            path,
            "it is a database, but not a ledger of aweber-sync",
        ));
    }
    match number("user_version")? {
        version if version > SCHEMA_VERSION => Err(too_new(path, version, SCHEMA_VERSION)),
        version => Ok(version),
    }
}

/// Creates the ledger under another name and renames it, so that an incomplete one is never found.
fn create(path: &Path) -> Result<()> {
    let new = beside(path, ".new");
    let cannot = |e: io::Error| {
        Error::disk("cannot create the ledger", path, &e)
            .safe("no token was spent")
            .next("free some disk space and make the directory writable for the user that runs the job")
    };
    let file = atomic::create_private(&new).map_err(cannot)?;
    fill(&new).map_err(|e| failed(path, &e))?;
    file.sync_all()
        .and_then(|()| atomic::rename_new(&new, path))
        .map_err(cannot)
}

fn fill(new: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(new)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    // The file is synced as a whole, before it gets its name.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(&SCHEMA.concat())?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.close().map_err(|(_, e)| e)
}
