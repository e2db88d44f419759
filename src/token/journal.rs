//! The journal `token.json.next`: space reserved for the next tokens, the one write into it on which promise N1 rests,
//! and what is done if even that fails.

use super::aside;
use super::fallback;
use super::home::Home;
use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::token::model::TokenFile;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes reserved for the next token file before the refresh token is spent; also the limit for a token answer.
pub(crate) const RESERVED: usize = 64 * 1024;

/// Space for the next token file, allocated and synced: a disk that fills up from now on does no harm. Allocated by
/// writing: fs2 0.4.3's `allocate` reads errno where `posix_fallocate` returns the error, so a full disk may look fine.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    home: Home,
    used: bool,
}

impl Journal {
    /// Allocates `room` bytes in `file`, just created at `path`, for what will replace the tokens in `home`.
    pub(super) fn reserve(
        file: File,
        path: PathBuf,
        home: Home,
        room: usize,
    ) -> io::Result<Journal> {
        // From here on it cleans up after itself, whatever fails.
        let journal = Journal {
            file,
            path,
            home,
            used: false,
        };
        journal.file.write_all_at(&vec![b' '; room], 0)?;
        journal.file.sync_all()?;
        atomic::sync_parent(&journal.path)?;
        Ok(journal)
    }

    /// Stores `tokens` and activates them. The write comes first and needs no new space: JSON followed by blanks is
    /// JSON, so the journal is a whole token file from that one system call on, whatever happens next.
    pub(crate) fn store(mut self, tokens: &TokenFile) -> Result<()> {
        let bytes = tokens.to_bytes();
        let written = self
            .file
            .write_all_at(&bytes, 0)
            .and_then(|()| self.file.sync_all());
        self.used = true;
        if let Err(e) = written {
            self.store_again(&bytes, &e)?;
        }
        if let Err(e) = self.home.activate(&self.path) {
            return self.keep(&e);
        }
        // Only for people who open the file: cuts off the blanks.
        let _ = self.file.set_len(bytes.len() as u64);
        Ok(())
    }

    /// The journal has the new tokens, and they cannot be activated. If a token command failed, the journal is as
    /// durable as a token file: the run goes on, and its end or the next run stores them.
    fn keep(&self, cause: &io::Error) -> Result<()> {
        let (journal, home) = (self.path.display(), self.home.path());
        if !self.home.is_file() {
            tracing::warn!(event = "token_command_failed", file = %journal, "the token command cannot store the new tokens: {cause}; they are kept in {journal}, and stored at the end of this run or by the next");
            return Ok(());
        }
        Err(
            Error::disk("cannot finish storing the new tokens in", home, cause)
                .safe(format!(
                    "the new tokens are in {journal}, or already in {}: leave both as they are",
                    home.display()
                ))
                .next("repair the disk, then run aweber-sync again: it will store the tokens"),
        )
    }

    /// The reserved space cannot be written to or synced: only a failing disk does that. By now these bytes are the only
    /// live token, so they go into a new file, which replaces the journal; if that fails too, into the [`fallback`].
    fn store_again(&self, bytes: &[u8], cause: &io::Error) -> Result<()> {
        let journal = self.path.display();
        if atomic::replace_file(&self.path, bytes, atomic::PRIVATE).is_ok() {
            tracing::warn!(event = "disk_failed", file = %journal, "cannot write to {journal}: {cause}; the new tokens were stored by a second attempt: check that disk");
            return Ok(());
        }
        let error = Error::disk("cannot write the new tokens to", &self.path, cause);
        if std::fs::read(&self.path).is_ok_and(|found| found.starts_with(bytes)) {
            // Written, but perhaps not durable: a copy elsewhere could outlive it and be taken for newer.
            return Err(error
                .safe(format!(
                    "the new tokens are in {journal}, but the disk does not confirm it: leave that file as it is"
                ))
                .next("repair the disk, then run aweber-sync again: it will store the tokens"));
        }
        Err(match fallback::keep(self.home.path(), bytes) {
            Ok(copy) => error
                .safe(format!(
                    "the new tokens are kept in {}: leave that file there",
                    copy.display()
                ))
                .next("repair the disk, then run aweber-sync again as this user: it takes them from there"),
            Err(_) => error
                .safe("no export was touched; whether the old refresh token still works is unknown")
                .next("repair the disk, then run aweber-sync again; if that ends with 77: aweber-sync authorize"),
        })
    }

    /// Writes an answer that could not be parsed into the reserved space, the first thing that is done with it.
    /// [`Journal::keep_unparsed`] has to follow, or the journal has to be dropped.
    pub(crate) fn note_unparsed(&self, answer: &[u8]) {
        // Repeated by `keep_unparsed`, which reports a failure.
        let _ = self.file.write_all_at(answer, 0);
    }

    /// Keeps an answer that could not be parsed, in the reserved space; returns where.
    pub(crate) fn keep_unparsed(mut self, answer: &[u8]) -> Result<PathBuf> {
        let written = self
            .file
            .write_all_at(answer, 0)
            .and_then(|()| self.file.set_len(answer.len() as u64))
            .and_then(|()| self.file.sync_all());
        self.used = true;
        if let Err(e) = written
            && atomic::replace_file(&self.path, answer, atomic::PRIVATE).is_err()
        {
            return Err(self.not_kept(answer, &e));
        }
        aside::set_aside(&self.path, self.home.path()).map_err(|e| self.not_kept(answer, &e))
    }

    /// The error for an answer that has not been set aside; one that is not in the journal either is put into the
    /// [`fallback`].
    fn not_kept(&self, answer: &[u8], cause: &io::Error) -> Error {
        let error = Error::disk(
            "cannot keep AWeber's answer beside",
            self.home.path(),
            cause,
        );
        let is_in_journal = std::fs::read(&self.path).is_ok_and(|found| found.starts_with(answer));
        let kept = match is_in_journal {
            true => Ok(self.path.clone()),
            false => fallback::keep(self.home.path(), answer),
        };
        let error = match kept {
            Ok(path) => error.safe(format!(
                "the answer, which may contain the new token, is kept in {}: leave that file there",
                path.display()
            )),
            Err(_) => error.safe(
                "no export was touched; whether the old refresh token still works is unknown",
            ),
        };
        error.next("repair the disk, then run aweber-sync again; if that ends with 77: aweber-sync authorize")
    }
}

/// Where a second attempt is written before it replaces the journal.
pub(super) fn second_attempt(journal: &Path) -> PathBuf {
    atomic::temporary(journal)
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.used {
            // Blank, and the next run would remove it anyway.
            let _ = atomic::remove_if_there(&self.path);
        }
    }
}
