//! The outputs that batches were written to.

use super::Ledger;
use super::errors::damaged;
use crate::error::Result;
use rusqlite::params;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An output that was used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KnownOutput {
    /// One file per batch.
    Directory,
    /// One file that all batches are appended to.
    GrowingFile(FileState),
}

/// A growing file after the last append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Bytes.
    pub(crate) length: u64,
    /// Fingerprint of its end.
    pub(crate) tail: String,
    /// Format and columns of its rows.
    pub(crate) shape: String,
}

/// The growing file that a batch is being appended to: a path can be given to another file in the middle of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppendTarget {
    /// The number of the batch.
    pub(crate) batch: i64,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Its last change before, nanoseconds.
    pub(crate) changed: i64,
    /// No row has been appended yet, at most a header.
    #[serde(default)]
    pub(crate) header_only: bool,
}

/// The key of the file being appended to.
const APPENDING_TO: &str = "appending_to";

impl Ledger {
    /// The file that `batch` is being appended to, if it was recorded.
    pub(crate) fn append_target(&self, batch: i64) -> Result<Option<AppendTarget>> {
        let target: Option<AppendTarget> = self
            .meta(APPENDING_TO)?
            .and_then(|json| serde_json::from_str(&json).ok());
        Ok(target.filter(|target| target.batch == batch))
    }

    /// Records it, to be committed with the state of the batch.
    pub(crate) fn set_append_target(&mut self, target: AppendTarget) -> Result<()> {
        let json = serde_json::to_string(&target).unwrap_or_default();
        self.set_meta(APPENDING_TO, &json)
    }

    /// The output at `path`, if it was used before.
    pub(crate) fn output(&self, path: &Path) -> Result<Option<KnownOutput>> {
        self.first(
            "SELECT kind, length, tail, shape FROM output WHERE path = ?1",
            [from_path(path)],
            |row| {
                Ok(match row.get::<_, String>("kind")?.as_str() {
                    "directory" => Ok(KnownOutput::Directory),
                    "file" => Ok(KnownOutput::GrowingFile(FileState {
                        length: row.get::<_, i64>("length")? as u64,
                        tail: row.get("tail")?,
                        shape: row.get("shape")?,
                    })),
                    kind => Err(damaged(
                        self.path(),
                        &format!("unknown output kind {kind:?}"),
                    )),
                })
            },
        )?
        .transpose()
    }

    /// Records an output.
    pub(crate) fn set_output(&mut self, path: &Path, output: &KnownOutput) -> Result<()> {
        let (kind, file) = match output {
            KnownOutput::Directory => ("directory", None),
            KnownOutput::GrowingFile(file) => ("file", Some(file)),
        };
        self.change(
            "INSERT OR REPLACE INTO output (path, kind, length, tail, shape) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                from_path(path),
                kind,
                file.map(|file| file.length as i64),
                file.map(|file| &file.tail),
                file.map(|file| &file.shape),
            ],
        )
    }
}

/// A path as text if it is UTF-8, so that people can read it; else as bytes.
pub(super) fn from_path(path: &Path) -> Value {
    match path.to_str() {
        Some(text) => text.to_owned().into(),
        None => path.as_os_str().as_bytes().to_vec().into(),
    }
}

/// The path that [`from_path`] stored.
pub(super) fn to_path(value: Value) -> PathBuf {
    match value {
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => OsStr::from_bytes(&bytes).into(),
        _ => PathBuf::new(),
    }
}
