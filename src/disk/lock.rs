//! Advisory locks (`flock`) on files that serve no other purpose: a lock on a file that is replaced by rename would
//! protect the old inode only. The kernel releases them when the process dies: no stale locks, no process ids.

use super::atomic;
use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Held until dropped, or until the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`; returns `None` if another process holds it.
    ///
    /// Errors: 78 if it belongs to another user, 74 if it cannot be opened for another reason.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Lock>> {
        let file = atomic::open_lock(path).map_err(|e| cannot_open(path, &e))?;
        // By its full path: `File` has a method of this name too.
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(Error::disk("cannot lock", path, &e)),
        }
    }

    /// Whether a process holds the lock at `path`, as far as this user can tell; nothing is created.
    pub(crate) fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else {
            return false;
        };
        // Shared, so that two who ask do not take each other for a run. Released at once, with the file.
        let tried = fs2::FileExt::try_lock_shared(&file);
        tried.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }
}

fn cannot_open(path: &Path, cause: &io::Error) -> Error {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let error = match (cause.kind(), owner(path).or_else(|| owner(directory))) {
        (io::ErrorKind::PermissionDenied, Some((owner, me))) if owner != me => {
            Error::config(format!(
                "{} belongs to user {owner}, not to {me}: cannot open the lock file {}: {cause}",
                directory.display(),
                path.display()
            ))
            .next(format!(
                "run as user {owner}, or change the owner: chown -R {me} '{}'",
                directory.display()
            ))
        }
        _ => Error::disk("cannot open the lock file", path, cause)
            .next("make the directory writable for the user that runs the job"),
    };
    error.safe("nothing was changed and no token was spent")
}

/// The owner of `path` and the effective user.
fn owner(path: &Path) -> Option<(u32, u32)> {
    let owner = path.metadata().ok()?.uid();
    Some((owner, rustix::process::geteuid().as_raw()))
}
