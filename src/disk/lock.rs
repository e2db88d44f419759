//! Advisory locks on files of their own: never on a file that is replaced by rename, since a lock on the old
//! inode guards nothing. The kernel lets go when the process dies: no stale locks, no process ids.

use super::atomic;
use crate::error::{Error, Result};
use crate::exit::Exit;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a waiting process asks again.
const POLL: Duration = Duration::from_millis(50);

/// Held until dropped, or until the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, waiting at most `wait` for its present holder.
    ///
    /// Errors: 75 if it is still taken then, 74 if the lock file cannot be opened.
    pub(crate) fn take(path: &Path, wait: Duration) -> Result<Lock> {
        let file = atomic::open_lock(path).map_err(|e| {
            Error::disk("cannot open the lock file", path, &e)
                .safe("nothing was changed and no token was spent")
                .next("make the directory writable for the user that runs the job")
        })?;
        let deadline = Instant::now() + wait;
        let mut announced = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    if !announced {
                        tracing::info!(lock = %path.display(), "waiting for the run that holds the lock");
                        announced = true;
                    }
                    std::thread::sleep(
                        POLL.min(deadline.saturating_duration_since(Instant::now())),
                    );
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Exit::TryLater,
                        format!("another run holds the lock {}", path.display()),
                    )
                    .safe("this run has changed nothing and spent no token")
                    .next("nothing, if this was a scheduled run: the next one takes its turn; --lock-wait 10m waits"));
                }
                Err(TryLockError::Error(e)) => return Err(Error::disk("cannot lock", path, &e)),
            }
        }
    }
}
