//! Creating, replacing and renaming files durably. Files are born with their final mode (never widened, then
//! narrowed), and a rename counts only once its directory is fsynced.

#![allow(clippy::disallowed_methods, reason = "this is the one place for them")]

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of every file that may hold a token or a subscriber.
pub(crate) const PRIVATE: u32 = 0o600;

/// Makes `dir` and its missing parents, each 0700 whatever the umask.
pub(crate) fn create_private_dirs(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent()
        && !parent.as_os_str().is_empty()
    {
        create_private_dirs(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            // A umask such as 0777 must not lock us out of our own directory.
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
            sync_parent(dir)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(e),
    }
}

/// Opens `path` for reading and writing, empty, 0600; an older file of that name is emptied.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    // A left-over file could have a wider mode or be a link to elsewhere: begin with a new one.
    remove_if_there(path)?;
    create_new_private(path)
}

/// Makes `path` for reading and writing, 0600. Errors: `AlreadyExists`.
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

/// Opens `path` to append to, made with `mode` if it is not there.
pub(crate) fn open_for_append(path: &Path, mode: u32) -> io::Result<File> {
    let new = !path.try_exists()?;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(mode)
        .open(path)?;
    if new {
        set_mode(&file, mode)?;
        sync_parent(path)?;
    }
    Ok(file)
}

/// Opens an existing file to go on writing in it.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens (or makes, 0600) a file that only serves as a lock; its content is never touched.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    match open_to_write(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match create_new_private(path) {
        // Somebody else was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => open_to_write(path),
        other => other,
    }
}

/// Reads up to `most` bytes of a file in a directory of everybody's, if it is this user's alone: others can put files,
/// links and pipes there.
pub(crate) fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    use rustix::fs::OFlags;
    // Neither led elsewhere by a link nor kept waiting by a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    let found = file.metadata()?;
    let is_mine = found.uid() == rustix::process::geteuid().as_raw() && found.nlink() == 1;
    if !(found.is_file() && is_mine && found.mode() & 0o077 == 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Opens (or makes, 0600) a file of this user's for reading and writing. Errors: `PermissionDenied` for a link, a file of
/// another user's or one that others can write.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let open = || {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
    };
    let file = match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return create_new_private(path),
        other => other?,
    };
    let found = file.metadata()?;
    let is_mine = found.uid() == rustix::process::geteuid().as_raw() && found.nlink() == 1;
    if !(found.is_file() && is_mine && found.mode() & 0o022 == 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

/// Sets the mode exactly, past the umask.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Gives `file` the owner of `other`: a job that root once ran by hand must not take the file from its user.
pub(crate) fn keep_owner(file: &File, other: &Path) -> io::Result<()> {
    let Ok(old) = std::fs::metadata(other) else {
        return Ok(());
    };
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

/// Renames over whatever stands at `to`, and makes that durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_parent(to)
}

/// Renames only if nothing stands at `to` (else `AlreadyExists`), and makes that durable.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // Some network and FUSE file systems do not know the flag: a hard link refuses as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            match std::fs::hard_link(from, to) {
                // Killed between the two steps: what is left is the second.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_same(from, to)? => {}
                other => other?,
            }
            std::fs::remove_file(from)?;
        }
        Err(e) => return Err(e.into()),
    }
    sync_parent(to)
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
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Puts `content` in place of `path` as a whole: a reader sees the old file or the new one, also after a crash.
pub(crate) fn replace_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let next = &temporary(path);
    let mut file = create_private(next)?;
    let written = file
        .write_all(content)
        .and_then(|()| set_mode(&file, mode))
        .and_then(|()| file.sync_all())
        .and_then(|()| rename(next, path));
    if written.is_err() {
        // The write's error is the one to report; a left-over is overwritten next time.
        let _ = remove_if_there(next);
    }
    written
}

/// Removes a file; one that is not there is no error.
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
