//! The last resort for new tokens whose own disk takes no write any more, not even into the room set aside: a copy
//! in a directory of systemd's or for temporary files, under a name that the next run finds again. Only what is this user's alone is
//! believed there, since others can put files into such a directory.

use crate::config::process_env;
use crate::disk::atomic;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No copy of ours is larger, bytes.
const LARGEST: u64 = 1024 * 1024;

/// Writes `content` into the first of those directories that takes it, 0600; says where.
pub(crate) fn keep(token_file: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let mut outcome = Err(io::ErrorKind::NotFound.into());
    for place in places(token_file) {
        // What stands there already is an older copy, or somebody else's: neither is followed nor overwritten.
        let _ = atomic::remove_if_there(&place);
        outcome = atomic::create_new_private(&place)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .map(|()| place);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The copies that this user made for `token_file`, with what is in them.
pub(crate) fn find(token_file: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    places(token_file)
        .filter_map(|place| {
            let content = atomic::read_own(&place, LARGEST).ok()?;
            Some((place, content))
        })
        .collect()
}

/// Where a copy may be: directories that are most likely on another disk, or on none.
fn places(token_file: &Path) -> impl Iterator<Item = PathBuf> {
    let digest = ring::digest::digest(&ring::digest::SHA256, token_file.as_os_str().as_bytes());
    let tag: String = digest.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Without the user: systemd may give the job another number each time, and its files with it.
    let name = format!("aweber-sync-{tag}.token");
    // systemd's, which outlives the service, unlike what it has of the others with PrivateTmp=.
    let runtime = process_env("RUNTIME_DIRECTORY")
        .and_then(|directories| std::env::split_paths(&directories).next());
    let given = process_env("TMPDIR").map(PathBuf::from);
    let known = ["/var/tmp", "/tmp"].map(PathBuf::from);
    runtime
        .into_iter()
        .chain(given)
        .filter(|directory| directory.is_absolute())
        .chain(known)
        .map(move |directory| directory.join(&name))
}
