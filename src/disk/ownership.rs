//! Which directories and files of the state are believed: those that this user owns and no other user can change
//! (promise N5). Anything else is left untouched and named.

use crate::error::{Error, Result};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Errors: 78 if another user owns the directory or can write to it.
pub(crate) fn check_directory(path: &Path) -> Result<()> {
    let found = path
        .metadata()
        .map_err(|e| Error::disk("cannot look at the directory", path, &e))?;
    check_owner(path, &found)?;
    check_mode(path, &found)
}

/// Errors: 78 if the file exists and is a link, is not a regular file, or another user owns it or can write to it.
pub(crate) fn check_file(path: &Path) -> Result<()> {
    let found = match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::disk("cannot look at", path, &e)),
        Ok(found) => found,
    };
    check_owner(path, &found)?;
    let shown = path.display();
    if !found.is_file() {
        return Err(
            untouched(format!("{shown} is not a regular file")).next(format!(
                "find out who made it, then mv '{shown}' '{shown}.foreign'"
            )),
        );
    }
    if found.nlink() != 1 {
        // Another directory may hold the other name, after a backup by hard links for example.
        return Err(
            untouched(format!("{shown} has another name (a hard link)")).next(format!(
                "cp -p '{shown}' '{shown}.copy' && mv '{shown}.copy' '{shown}'"
            )),
        );
    }
    check_mode(path, &found)
}

/// Whether this user owns the file or directory.
pub(crate) fn is_mine(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

fn check_owner(path: &Path, found: &Metadata) -> Result<()> {
    let (owner, me) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner == me {
        return Ok(());
    }
    let shown = path.display();
    let name = user_name(owner);
    let error = untouched(format!(
        "{shown} belongs to user {name}, not to {}",
        user_name(me)
    ));
    Err(if me == 0 {
        // Files that root makes there would lock that user out.
        error.next(format!(
            "run it as that user: sudo -u '{}' aweber-sync …",
            user_name(owner)
        ))
    } else {
        error.next(format!(
            "run as user {name}, or change the owner: chown -R {me} '{shown}'"
        ))
    })
}

/// Directories that other users have to be able to write to.
const OF_EVERYBODY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

fn check_mode(path: &Path, found: &Metadata) -> Result<()> {
    if found.mode() & 0o022 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(untouched(format!(
        "other users can write to {shown} (mode {:04o})",
        found.mode() & 0o7777
    ))
    .next(
        match OF_EVERYBODY.iter().any(|shared| path == Path::new(shared)) {
            false => format!("chmod go-w '{shown}'"),
            true => "give a directory of this user's: --state-dir or --token-file".to_owned(),
        },
    ))
}

fn untouched(what: String) -> Error {
    Error::config(what).safe("nothing was changed and no token was spent")
}

/// The name in /etc/passwd, else `#1000`, which sudo takes as well.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}
