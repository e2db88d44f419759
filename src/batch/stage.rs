//! The stage file: rows on their way. What counts of it is the length in the ledger; whatever stands behind that
//! after a kill is cut off.

use crate::disk::atomic;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bytes gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// A stage file being written.
#[derive(Debug)]
pub(crate) struct Stage {
    file: BufWriter<File>,
    length: u64,
}

impl Stage {
    /// A new one, empty, 0600; never one that is there already.
    pub(crate) fn create(path: &Path) -> io::Result<Stage> {
        let file = atomic::create_new_private(path)?;
        atomic::sync_parent(path)?;
        Ok(Stage {
            file: BufWriter::with_capacity(BUFFER, file),
            length: 0,
        })
    }

    /// Adds whole records.
    pub(crate) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all(records)?;
        self.length += records.len() as u64;
        Ok(())
    }

    /// Makes everything added so far durable; says how long the file is.
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.length)
    }
}

/// Cuts a stage file to the length that counts. `false`: it is gone, or shorter.
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
