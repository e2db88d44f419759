//! File descriptors, proved to suffice before anything begins: libraries panic without one, and a run that has spent
//! its token must not fail to open the file that the next one goes into.

use crate::error::{Error, Kind, Result};
use std::io;
use std::os::fd::AsFd;

/// More than any command has open at a time.
const NEEDED: usize = 32;

/// Errors: 74 if the process may not open enough files.
pub(crate) fn check() -> Result<()> {
    let open_all = || -> io::Result<()> {
        let stderr = io::stderr();
        let mut open = Vec::with_capacity(NEEDED);
        for _ in 0..NEEDED {
            open.push(stderr.as_fd().try_clone_to_owned()?);
        }
        Ok(())
    };
    open_all().map_err(|e| {
        Error::new(Kind::LocalIo, format!("cannot open {NEEDED} files at a time: {e}"))
            .safe("nothing was changed and no token was spent")
            .next("raise the limit on open files (ulimit -n 256, LimitNOFILE=256 in a systemd unit), then run again")
    })
}
