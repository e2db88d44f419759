//! Unsuitable disks and directories: small, full, or of another user. Most of it needs root and reports a skip
//! otherwise.

use super::Site;
use super::interrupt::skipped;
use super::process::through;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this test runs as root, who can change the user and mount file systems.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("only root can do what this test needs");
    }
    root
}

/// The user `nobody`, without privileges.
pub(crate) const NOBODY: u32 = 65534;

/// Changes the owner of a file or a whole directory to `nobody`.
pub(crate) fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_to_nobody(&entry.unwrap().path());
        }
    }
}

/// The command, run as `nobody`.
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

/// The command with failing system calls; only calls on `files` count.
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

/// A `run` in which the write of the new tokens fails: the third into that file, after the rehearsal and the
/// reservation. `permanent`: later writes beside the token file fail too.
pub(crate) fn with_failing_token_write(site: &Site, run: &Command, permanent: bool) -> Command {
    let (next, replacement) = (site.beside_token(".next"), site.beside_token(".next.tmp"));
    let calls: &[&str] = if permanent {
        &["pwrite64:error=EIO:when=3+", "write:error=EIO:when=1+"]
    } else {
        &["pwrite64:error=EIO:when=3"]
    };
    with_failing_calls(run, &[&next, &replacement], calls)
}

/// A small file system for the commands of a test, unmounted on drop.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Mounts it at `path`; `None` if that is not allowed.
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

    pub(crate) fn fill(&self) {
        fill(&self.0);
    }

    /// Fills it except for `kilobytes`.
    pub(crate) fn fill_except(&self, kilobytes: u64) {
        fill_except(&self.0, kilobytes);
    }

    /// Removes the filler.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.join(".filler")).unwrap();
    }
}

/// Fills the disk at that path.
pub(crate) fn fill(disk: &Path) {
    fill_except(disk, 0);
}

/// Fills the disk at that path except for `kilobytes`, in whole pages of 4 KiB.
pub(crate) fn fill_except(disk: &Path, kilobytes: u64) {
    use std::io::Write as _;
    let mut filler = std::fs::File::create(disk.join(".filler")).unwrap();
    // Unbuffered, so that the last byte is used too.
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
