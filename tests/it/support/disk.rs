//! Disks and directories that are not as a job would like them: small ones, full ones, somebody else's. Most of it needs
//! root, and says so where that is missing.

use super::Site;
use super::interrupt::skipped;
use super::process::through;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this test runs as root, who alone can become somebody else or mount a file system.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("only root can do what this test needs");
    }
    root
}

/// Somebody without rights.
pub(crate) const NOBODY: u32 = 65534;

/// Gives a file, or a directory with all that is in it, to that somebody.
pub(crate) fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_to_nobody(&entry.unwrap().path());
        }
    }
}

/// The command, run by somebody without rights.
pub(crate) fn as_nobody(command: &Command) -> Command {
    let user = NOBODY.to_string();
    let front = [
        "setpriv",
        "--reuid",
        &user,
        "--regid",
        &user,
        "--clear-groups",
        "--",
    ];
    through(&front, command)
}

/// The command on a disk on which these calls fail; only those on `files` count.
pub(crate) fn with_failing_calls(command: &Command, files: &[&Path], calls: &[&str]) -> Command {
    let mut front = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
    for file in files {
        front.extend(["-P", file.to_str().unwrap()]);
    }
    let injects: Vec<String> = calls.iter().map(|call| format!("inject={call}")).collect();
    for inject in &injects {
        front.extend(["-e", inject]);
    }
    front.push("--");
    through(&front, command)
}

/// A `run` in which the write of the new tokens fails, the third into that file: after the rehearsal's and the room's.
/// `permanent`: nothing can be written beside the token file from there on.
pub(crate) fn with_failing_token_write(site: &Site, run: &Command, permanent: bool) -> Command {
    let (next, anew) = (site.beside_token(".next"), site.beside_token(".next.tmp"));
    let calls: &[&str] = if permanent {
        &["pwrite64:error=EIO:when=3+", "write:error=EIO:when=1+"]
    } else {
        &["pwrite64:error=EIO:when=3"]
    };
    with_failing_calls(run, &[&next, &anew], calls)
}

/// A small file system at `path`, for this test's commands to fill. Gone with the guard.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Mounts it; `None` where that is not allowed.
    pub(crate) fn at(path: PathBuf, kilobytes: u32) -> Option<SmallDisk> {
        std::fs::create_dir_all(&path).unwrap();
        let size = format!("size={kilobytes}k,mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Some(SmallDisk(path));
        }
        skipped("no file system can be mounted here");
        None
    }

    /// Takes all its room.
    pub(crate) fn fill(&self) {
        fill(&self.0);
    }

    /// Takes all its room but that.
    pub(crate) fn fill_except(&self, kilobytes: u64) {
        fill_except(&self.0, kilobytes);
    }

    /// Gives it back.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.join(".filler")).unwrap();
    }
}

/// Takes all the room of the disk at that path.
pub(crate) fn fill(disk: &Path) {
    fill_except(disk, 0);
}

/// Takes all the room of the disk at that path but so much, in whole pages of 4 KiB.
pub(crate) fn fill_except(disk: &Path, kilobytes: u64) {
    use std::io::Write as _;
    let mut filler = std::fs::File::create(disk.join(".filler")).unwrap();
    // Unbuffered, so that the last byte of room is taken too.
    while filler.write_all(&[b'x'; 512]).is_ok() {}
    let length = filler.metadata().unwrap().len();
    assert!(length >= kilobytes * 1024, "the disk is too small");
    filler.set_len(length - kilobytes * 1024).unwrap();
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
