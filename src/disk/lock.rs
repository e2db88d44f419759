//! Advisory locks on files of their own: never on a file that is replaced by rename, since a lock on the old
//! inode guards nothing. The kernel lets go when the process dies: no stale locks, no process ids.

use super::atomic;
use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Held until dropped, or until the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path` if it is free; `None` if somebody holds it.
    ///
    /// Errors: 74 if the lock file cannot be opened.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Lock>> {
        let file = atomic::open_lock(path).map_err(|e| {
            Error::disk("cannot open the lock file", path, &e)
                .safe("nothing was changed and no token was spent")
                .next("make the directory writable for the user that runs the job")
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::disk("cannot lock", path, &e)),
        }
    }
}
