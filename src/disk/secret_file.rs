//! Files in which a user, Docker, Kubernetes or systemd puts a secret for the job: read only, and only if no other user
//! can have written or read them.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where Docker and Podman mount secrets, with a mode that says nothing about who can read them.
const MOUNTED: &str = "/run/secrets/";

/// Types of file systems in memory (linux/magic.h).
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;

/// The most that is read, bytes: no secret is longer.
const LONGEST: u64 = 64 * 1024;

/// Why a file is not used.
#[derive(Debug)]
pub(crate) enum Refused {
    Io(io::Error),
    /// Its mode.
    OthersCanRead(u32),
    /// Its mode.
    OthersCanWrite(u32),
    /// The number of its owner.
    AnotherUsers(u32),
}

/// Reads a secret.
pub(crate) fn read(path: &Path) -> Result<String, Refused> {
    let file = File::open(path).map_err(Refused::Io)?;
    check(path, &file)?;
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(Refused::Io)?;
    Ok(text)
}

fn check(path: &Path, file: &File) -> Result<(), Refused> {
    let found = file.metadata().map_err(Refused::Io)?;
    let mode = found.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(Refused::OthersCanWrite(mode));
    }
    // In a container the owner and mode of a mounted secret are those that it has outside.
    if path.starts_with(MOUNTED) || is_mounted_secret(file) {
        return Ok(());
    }
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me && found.uid() != 0 {
        return Err(Refused::AnotherUsers(found.uid()));
    }
    if mode & readable_by_others(&found, me) != 0 {
        return Err(Refused::OthersCanRead(mode));
    }
    Ok(())
}

/// The permissions that let others read the file. A file of root's can be for this user by its group alone.
fn readable_by_others(found: &Metadata, me: u32) -> u32 {
    if found.uid() == me { 0o044 } else { 0o004 }
}

/// As Kubernetes and systemd mount secrets: read-only and in memory. Read-only alone does not show it, since systemd makes all
/// of the host's files read-only for a service.
fn is_mounted_secret(file: &File) -> bool {
    use rustix::fs::{StatVfsMountFlags, fstatfs, fstatvfs};
    let is_in_memory = fstatfs(file).is_ok_and(|found| {
        let kind = found.f_type as u32;
        kind == TMPFS || kind == RAMFS
    });
    is_in_memory
        && fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}
