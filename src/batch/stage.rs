//! The stage file: rows not yet published. The ledger records how many of its bytes are valid; any bytes behind them
//! after a kill are cut off.

use crate::disk::atomic;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Write buffer, bytes.
const BUFFER: usize = 256 * 1024;

/// An open stage file.
#[derive(Debug)]
pub(crate) struct Stage {
    file: BufWriter<File>,
    length: u64,
}

impl Stage {
    /// Creates an empty one, 0600; fails if the file exists.
    pub(crate) fn create(path: &Path) -> io::Result<Stage> {
        let file = atomic::create_new_private(path)?;
        atomic::sync_parent(path)?;
        Ok(Stage {
            file: BufWriter::with_capacity(BUFFER, file),
            length: 0,
        })
    }

    /// Appends complete records.
    pub(crate) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all(records)?;
        self.length += records.len() as u64;
        Ok(())
    }

    /// Makes all records durable; returns the length of the file.
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.length)
    }
}

/// Cuts a stage file to its valid length; returns `false` if it is missing or shorter.
pub(crate) fn cut(path: &Path, length: u64) -> io::Result<bool> {
    let file = match atomic::open_to_write(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let found = file.metadata()?.len();
    if found < length {
        return Ok(false);
    }
    if found > length {
        file.set_len(length)?;
    }
    file.sync_all()?;
    Ok(true)
}

/// Removes the stage file or marker of a finished batch. A leftover is harmless, and the next run tries again.
pub(super) fn remove_work_file(path: &Path) {
    if let Err(e) = atomic::remove_if_there(path) {
        tracing::debug!(event = "leftover", "cannot remove {}: {e}", path.display());
    }
}
