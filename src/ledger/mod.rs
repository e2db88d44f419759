//! The ledger: what was exported, how far each list is, who is pending, the batches, the runs. One SQLite file an
//! account. Its commit decides (promises N2 and N3). It holds ids and times, nothing personal. The only user of
//! rusqlite, here and in the modules below.
//!
//! Writes gather in one transaction until [`Ledger::commit`], which the export calls at its checkpoints.

pub(crate) mod batches;
pub(crate) mod forget;
pub(crate) mod history;
pub(crate) mod lists;
pub(crate) mod runs;

use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours (SQLite's `application_id`): "AWSY".
const APPLICATION_ID: i64 = 0x4157_5359;

/// The version of the schema that this program writes and reads.
const SCHEMA_VERSION: i64 = 1;

/// How long to wait for `status` or somebody's sqlite3 to let go.
const BUSY: Duration = Duration::from_secs(10);

/// How much of the ledger is kept in memory at most, KiB.
const CACHE_KIB: i64 = 512;

const SCHEMA: &str = "
CREATE TABLE subscription (          -- every subscription exported
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    subscribed_at NOT NULL,          -- Unix seconds, or the text as it came; never NULL
    batch INTEGER NOT NULL,
    PRIMARY KEY (list, subscriber, subscribed_at)
) WITHOUT ROWID;
CREATE TABLE list (                  -- how far each list is
    id INTEGER PRIMARY KEY,
    progress TEXT NOT NULL,          -- JSON; with the batch under way
    settled TEXT NOT NULL            -- JSON; without it
);
CREATE TABLE pending (               -- seen unconfirmed, may still confirm
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    subscribed_at INTEGER,           -- Unix seconds, no later than meant; NULL if unknown
    checked INTEGER NOT NULL,        -- the run that last saw it
    resolved_by INTEGER,             -- the batch under way that exports it
    PRIMARY KEY (list, subscriber)
) WITHOUT ROWID;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,             -- open, ready, appending, published, void
    kind TEXT NOT NULL,              -- directory, file, stdout
    target TEXT NOT NULL,            -- absolute path of the published file; - for standard output
    stage TEXT NOT NULL,
    marker TEXT,
    mode INTEGER NOT NULL,
    format TEXT NOT NULL,
    columns TEXT NOT NULL,
    named_at INTEGER NOT NULL,       -- Unix seconds; the time in the name
    length INTEGER NOT NULL,         -- bytes of the stage file that count
    rows INTEGER NOT NULL,
    appended_at INTEGER,             -- where in the growing file it begins
    with_header INTEGER NOT NULL,
    published_at INTEGER
);
CREATE TABLE batch_list (            -- how many rows of which list
    batch INTEGER NOT NULL,
    list INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (batch, list)
) WITHOUT ROWID;
CREATE TABLE output (                -- what was written to before
    path TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    length INTEGER,                  -- a growing file as we left it
    tail TEXT,                       -- SHA-256 of its last 4,096 bytes
    shape TEXT                       -- format and columns of what stands in it
);
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,                -- NULL: under way, or killed
    exit_code INTEGER,
    rows INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    refreshes INTEGER NOT NULL DEFAULT 0,
    message TEXT
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    connection: Connection,
    path: PathBuf,
    in_transaction: bool,
    /// Nothing is ever committed.
    dry_run: bool,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes it. With `dry_run` nothing that is written lasts.
    ///
    /// Errors: 74 damaged or unreadable, 78 of a newer version; the file is left as it is.
    pub(crate) fn open(path: &Path, dry_run: bool) -> Result<Ledger> {
        match path.metadata() {
            // Ours is never empty: it is born whole, by a rename. Taking it for new would export everything again.
            Ok(file) if file.len() == 0 => return Err(damaged(path, "it is empty")),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if dry_run {
                    return Ledger::in_memory(path);
                }
                create(path)?;
            }
            Err(e) => return Err(Error::disk("cannot read the ledger", path, &e)),
        }
        // Read-write also to look only: after a kill SQLite has to roll back a journal first.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| failed(path, &e))?;
        let ledger = Ledger {
            connection,
            path: path.to_owned(),
            in_transaction: false,
            dry_run,
        };
        ledger.configure()?;
        ledger.check_version()?;
        Ok(ledger)
    }

    /// Reads all of the file once: damage is to be found before a token is spent and a row written. Some 0.2 s for a
    /// million subscriptions.
    pub(crate) fn check_whole(&self) -> Result<()> {
        let found: Vec<String> = self.rows("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        match found.first().map(String::as_str) {
            Some("ok") => Ok(()),
            other => Err(damaged(&self.path, other.unwrap_or("it cannot be checked"))),
        }
    }

    /// Opens an existing ledger to look at it; takes no lock of ours. `None`: there is none.
    pub(crate) fn look(path: &Path) -> Result<Option<Ledger>> {
        match path.metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => Ledger::open(path, true).map(Some),
        }
    }

    fn in_memory(path: &Path) -> Result<Ledger> {
        let connection = Connection::open_in_memory().map_err(|e| failed(path, &e))?;
        connection
            .execute_batch(SCHEMA)
            .map_err(|e| failed(path, &e))?;
        Ok(Ledger {
            connection,
            path: path.to_owned(),
            in_transaction: false,
            dry_run: true,
        })
    }

    fn configure(&self) -> Result<()> {
        let connection = &self.connection;
        let configured = connection
            .busy_timeout(BUSY)
            // EXTRA: the directory is synced too after the journal is gone, so a commit outlives a power cut.
            .and_then(|()| connection.pragma_update(None, "synchronous", "EXTRA"))
            // Subscriptions come in about the order in which they are filed, so more would only fill up.
            .and_then(|()| connection.pragma_update(None, "cache_size", -CACHE_KIB))
            // What is not committed stays in memory: a spill would lock out `status`. A dry run never commits.
            .and_then(|()| connection.pragma_update(None, "cache_spill", self.dry_run));
        connection.set_prepared_statement_cache_capacity(32);
        configured.map_err(|e| failed(&self.path, &e))
    }

    fn check_version(&self) -> Result<()> {
        let number = |name: &str| -> rusqlite::Result<i64> {
            self.connection
                .pragma_query_value(None, name, |row| row.get(0))
        };
        let application = number("application_id").map_err(|e| failed(&self.path, &e))?;
        let version = number("user_version").map_err(|e| failed(&self.path, &e))?;
        if application != APPLICATION_ID {
            return Err(damaged(
                &self.path,
                "it is a database, but no ledger of aweber-sync",
            ));
        }
        if version > SCHEMA_VERSION {
            return Err(Error::config(format!(
                "the ledger {} has version {version}, written by a newer aweber-sync; this one knows version {SCHEMA_VERSION}",
                self.path.display()
            ))
            .safe("the ledger was left as it is; nothing was exported")
            .next("install the newer aweber-sync again"));
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes everything since the last commit last, at once and as a whole.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if self.in_transaction && !self.dry_run {
            self.connection
                .execute_batch("COMMIT")
                .map_err(|e| failed(&self.path, &e))?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// Takes everything since the last commit back: what the stage file may not hold must not count as exported.
    pub(crate) fn rollback(&mut self) -> Result<()> {
        if self.in_transaction && !self.dry_run {
            self.in_transaction = false;
            if self.connection.is_autocommit() {
                // SQLite has done so itself, as it does when the disk is full.
                return Ok(());
            }
            self.connection
                .execute_batch("ROLLBACK")
                .map_err(|e| failed(&self.path, &e))?;
        }
        Ok(())
    }

    /// Begins a transaction, unless one is under way.
    fn begin(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(|e| failed(&self.path, &e))?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Runs one statement in the present transaction; says how many rows it changed.
    fn change(&mut self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        self.begin()?;
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(|e| failed(&self.path, &e))
    }

    /// The rows of a query.
    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(parameters, read)?.collect())
            .map_err(|e| failed(&self.path, &e))
    }

    /// The first row of a query, if there is one.
    fn first<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.rows(sql, parameters, read)?.into_iter().next())
    }
}

/// Makes a whole ledger under another name and renames it into place: there never is half a ledger.
fn create(path: &Path) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let cannot = |e: std::io::Error| {
        Error::disk("cannot make the ledger", path, &e)
            .safe("no token was spent")
            .next("make room and the directory writable for the user that runs the job")
    };
    let file = atomic::create_private(&new).map_err(cannot)?;
    let made = Connection::open(&new).and_then(|connection| {
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.close().map_err(|(_, e)| e)
    });
    made.map_err(|e| failed(path, &e))?;
    file.sync_all()
        .and_then(|()| atomic::rename_new(&new, path))
        .map_err(cannot)
}

fn damaged(path: &Path, why: &str) -> Error {
    let shown = path.display();
    Error::new(Kind::LocalIo, format!("the ledger {shown} is damaged: {why}"))
        .safe("it was left as it is; nothing was exported and no token was spent")
        .next(format!(
            "put a backup of it back; without one: mv '{shown}' '{shown}.damaged', then aweber-sync run --since DATE \
             exports again what came since that day"
        ))
}

/// The reaction to an error of SQLite.
fn failed(path: &Path, error: &rusqlite::Error) -> Error {
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
