//! The connection and its transactions. Changes accumulate in one transaction until [`Ledger::commit`], which the
//! export calls at its checkpoints.

use super::errors::failed;
use crate::error::Result;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// What a commit promises.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sync {
    /// That it lasts.
    Durable,
    /// That it lasts unless the power goes soon, and that the file is whole then too.
    UntilPowerCut,
}

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    in_transaction: bool,
    /// Nothing is ever committed.
    pub(super) dry_run: bool,
}

impl Ledger {
    pub(super) fn new(connection: Connection, path: &Path, dry_run: bool) -> Ledger {
        Ledger {
            connection,
            path: path.to_owned(),
            in_transaction: false,
            dry_run,
        }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes all changes since the last commit durable, atomically.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if self.in_transaction && !self.dry_run {
            self.connection
                .execute_batch("COMMIT")
                .map_err(|e| failed(&self.path, &e))?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// Of the next commits; not within a transaction.
    pub(super) fn set_sync(&self, sync: Sync) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let word = match sync {
            // EXTRA also syncs the directory after the journal is deleted.
            Sync::Durable => "EXTRA",
            Sync::UntilPowerCut => "FULL",
        };
        self.connection
            .pragma_update(None, "synchronous", word)
            .map_err(|e| failed(&self.path, &e))
    }

    /// Undoes all changes since the last commit: rows that may be missing from the stage file must not count as
    /// exported.
    pub(crate) fn rollback(&mut self) -> Result<()> {
        if self.in_transaction && !self.dry_run {
            self.in_transaction = false;
            if self.connection.is_autocommit() {
                // SQLite has rolled back by itself, as it does when the disk is full.
                return Ok(());
            }
            self.connection
                .execute_batch("ROLLBACK")
                .map_err(|e| failed(&self.path, &e))?;
        }
        Ok(())
    }

    /// Writes the file anew, without what was deleted before; outside of a transaction.
    pub(super) fn compact(&self) -> Result<()> {
        self.connection
            .execute_batch("VACUUM")
            .map_err(|e| failed(&self.path, &e))
    }

    /// Begins a transaction, unless there is one already: outside of one, each read locks the file anew.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(|e| failed(&self.path, &e))?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Runs one statement in the current transaction.
    pub(super) fn change(&mut self, sql: &str, parameters: impl rusqlite::Params) -> Result<()> {
        self.count_changes(sql, parameters).map(drop)
    }

    /// As [`Ledger::change`]; returns the number of rows changed.
    pub(super) fn count_changes(
        &mut self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<usize> {
        self.begin()?;
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(|e| failed(&self.path, &e))
    }

    /// The rows of a query.
    pub(super) fn rows<T>(
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

    /// The first row of a query, if any.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.rows(sql, parameters, read)?.into_iter().next())
    }

    /// Whether a query has a row.
    pub(super) fn exists(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<bool> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.exists(parameters))
            .map_err(|e| failed(&self.path, &e))
    }
}
