//! Setting aside what may be the only live token and must not be replaced: `token.json.rescued`, `.rescued.2`, …

use crate::disk::{atomic, beside};
use std::io;
use std::path::{Path, PathBuf};

/// Moves `from` to the first free name of `token.json.rescued`, `.rescued.2`, … beside `token_file`.
pub(super) fn set_aside(from: &Path, token_file: &Path) -> io::Result<PathBuf> {
    for n in 1..1000 {
        let to = match n {
            1 => beside(token_file, ".rescued"),
            n => beside(token_file, &format!(".rescued.{n}")),
        };
        match atomic::rename_new(from, &to) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
            Ok(()) => return Ok(to),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
