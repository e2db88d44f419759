//! Room for the next token file, and storing the new tokens in it: the one write on which promise N1 rests, and what is
//! done if even that fails.

use super::fallback;
use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::token::model::TokenFile;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes set aside for the next token file before the refresh token is spent; also the bound of a token answer.
pub(crate) const RESERVED: usize = 64 * 1024;

/// Room for the next token file, allocated and synced: a disk that fills up from now on cannot hurt.
#[derive(Debug)]
pub(crate) struct Reservation {
    file: File,
    next: PathBuf,
    path: PathBuf,
    used: bool,
}

impl Reservation {
    /// Allocates `room` bytes in `file`, new at `next`, for what will replace `path`.
    pub(super) fn make(
        file: File,
        next: PathBuf,
        path: &Path,
        room: usize,
    ) -> io::Result<Reservation> {
        // From here on it cleans up after itself, whatever fails.
        let reservation = Reservation {
            file,
            next,
            path: path.to_owned(),
            used: false,
        };
        // Not `allocate` of fs2 0.4: it reads `errno`, while `posix_fallocate` returns its error, so a full disk may go
        // unnoticed.
        reservation.file.write_all_at(&vec![b' '; room], 0)?;
        reservation.file.sync_all()?;
        atomic::sync_parent(path)?;
        Ok(reservation)
    }

    /// Puts `tokens` in force. The write comes first and needs no new room: JSON followed by blanks is JSON, so the
    /// reservation is a whole token file from that one system call on, whatever happens next.
    pub(crate) fn store(mut self, tokens: &TokenFile) -> Result<()> {
        let bytes = tokens.to_bytes();
        let written = self
            .file
            .write_all_at(&bytes, 0)
            .and_then(|()| self.file.sync_all());
        self.used = true;
        if let Err(e) = written {
            self.store_anew(&bytes, &e)?;
        }
        let (next, path) = (self.next.display(), self.path.display());
        atomic::rename(&self.next, &self.path).map_err(|e| {
            Error::disk("cannot finish storing the new tokens in", &self.path, &e)
                .safe(format!("the new tokens are written, in {next} or already in {path}: leave both as they are"))
                .next("heal the disk, then run again: the next run puts them in force")
        })?;
        // Only for those who look into the file: cuts off the blanks. Whole either way.
        let _ = self.file.set_len(bytes.len() as u64);
        Ok(())
    }

    /// The room set aside cannot be written to or synced: only a disk that breaks does that. By now these bytes are
    /// the only token that lives, so they go into a new file, which takes the reservation's place; if that fails too,
    /// into a copy [`fallback`].
    fn store_anew(&self, bytes: &[u8], cause: &io::Error) -> Result<()> {
        let next = self.next.display();
        if atomic::replace_file(&self.next, bytes, atomic::PRIVATE).is_ok() {
            // Only root may give files away, and only root needs to.
            let _ = atomic::open_to_write(&self.next)
                .and_then(|file| atomic::keep_owner(&file, &self.path));
            tracing::warn!(event = "disk_failed", file = %next, "cannot write to {next}: {cause}; the new tokens are stored in a second attempt: look at that disk");
            return Ok(());
        }
        let error = Error::disk("cannot write the new tokens to", &self.next, cause);
        if std::fs::read(&self.next).is_ok_and(|found| found.starts_with(bytes)) {
            // Written, but perhaps not for good: a copy beside it could outlive it and be taken for newer.
            return Err(error
                .safe(format!(
                    "the new tokens stand in {next}, but the disk does not confirm it: leave that file as it is"
                ))
                .next("heal the disk, then run again: the next run puts them in force"));
        }
        Err(match fallback::keep(&self.path, bytes) {
            Ok(place) => error
                .safe(format!(
                    "the new tokens are kept in {}: leave that file there",
                    place.display()
                ))
                .next("heal the disk, then run again, as this user: the next run takes them from there"),
            Err(_) => error
                .safe("no export was touched; whether the old refresh token still works only AWeber knows")
                .next("heal the disk, then run again; if that ends with 77: aweber-sync authorize"),
        })
    }

    /// Keeps an answer that could not be understood, in the room set aside; says where.
    pub(crate) fn rescue(mut self, answer: &[u8]) -> Result<PathBuf> {
        let written = self.file.write_all_at(answer, 0);
        self.used = true;
        written
            .and_then(|()| self.file.set_len(answer.len() as u64))
            .and_then(|()| self.file.sync_all())
            .and_then(|()| keep_as_rescued(&self.next, &self.path))
            .map_err(|e| {
                Error::disk("cannot keep AWeber's answer beside", &self.path, &e).safe(format!(
                    "what could be written is in {}",
                    self.next.display()
                ))
            })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.used {
            // Blank: nothing is lost by it, and the next run would remove it anyway.
            let _ = atomic::remove_if_there(&self.next);
        }
    }
}

/// Moves `from` to the first free name of `token.json.rescued`, `.rescued.2`, …
pub(super) fn keep_as_rescued(from: &Path, token_file: &Path) -> io::Result<PathBuf> {
    for n in 1..1000 {
        let mut name = token_file.as_os_str().to_owned();
        name.push(".rescued");
        if n > 1 {
            name.push(format!(".{n}"));
        }
        let to = PathBuf::from(name);
        match atomic::rename_new(from, &to) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
            Ok(()) => return Ok(to),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
