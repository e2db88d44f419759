//! The last resort for new tokens whose own disk rejects every write, even into reserved space: copies in a directory of
//! systemd's or for temporary files, where the next run finds them. Other users can put files there too: only files that
//! belong to this user alone are believed, and a name that is taken is not used.

use crate::config::process_env;
use crate::disk::{atomic, with_canonical_directory};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No copy of ours is larger, bytes.
const LARGEST: u64 = 1024 * 1024;

/// How many names are tried in a directory where others took ours.
const NAMES: u32 = 20;

/// Writes `content` into the first directories that accept it, 0600; returns where the first copy is.
pub(crate) fn keep(token_file: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let mut kept = Vec::new();
    let mut failure = io::ErrorKind::NotFound.into();
    let given = process_env("TMPDIR").map(PathBuf::from);
    for directory in directories() {
        match keep_in(&directory, token_file, content) {
            Ok(path) => kept.push(path),
            Err(e) => failure = e,
        }
        // $TMPDIR may be set for this run and not for the next: one more copy then.
        if !kept.is_empty() && Some(&directory) != given.as_ref() {
            break;
        }
    }
    kept.into_iter().next().ok_or(failure)
}

fn keep_in(directory: &Path, token_file: &Path, content: &[u8]) -> io::Result<PathBuf> {
    for n in 0..NAMES {
        let path = directory.join(format!("{}{n}", prefix(token_file)));
        let mut file = match atomic::create_new_private(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        let written = file.write_all(content).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a copy is of no use.
            let _ = atomic::remove_if_there(&path);
        }
        // The copy is whole; without this a power cut may take it.
        let _ = atomic::sync_parent(&path);
        return written.map(|()| path);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The copies that this user made for `token_file`, with their content.
pub(crate) fn find(token_file: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let prefix = prefix(token_file);
    let entries = directories()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flat_map(|entries| entries.flatten());
    let mut copies: Vec<(PathBuf, Vec<u8>)> = entries
        .filter(|entry| entry.file_name().as_bytes().starts_with(prefix.as_bytes()))
        .filter_map(|entry| {
            let content = atomic::read_own(&entry.path(), LARGEST).ok()?;
            Some((entry.path(), content))
        })
        .collect();
    // One directory may have two names.
    copies.sort();
    copies.dedup();
    copies
}

/// The beginning of the names of copies. Without the user: systemd may run the job under another number each time.
fn prefix(token_file: &Path) -> String {
    // However the directory is spelled, through `..` or a link, the name is the same.
    let path = with_canonical_directory(token_file);
    let digest = ring::digest::digest(&ring::digest::SHA256, path.as_os_str().as_bytes());
    let tag: String = digest.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("aweber-sync-{tag}.token")
}

/// Directories that are most likely on another disk, or on none.
fn directories() -> impl Iterator<Item = PathBuf> {
    // systemd's, which outlives the service, unlike the others under PrivateTmp=.
    let runtime = process_env("RUNTIME_DIRECTORY")
        .and_then(|directories| std::env::split_paths(&directories).next());
    let given = process_env("TMPDIR").map(PathBuf::from);
    let known = ["/var/tmp", "/tmp"].map(PathBuf::from);
    runtime
        .into_iter()
        .chain(given)
        .filter(|directory| directory.is_absolute())
        .chain(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_directory_gives_the_same_name() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, directory.path().join("link")).unwrap();
        let name = prefix(&real.join("token.json"));
        for spelling in ["link", "real/../real", "./real", "real/."] {
            let path = directory.path().join(spelling).join("token.json");
            assert_eq!(prefix(&path), name, "{spelling}");
        }
        assert_ne!(prefix(&real.join("other.json")), name);
    }

    #[test]
    fn a_name_that_is_taken_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let token_file = Path::new("/x/token.json");
        let first = keep_in(directory.path(), token_file, b"1").unwrap();
        let second = keep_in(directory.path(), token_file, b"2").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read(first).unwrap(), b"1");
    }
}
