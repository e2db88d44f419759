//! Files in directories that other users may write to (promise N5): no link of theirs is followed, and only a regular
//! file with one name is opened. Others can still replace a file there, so callers keep the descriptor.

#![allow(clippy::disallowed_methods, reason = "only this folder may call them")]

use super::atomic;
use super::ownership::is_mine;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The number of links that Linux itself follows in a path.
const LINKS: u32 = 40;

/// What to open a file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    Append,
}

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Found {
    File(File),
    Missing,
    /// Something that this program does not make there, such as a link; a text to follow the path.
    NotOurs(&'static str),
}

/// Opens a file whose name, but not whose owner, shows that it belongs to the job.
pub(crate) fn open(path: &Path, access: Access) -> io::Result<Found> {
    // Does not block on a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        .append(access == Access::Append)
        .custom_flags(flags.bits() as i32)
        .open(path)
    {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(e) => {
            return match Errno::from_io_error(&e) {
                Some(Errno::LOOP) => Ok(Found::NotOurs("is a symbolic link")),
                Some(Errno::ISDIR | Errno::NXIO) => Ok(Found::NotOurs("is not a regular file")),
                _ => Err(e),
            };
        }
    };
    let found = file.metadata()?;
    Ok(if !found.is_file() {
        Found::NotOurs("is not a regular file")
    } else if found.nlink() > 1 {
        Found::NotOurs("has another name (a hard link)")
    } else {
        Found::File(file)
    })
}

/// As [`open`], for reading and writing a file that only this program writes.
pub(crate) fn open_own(path: &Path) -> io::Result<Found> {
    let found = open(path, Access::Write)?;
    if let Found::File(file) = &found {
        let own = file.metadata()?;
        // On a share mounted with uid= every file belongs to the owner of its directory.
        let is_mapped = || {
            let directory = path.parent()?.metadata().ok()?;
            Some(directory.uid() == own.uid())
        };
        if !is_mine(&own) && is_mapped() != Some(true) {
            return Ok(Found::NotOurs("belongs to another user"));
        }
    }
    Ok(found)
}

/// Opens `path` for appending; creates it with `mode` if it does not exist, but does not sync the directory.
///
/// Errors: `InvalidInput` if something that is not a file of ours is there.
pub(crate) fn open_for_append(path: &Path, mode: u32) -> io::Result<File> {
    match open(path, Access::Append)? {
        Found::File(file) => return Ok(file),
        Found::NotOurs(what) => return Err(io::Error::new(io::ErrorKind::InvalidInput, what)),
        Found::Missing => {}
    }
    // Exclusive: a dangling link put there in the meantime is not followed.
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    atomic::set_mode(&file, mode)?;
    Ok(file)
}

/// The path behind links that this user or root made in a directory that no other user can change. Stops at any other
/// link, which is then not opened.
pub(crate) fn behind(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            Ok(target) if is_trusted(&path) => {
                path = path.parent().unwrap_or(Path::new("/")).join(target);
            }
            _ => break,
        }
    }
    path
}

fn is_trusted(link: &Path) -> bool {
    let trusted = |found: &Metadata| found.uid() == 0 || is_mine(found);
    let is_own = link.symlink_metadata().is_ok_and(|found| trusted(&found));
    let directory = link.parent().unwrap_or(Path::new("/")).metadata();
    is_own && directory.is_ok_and(|found| trusted(&found) && found.mode() & 0o022 == 0)
}

/// Whether this user owns what is at `path`: another user cannot have put a file of theirs there.
pub(crate) fn is_own(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| is_mine(&found))
}

/// Whether the file at `path` is `file`; without stable inode numbers, whether it is a file with the same bytes.
pub(crate) fn is_file_at(path: &Path, file: &File) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    let wanted = file.metadata()?;
    if (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()) {
        return Ok(true);
    }
    match open(path, Access::Read)? {
        Found::File(other) if found.len() == wanted.len() => has_same_bytes(file, other),
        _ => Ok(false),
    }
}

fn has_same_bytes(file: &File, mut other: File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut offset = 0;
    loop {
        let n = other.read(&mut left)?;
        if n == 0 {
            return Ok(offset == file.metadata()?.len());
        }
        match file.read_exact_at(&mut right[..n], offset) {
            Ok(()) if left[..n] == right[..n] => offset += n as u64,
            Ok(()) => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn neither_a_link_nor_a_directory_nor_a_second_name_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "1").unwrap();
        assert!(matches!(open_own(&at("file")).unwrap(), Found::File(_)));
        assert!(matches!(
            open(&at("missing"), Access::Append).unwrap(),
            Found::Missing
        ));
        symlink(at("file"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        std::fs::hard_link(at("file"), at("second")).unwrap();
        for name in ["link", "dangling", "second", "."] {
            for access in [Access::Read, Access::Write, Access::Append] {
                let found = open(&at(name), access).unwrap();
                assert!(matches!(found, Found::NotOurs(_)), "{name} {found:?}");
            }
            assert!(open_for_append(&at(name), 0o600).is_err(), "{name}");
        }
        assert!(!at("nowhere").exists());
    }

    #[test]
    fn a_file_is_recognized_by_inode_or_content() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, content) in [
            ("file", "12"),
            ("copy", "12"),
            ("other", "13"),
            ("short", "1"),
        ] {
            std::fs::write(at(name), content).unwrap();
        }
        symlink(at("copy"), at("link")).unwrap();
        let file = File::open(at("file")).unwrap();
        for (name, same) in [
            ("file", true),
            ("copy", true),
            ("other", false),
            ("short", false),
            ("link", false),
        ] {
            assert_eq!(is_file_at(&at(name), &file).unwrap(), same, "{name}");
        }
    }
}
