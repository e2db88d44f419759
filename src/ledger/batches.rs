//! Batches, recorded before their first byte with everything that it takes to finish them.

use super::Ledger;
use super::errors::damaged;
use super::outputs::{from_path, to_path};
use crate::error::{Error, Result};
use crate::export::Layout;
use crate::subscriber::feed::Feed;
use rusqlite::types::Value;
use rusqlite::{Row, params};
use std::path::{Path, PathBuf};

/// The condition for a batch that is neither published nor void.
pub(super) const IS_UNFINISHED: &str = "state IN ('open', 'ready', 'appending')";

/// A batch that is not published yet.
#[derive(Clone, Debug)]
pub(crate) struct BatchRecord {
    pub(crate) id: i64,
    pub(crate) state: State,
    pub(crate) destination: Destination,
    /// The stage file.
    pub(crate) stage: PathBuf,
    /// Mode of the published file.
    pub(crate) mode: u32,
    pub(crate) layout: Layout,
    /// The time in the name, Unix seconds.
    pub(crate) named_at: i64,
    /// Valid bytes of the stage file.
    pub(crate) length: u64,
    pub(crate) rows: u64,
}

/// The step that a batch has reached. Published and void ones are only recorded as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Rows are being collected in the stage file.
    Open,
    /// The stage file is complete, and is being renamed or printed.
    Ready,
    /// The rows are being appended to the growing file.
    Appending(AppendAt),
}

/// Where in a growing file a batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppendAt {
    /// The length of the file before, bytes.
    pub(crate) offset: u64,
    /// A header comes first, since the file was empty or missing.
    pub(crate) with_header: bool,
}

/// Where a batch is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// As a file of its own. The marker exists while the batch is ready.
    Directory { file: PathBuf, marker: PathBuf },
    /// At the end of this file.
    GrowingFile(PathBuf),
    /// Standard output.
    Stdout,
}

impl Destination {
    /// The path of the published file; `-` for standard output.
    pub(crate) fn target(&self) -> &Path {
        match self {
            Destination::Directory { file, .. } | Destination::GrowingFile(file) => file,
            Destination::Stdout => Path::new("-"),
        }
    }

    /// Sets the name of the published file, if it has one of its own.
    pub(crate) fn set_file_name(&mut self, name: &str) {
        if let Destination::Directory { file, .. } = self {
            file.set_file_name(name);
        }
    }

    /// The marker of a batch for a directory.
    pub(crate) fn marker(&self) -> Option<&Path> {
        match self {
            Destination::Directory { marker, .. } => Some(marker),
            _ => None,
        }
    }
}

impl Ledger {
    /// The batch that is neither published nor void, if any; there is never more than one.
    ///
    /// Errors: 78 if a newer version has recorded it with a format that this one does not know.
    pub(crate) fn unfinished_batch(&self) -> Result<Option<BatchRecord>> {
        self.first(
            &format!("SELECT * FROM batch WHERE {IS_UNFINISHED}"),
            [],
            |row| self.read_batch(row),
        )?
        .transpose()
    }

    /// The stage files and markers of the last two finished batches: a run finishes at most two, the previous run's and
    /// its own.
    pub(crate) fn last_work_files(&self) -> Result<Vec<PathBuf>> {
        let files = self.rows(
            "SELECT marker, stage FROM batch WHERE state IN ('published', 'void') ORDER BY id DESC LIMIT 2",
            [],
            |row| Ok([row.get::<_, Option<Value>>("marker")?, row.get("stage")?]),
        )?;
        Ok(files.into_iter().flatten().flatten().map(to_path).collect())
    }

    /// The number of the next batch, and the latest time used in a name.
    pub(crate) fn next_batch(&self) -> Result<(i64, i64)> {
        let row = self.first(
            "SELECT coalesce(max(id), 0) + 1, coalesce(max(named_at), 0) FROM batch",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(row.unwrap_or((1, 0)))
    }

    /// The unfinished batch, or else the next one.
    pub(crate) fn first_unpublished_batch(&self) -> Result<i64> {
        let unfinished = self.first(
            &format!("SELECT id FROM batch WHERE {IS_UNFINISHED}"),
            [],
            |row| row.get(0),
        )?;
        match unfinished {
            Some(batch) => Ok(batch),
            None => Ok(self.next_batch()?.0),
        }
    }

    /// Records a new or changed batch.
    pub(crate) fn put_batch(&mut self, batch: &BatchRecord) -> Result<()> {
        let (state, append_at) = match batch.state {
            State::Open => ("open", None),
            State::Ready => ("ready", None),
            State::Appending(at) => ("appending", Some(at)),
        };
        let (kind, with_header) = match batch.destination {
            Destination::Directory { .. } => ("directory", true),
            Destination::GrowingFile(_) => ("file", append_at.is_some_and(|at| at.with_header)),
            Destination::Stdout => ("stdout", false),
        };
        self.change(
            "INSERT OR REPLACE INTO batch (id, state, kind, target, stage, marker, mode, format, columns, named_at,
                 length, rows, appended_at, with_header, published_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, NULL)",
            params![
                batch.id,
                state,
                kind,
                from_path(batch.destination.target()),
                from_path(&batch.stage),
                batch.destination.marker().map(from_path),
                batch.mode,
                batch.layout.word(),
                batch.layout.columns_text(),
                batch.named_at,
                batch.length as i64,
                batch.rows as i64,
                append_at.map(|at| at.offset as i64),
                with_header,
            ],
        )
    }

    /// Adds to the number of rows of a feed in a batch.
    pub(crate) fn count_rows(
        &mut self,
        batch: i64,
        list: i64,
        feed: Feed,
        rows: u64,
    ) -> Result<()> {
        self.change(
            "INSERT INTO batch_feed (batch, list, kind, rows) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (batch, list, kind) DO UPDATE SET rows = rows + ?4",
            params![batch, list, feed.word(), rows as i64],
        )
    }

    /// Marks a batch as published: its events, the progress of the feeds and resolved subscribers are final.
    pub(crate) fn settle_batch(&mut self, batch: i64, now: i64) -> Result<()> {
        self.change(
            "UPDATE batch SET state = 'published', published_at = ?2 WHERE id = ?1",
            [batch, now],
        )?;
        self.settle_progress()?;
        self.delete_resolved(batch)
    }

    /// Marks a batch as void, and undoes what it recorded, so that its rows are found again, however old they are.
    pub(crate) fn void_batch(&mut self, batch: i64) -> Result<()> {
        self.change("UPDATE batch SET state = 'void' WHERE id = ?1", [batch])?;
        self.restore_progress()?;
        let feeds = "SELECT list, kind FROM batch_feed WHERE batch = ?1 AND rows > 0";
        let feeds = self.rows(feeds, [batch], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        for (list, word) in feeds {
            let feed = Feed::from_word(&word)
                .ok_or_else(|| damaged(self.path(), &format!("unknown kind of rows {word:?}")))?;
            self.read_again(list, feed)?;
        }
        self.change("DELETE FROM batch_feed WHERE batch = ?1", [batch])?;
        self.delete_events_of(batch)?;
        self.unresolve(batch)
    }

    fn read_batch(&self, row: &Row<'_>) -> rusqlite::Result<Result<BatchRecord>> {
        let id = row.get("id")?;
        let unknown = |what: &str, word: &str| {
            let why = format!("batch {id} has the unknown {what} {word:?}");
            Ok(Err(damaged(self.path(), &why)))
        };
        let state = match row.get::<_, String>("state")?.as_str() {
            "open" => State::Open,
            "ready" => State::Ready,
            "appending" => State::Appending(AppendAt {
                offset: row.get::<_, i64>("appended_at")? as u64,
                with_header: row.get("with_header")?,
            }),
            word => return unknown("state", word),
        };
        let target = to_path(row.get("target")?);
        let destination = match row.get::<_, String>("kind")?.as_str() {
            "directory" => Destination::Directory {
                file: target,
                marker: to_path(row.get("marker")?),
            },
            "file" => Destination::GrowingFile(target),
            "stdout" => Destination::Stdout,
            word => return unknown("kind", word),
        };
        let (format, columns): (String, String) = (row.get("format")?, row.get("columns")?);
        let Some(layout) = Layout::parse(&format, &columns) else {
            return Ok(Err(Error::config(format!(
                "batch {id} has a format that this version does not know"
            ))
            .safe("its rows are kept")
            .next("install the newer aweber-sync again")));
        };
        Ok(Ok(BatchRecord {
            id,
            state,
            destination,
            stage: to_path(row.get("stage")?),
            // No other bits, such as setuid.
            mode: row.get::<_, u32>("mode")? & 0o777 | 0o600,
            layout,
            named_at: row.get("named_at")?,
            length: row.get::<_, i64>("length")? as u64,
            rows: row.get::<_, i64>("rows")? as u64,
        }))
    }
}
