//! The stage file: rows not yet published. The ledger records how many of its bytes are valid; any bytes behind them
//! after a kill are cut off.

use crate::disk::atomic;
use crate::disk::shared::{self, Found};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Write buffer, bytes: a write to the file for several pages of rows.
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

    /// The file itself, once all records are durable: what it is read from, whatever is at its path by then.
    pub(crate) fn into_file(self) -> File {
        self.file.into_parts().0
    }
}

/// Opens the stage file of a killed run, cut to its valid length. Returns `None` if it is missing, shorter, or not the file
/// that this program wrote: another user of the output directory can replace it.
pub(crate) fn reopen(path: &Path, length: u64) -> io::Result<Option<File>> {
    let file = match shared::open_own(path)? {
        Found::File(file) => file,
        Found::Missing => return Ok(None),
        Found::NotOurs(what) => {
            tracing::warn!(
                event = "stage_replaced",
                path = %path.display(),
                "the stage file {what}: another user replaced it; its rows are fetched again"
            );
            return Ok(None);
        }
    };
    let found = file.metadata()?.len();
    if found < length {
        return Ok(None);
    }
    if found > length {
        // Otherwise all of it is durable since the checkpoint.
        file.set_len(length)?;
        file.sync_all()?;
    }
    Ok(Some(file))
}

/// Removes the stage file or marker of a finished batch. A leftover is harmless, and the next run tries again.
pub(super) fn remove_work_file(path: &Path) {
    if let Err(e) = atomic::remove_if_there(path) {
        tracing::debug!(event = "leftover", "cannot remove {}: {e}", path.display());
    }
}
