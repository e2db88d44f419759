//! Creating, replacing and renaming files durably. Files are created with their final mode (never with a wider one that
//! is narrowed later), and a rename counts only once its directory is fsynced.

#![allow(clippy::disallowed_methods, reason = "only this module may call them")]

use super::ownership;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of every file that may hold a token or a subscriber.
pub(crate) const PRIVATE: u32 = 0o600;

/// Creates `dir` and its missing parents, each 0700 regardless of the umask, durably.
pub(crate) fn create_private_dirs(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        // An earlier process may have been killed before it synced the parent; it had put nothing in here then.
        return match std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) {
            true => sync_parent(dir),
            false => Ok(()),
        };
    }
    if let Some(parent) = dir.parent()
        && !parent.as_os_str().is_empty()
    {
        create_private_dirs(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            // A umask such as 0777 would make the new directory inaccessible.
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
            sync_parent(dir)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(e),
    }
}

/// Creates `path` for reading and writing, empty, 0600; replaces an existing file.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    // An existing file could have a wider mode or be a link.
    remove_if_there(path)?;
    create_new_private(path)
}

/// Creates `path` for reading and writing, 0600. Errors: `AlreadyExists`.
pub(crate) fn create_new_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)?;
    set_mode(&file, PRIVATE)?;
    Ok(file)
}

/// Opens an existing file for reading and writing.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens or creates (0600) a lock file; its content is never changed.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    match open_to_write(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match create_new_private(path) {
        // Another process has just created it.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => open_to_write(path),
        other => other,
    }
}

/// Reads up to `most` bytes of a file in a world-writable directory, if it is a private file of this user: other users
/// can create files, links and pipes there.
pub(crate) fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = open_checked(path, false, 0o077)?;
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Opens (or makes, 0600) a file of this user's for reading and writing. Errors: `PermissionDenied` for a link, a file of
/// another user's or one that others can write.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    match open_checked(path, true, 0o022) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => create_new_private(path),
        other => other,
    }
}

/// Opens a regular file of this user's that has one name, and a mode without any of the bits `excluded`.
fn open_checked(path: &Path, write: bool, excluded: u32) -> io::Result<File> {
    use rustix::fs::OFlags;
    // Follows no link, and does not block on a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    let found = file.metadata()?;
    let is_own = found.is_file() && ownership::is_mine(&found) && found.nlink() == 1;
    match is_own && found.mode() & excluded == 0 {
        true => Ok(file),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Sets the mode regardless of the umask.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Renames, replacing an existing file, and makes it durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    rename_unsynced(from, to)?;
    sync_parent(to)
}

/// As [`rename`], but not durable until [`sync_parent`].
pub(crate) fn rename_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Renames unless `to` exists (`AlreadyExists`), and makes it durable.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_new_unsynced(from, to)?;
    sync_parent(to)
}

/// As [`rename_new`], but not durable until [`sync_parent`].
pub(crate) fn rename_new_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // Some network and FUSE file systems do not support the flag; a hard link does not replace either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            match std::fs::hard_link(from, to) {
                // An earlier process was killed between the two steps: only the second is missing.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_same(from, to)? => {}
                other => other?,
            }
            std::fs::remove_file(from)?;
        }
        Err(e) => return Err(e.into()),
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (
        std::fs::symlink_metadata(one)?,
        std::fs::symlink_metadata(other)?,
    );
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// The name under which the new content of `path` is written before it replaces that file.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    super::beside(path, ".tmp")
}

/// Replaces `path` atomically: a reader sees the old content or the new one, even after a crash.
pub(crate) fn replace_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let next = &temporary(path);
    let mut file = create_private(next)?;
    let written = file
        .write_all(content)
        .and_then(|()| set_mode(&file, mode))
        .and_then(|()| file.sync_all())
        .and_then(|()| rename(next, path));
    if written.is_err() {
        // The first error is the one to report; a leftover is replaced next time.
        let _ = remove_if_there(next);
    }
    written
}

/// Copies a private file to `to`, replacing what is there, atomically and durably.
pub(crate) fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let next = &temporary(to);
    let copy = || {
        let mut file = create_private(next)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()?;
        rename(next, to)
    };
    let copied = copy();
    if copied.is_err() {
        // The first error is the one to report; a leftover is replaced next time.
        let _ = remove_if_there(next);
    }
    copied
}

/// Removes a file, if it exists.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes the entries of the directory that holds `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}
