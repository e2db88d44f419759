//! In the ledger: the batches and the outputs they went to. What to do with them is `batch`'s business.

use super::Ledger;
use crate::error::Result;
use rusqlite::{Row, params};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// One file a batch.
    Directory,
    /// One growing file.
    File,
    /// Standard output.
    Stdout,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Rows are being collected in the stage file.
    Open,
    /// Complete; into a directory: being renamed; to standard output: being printed.
    Ready,
    /// Being appended to the growing file.
    Appending,
    /// Done.
    Published,
    /// Given up: its rows were forgotten, to be found again.
    Void,
}

/// A batch as recorded before its first byte.
#[derive(Clone, Debug)]
pub(crate) struct BatchRecord {
    pub(crate) id: i64,
    pub(crate) state: State,
    pub(crate) kind: OutputKind,
    /// The published file; `-` for standard output.
    pub(crate) target: PathBuf,
    pub(crate) stage: PathBuf,
    /// Stands while a directory batch is ready.
    pub(crate) marker: Option<PathBuf>,
    pub(crate) mode: u32,
    pub(crate) format: String,
    /// Comma-separated.
    pub(crate) columns: String,
    /// The time in the name, Unix seconds.
    pub(crate) named_at: i64,
    /// Bytes of the stage file that count.
    pub(crate) length: u64,
    pub(crate) rows: u64,
    /// Where in the growing file it begins.
    pub(crate) appended_at: Option<u64>,
    /// A header precedes it in the growing file.
    pub(crate) with_header: bool,
}

/// An output that was written to before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownOutput {
    pub(crate) kind: OutputKind,
    /// Length of a growing file as we left it, bytes.
    pub(crate) length: Option<u64>,
    /// Fingerprint of its end.
    pub(crate) tail: Option<String>,
    /// Format and columns of what stands in it.
    pub(crate) shape: Option<String>,
}

impl OutputKind {
    fn word(self) -> &'static str {
        match self {
            OutputKind::Directory => "directory",
            OutputKind::File => "file",
            OutputKind::Stdout => "stdout",
        }
    }

    fn from_word(word: &str) -> OutputKind {
        [OutputKind::Directory, OutputKind::File]
            .into_iter()
            .find(|kind| kind.word() == word)
            .unwrap_or(OutputKind::Stdout)
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Ready => "ready",
            State::Appending => "appending",
            State::Published => "published",
            State::Void => "void",
        }
    }

    fn from_word(word: &str) -> State {
        [
            State::Open,
            State::Ready,
            State::Appending,
            State::Published,
        ]
        .into_iter()
        .find(|state| state.word() == word)
        .unwrap_or(State::Void)
    }
}

impl Ledger {
    /// The batch that no run has finished, if there is one; there never are two.
    pub(crate) fn unfinished_batch(&self) -> Result<Option<BatchRecord>> {
        self.first(
            &format!("{SELECT} WHERE state IN ('open', 'ready', 'appending')"),
            [],
            read_batch,
        )
    }

    /// The last batches that are done with, published or void: all that one run can have finished, the one it found and
    /// its own.
    pub(crate) fn last_finished(&self) -> Result<Vec<BatchRecord>> {
        self.rows(
            &format!("{SELECT} WHERE state IN ('published', 'void') ORDER BY id DESC LIMIT 2"),
            [],
            read_batch,
        )
    }

    /// The number of the next batch, and the latest time in a name so far.
    pub(crate) fn next_batch(&self) -> Result<(i64, i64)> {
        let row = self.first(
            "SELECT coalesce(max(id), 0) + 1, coalesce(max(named_at), 0) FROM batch",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(row.unwrap_or((1, 0)))
    }

    /// Records a batch, new or changed. Lasts with the next commit.
    pub(crate) fn put_batch(&mut self, batch: &BatchRecord) -> Result<()> {
        self.change(
            "INSERT OR REPLACE INTO batch (id, state, kind, target, stage, marker, mode, format, columns, named_at,
                 length, rows, appended_at, with_header, published_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, NULL)",
            params![
                batch.id,
                batch.state.word(),
                batch.kind.word(),
                from_path(&batch.target),
                from_path(&batch.stage),
                batch.marker.as_deref().map(from_path),
                batch.mode,
                batch.format,
                batch.columns,
                batch.named_at,
                batch.length as i64,
                batch.rows as i64,
                batch.appended_at.map(|at| at as i64),
                batch.with_header,
            ],
        )?;
        Ok(())
    }

    /// Counts rows of a list into a batch.
    pub(crate) fn count_rows(&mut self, batch: i64, list: i64, rows: u64) -> Result<()> {
        self.change(
            "INSERT INTO batch_list (batch, list, rows) VALUES (?1, ?2, ?3)
             ON CONFLICT (batch, list) DO UPDATE SET rows = rows + ?3",
            params![batch, list, rows as i64],
        )?;
        Ok(())
    }

    /// The batch is out: what it exported and how far it got the lists is settled.
    pub(crate) fn settle_batch(&mut self, batch: i64, now: i64) -> Result<()> {
        self.change(
            "UPDATE batch SET state = 'published', published_at = ?2 WHERE id = ?1",
            [batch, now],
        )?;
        self.change(
            "UPDATE list SET settled = progress WHERE settled != progress",
            [],
        )?;
        self.change("DELETE FROM pending WHERE resolved_by = ?1", [batch])?;
        Ok(())
    }

    /// The batch is lost: forgets what it exported and how far it got, so that all of it is found again.
    pub(crate) fn void_batch(&mut self, batch: i64) -> Result<()> {
        self.change("UPDATE batch SET state = 'void' WHERE id = ?1", [batch])?;
        self.change("DELETE FROM subscription WHERE batch = ?1", [batch])?;
        self.change("DELETE FROM batch_list WHERE batch = ?1", [batch])?;
        self.change(
            "UPDATE list SET progress = settled WHERE settled != progress",
            [],
        )?;
        self.change(
            "UPDATE pending SET resolved_by = NULL WHERE resolved_by = ?1",
            [batch],
        )?;
        Ok(())
    }

    /// What is known of an output path.
    pub(crate) fn output(&self, path: &Path) -> Result<Option<KnownOutput>> {
        self.first(
            "SELECT kind, length, tail, shape FROM output WHERE path = ?1",
            [from_path(path)],
            |row| {
                Ok(KnownOutput {
                    kind: OutputKind::from_word(&row.get::<_, String>(0)?),
                    length: row.get::<_, Option<i64>>(1)?.map(|length| length as u64),
                    tail: row.get(2)?,
                    shape: row.get(3)?,
                })
            },
        )
    }

    /// Remembers an output.
    pub(crate) fn set_output(&mut self, path: &Path, output: &KnownOutput) -> Result<()> {
        self.change(
            "INSERT OR REPLACE INTO output (path, kind, length, tail, shape) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                from_path(path),
                output.kind.word(),
                output.length.map(|length| length as i64),
                output.tail,
                output.shape
            ],
        )?;
        Ok(())
    }
}

const SELECT: &str =
    "SELECT id, state, kind, target, stage, marker, mode, format, columns, named_at, length, rows,
    appended_at, with_header FROM batch";

fn read_batch(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    Ok(BatchRecord {
        id: row.get(0)?,
        state: State::from_word(&row.get::<_, String>(1)?),
        kind: OutputKind::from_word(&row.get::<_, String>(2)?),
        target: to_path(row.get(3)?),
        stage: to_path(row.get(4)?),
        marker: row
            .get::<_, Option<rusqlite::types::Value>>(5)?
            .map(to_path),
        mode: row.get(6)?,
        format: row.get(7)?,
        columns: row.get(8)?,
        named_at: row.get(9)?,
        length: row.get::<_, i64>(10)? as u64,
        rows: row.get::<_, i64>(11)? as u64,
        appended_at: row.get::<_, Option<i64>>(12)?.map(|at| at as u64),
        with_header: row.get(13)?,
    })
}

/// A path as text where it is UTF-8, so that people can read it; as bytes where it is not.
fn from_path(path: &Path) -> rusqlite::types::Value {
    match path.to_str() {
        Some(text) => text.to_owned().into(),
        None => path.as_os_str().as_bytes().to_vec().into(),
    }
}

fn to_path(value: rusqlite::types::Value) -> PathBuf {
    match value {
        rusqlite::types::Value::Text(text) => text.into(),
        rusqlite::types::Value::Blob(bytes) => OsStr::from_bytes(&bytes).into(),
        _ => PathBuf::new(),
    }
}
