//! Files and directories, written so that a kill at any instant leaves a complete file, readable by its owner only.
//! Nothing outside this folder creates or renames a file or changes its mode.

pub(crate) mod atomic;
pub(crate) mod lock;
pub(crate) mod ownership;
pub(crate) mod secret_file;
pub(crate) mod shared;

use std::path::{Path, PathBuf};

/// `path` with that suffix: another file in the same directory.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// `path` with all links to its directory resolved; a link at its end stays.
pub(crate) fn with_canonical_directory(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}
