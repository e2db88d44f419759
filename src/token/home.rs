//! Where the tokens live when nothing is under way. Today a file; another kind of home is another variant here.

use crate::disk::{atomic, ownership};
use crate::error::{Error, Kind, Result};
use secrecy::zeroize::Zeroizing;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// A file, symlinks resolved. The journal beside it replaces it by one rename.
    File(PathBuf),
}

impl Home {
    /// The file behind `path`; a symlink is followed, so that it stays one.
    pub(super) fn file(path: &Path) -> Result<Home> {
        let mut path = path.to_owned();
        // As many hops as Linux itself follows.
        for _ in 0..40 {
            match std::fs::read_link(&path) {
                Ok(target) => {
                    path = path.parent().unwrap_or(Path::new("/")).join(target);
                }
                Err(_) => return Ok(Home::File(path)),
            }
        }
        Err(Error::config(format!(
            "{}: too many symbolic links",
            path.display()
        )))
    }

    /// The path beside which the journal, the locks and what is kept are.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Home::File(path) => path,
        }
    }

    /// The stored bytes, whatever their mode; `None` if there are none.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self {
            Home::File(path) => read_if_there(path),
        }
    }

    /// Errors: 78 if other users can get at the tokens.
    pub(super) fn check_private(&self) -> Result<()> {
        let Home::File(path) = self;
        let shown = path.display();
        let mode = std::fs::metadata(path)
            .map_err(|e| Error::disk("cannot read", path, &e))?
            .permissions()
            .mode();
        if mode & 0o077 == 0 {
            return ownership::check_file(path);
        }
        Err(Error::config(format!(
            "other users can read or change the token file {shown} (mode {:04o})",
            mode & 0o7777
        ))
        .safe("no request was sent and no token was spent")
        .next(format!(
            "chmod 600 '{shown}'; if another user may have read it, also authorize again"
        )))
    }

    /// Rewrites the stored bytes by the very steps that will store the next ones; `journal` does not exist.
    pub(super) fn rehearse(&self, journal: &Path, present: &[u8]) -> io::Result<()> {
        match self {
            Home::File(path) => {
                let file = atomic::create_private(journal)?;
                file.write_all_at(present, 0)?;
                file.sync_all()?;
                atomic::rename(journal, path)
            }
        }
    }

    /// Replaces the stored tokens by the synced journal, durably.
    pub(super) fn put_in_force(&self, journal: &Path) -> io::Result<()> {
        match self {
            Home::File(path) => atomic::rename(journal, path),
        }
    }

    /// Removes the stored tokens.
    pub(super) fn remove(&self) -> io::Result<()> {
        match self {
            Home::File(path) => {
                atomic::remove_if_there(path)?;
                atomic::sync_parent(path)
            }
        }
    }
}

/// The content of a file of ours; `None` if there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(Error::config(format!(
            "cannot read the token file {}: {e}",
            path.display()
        ))
        .safe("no request was sent")
        .next("run as the user that authorized, or chown the file to the user that runs the job")),
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Err(is_a_directory(path)),
        Err(e) => Err(Error::disk("cannot read", path, &e)),
    }
}

/// What Docker makes of a bind mount whose source does not exist.
fn is_a_directory(path: &Path) -> Error {
    let shown = path.display();
    Error::new(Kind::LocalIo, format!("{shown} is a directory, not a file"))
        .next(format!(
            "rmdir '{shown}', then run the same command again; in a container, mount the directory of the token \
             file, not the file alone"
        ))
}
