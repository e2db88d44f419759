//! The token file on disk. Keeps promise N1: the next refresh token is durable before anything else is done with
//! it, and the old one is not spent before that has been shown to be possible.
//!
//! Beside `token.json` (symlinks resolved) stand, at times, `.next` (the coming content, or room for it), `.rescued`
//! (an answer that could not be understood) and `.lock`; on a disk that broke, a copy [`fallback`]. Whoever calls
//! anything here holds that lock.

use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::token::fallback;
use crate::token::model::{TokenFile, Unreadable};
use crate::token::reservation::{RESERVED, Reservation, keep_as_rescued};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A token file and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct TokenStore {
    path: PathBuf,
}

impl TokenStore {
    /// The store behind `path`; a symlink is followed, so that it stays one.
    pub(crate) fn at(path: &Path) -> Result<TokenStore> {
        let mut path = path.to_owned();
        // As many hops as Linux itself follows.
        for _ in 0..40 {
            match std::fs::read_link(&path) {
                Ok(target) => {
                    path = path.parent().unwrap_or(Path::new("/")).join(target);
                }
                Err(_) => return Ok(TokenStore { path }),
            }
        }
        Err(Error::config(format!(
            "{}: too many symbolic links",
            path.display()
        )))
    }

    /// The resolved path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that it is in.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// `token.json` + suffix, in the same directory.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// The store of the tokens that `authorize` has got and not yet put in force.
    pub(crate) fn candidate(&self) -> TokenStore {
        TokenStore {
            path: self.beside(".candidate"),
        }
    }

    /// Whether `authorize` has got tokens that are not yet in force, also half stored ones.
    pub(crate) fn has_candidate(&self) -> bool {
        let candidate = self.candidate();
        candidate.exists()
            || candidate.beside(".next").exists()
            || !fallback::find(&candidate.path).is_empty()
    }

    /// What stands in the token file, whatever its mode; to be looked at, not used. `None`: there is none.
    pub(crate) fn peek(&self) -> Result<Option<std::result::Result<TokenFile, Unreadable>>> {
        Ok(read_if_there(&self.path)?.map(|content| TokenFile::parse(&content)))
    }

    /// Puts the tokens of `candidate` in force as `tokens`: they are complete there first, then one rename replaces
    /// the file. At no instant are they in neither place, and never in both.
    pub(crate) fn adopt(&self, candidate: &TokenStore, tokens: &TokenFile) -> Result<()> {
        drop(self.prepare()?);
        candidate.install(tokens)?;
        let adopted = atomic::open_to_write(&candidate.path).and_then(|file| {
            // Only root may give files away, and only root needs to.
            let _ = atomic::keep_owner(&file, &self.path);
            atomic::rename(&candidate.path, &self.path)
        });
        adopted.map_err(|e| {
            let error = Error::disk("cannot put the new tokens in force as", &self.path, &e);
            if candidate.exists() {
                return error
                    .safe(format!("they are kept in {}", candidate.path.display()))
                    .next("heal the disk, then aweber-sync authorize, which finishes it");
            }
            error
                .safe("they stand there, but the disk does not confirm it")
                .next("heal the disk, then aweber-sync run")
        })
    }

    /// Moves the file to a name where nothing replaces it; says which.
    pub(crate) fn set_aside(&self, beside: &TokenStore) -> Result<PathBuf> {
        keep_as_rescued(&self.path, &beside.path)
            .map_err(|e| Error::disk("cannot move", &self.path, &e))
    }

    /// Finishes what a killed process left behind, from what is on disk alone: a whole `.next` of a higher
    /// generation is put in force; an answer that nobody understood is kept as `.rescued`; a mere reservation goes.
    pub(crate) fn recover(&self) -> Result<()> {
        self.recover_next()?;
        for (place, copy) in fallback::find(&self.path) {
            self.recover_copy(&place, &Zeroizing::new(copy))?;
        }
        Ok(())
    }

    /// Puts tokens in force that found room only elsewhere, if they are newer than those at hand.
    fn recover_copy(&self, place: &Path, copy: &[u8]) -> Result<()> {
        let shown = place.display();
        let present = self.peek()?.and_then(std::result::Result::ok);
        if let Ok(new) = TokenFile::parse(copy)
            && present.is_none_or(|old| new.generation > old.generation)
        {
            self.install(&new).map_err(|e| {
                e.safe(format!(
                    "the newest tokens are in {shown}: leave that file there"
                ))
            })?;
            tracing::warn!(event = "token_recovered", token_file = %self.path.display(), "the disk had failed when new tokens came: took them from {shown}");
        }
        // Older than what is in force, or no tokens: of no use to anybody.
        atomic::remove_if_there(place).map_err(|e| {
            Error::disk("cannot remove", place, &e)
                .safe("the tokens are stored where they belong")
                .next(format!("rm '{shown}', then run again"))
        })
    }

    fn recover_next(&self) -> Result<()> {
        let next = self.beside(".next");
        let Some(content) = read_if_there(&next)? else {
            return Ok(());
        };
        let present = match read_if_there(&self.path)? {
            Some(present) => TokenFile::parse(&present).ok(),
            None => None,
        };
        let outcome = match TokenFile::parse(&content) {
            Ok(new) if present.is_none_or(|old| new.generation > old.generation) => {
                tracing::warn!(event = "token_recovered", token_file = %self.path.display(), "a run was killed while it stored new tokens: finished that");
                // Whoever was killed may not have got to its fsync.
                atomic::open_to_write(&next)
                    .and_then(|file| file.sync_all())
                    .and_then(|()| atomic::rename(&next, &self.path))
            }
            Err(_) if content.len() >= RESERVED && !is_blank(&content) => {
                self.keep_as_rescued(&next).map(|kept| {
                    tracing::warn!(event = "token_answer_kept", file = %kept.display(), "kept a token answer that could not be understood");
                })
            }
            _ => atomic::remove_if_there(&next),
        };
        outcome.map_err(|e| {
            Error::disk("cannot finish storing the tokens in", &self.path, &e)
                .safe(format!("the tokens are in {}", next.display()))
                .next("make the directory writable for this user, then run again")
        })
    }

    /// Whether there is a token file.
    pub(crate) fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Reads the token file. Errors: 78 if there is none, others can read it, or it is no token file.
    pub(crate) fn load(&self) -> Result<TokenFile> {
        let shown = self.path.display();
        let Some(content) = read_if_there(&self.path)? else {
            return Err(Error::config(format!("there is no token file {shown}"))
                .safe("no request was sent")
                .next("aweber-sync authorize"));
        };
        let mode = std::fs::metadata(&self.path)
            .map_err(|e| Error::disk("cannot read", &self.path, &e))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Error::config(format!(
                "other users can get at the token file {shown} (mode {:04o})",
                mode & 0o7777
            ))
            .safe("no request was sent and no token was spent")
            .next(format!(
                "chmod 600 '{shown}', and authorize anew if somebody may have read it"
            )));
        }
        TokenFile::parse(&content).map_err(|why| {
            let error = Error::config(format!("{shown} cannot be used as a token file: {why}"))
                .safe("the file was left as it is and no request was sent");
            match why {
                Unreadable::Newer(_) => error.next("install the newer aweber-sync again"),
                _ => error.next(format!(
                    "move it away (mv '{shown}' '{shown}.broken'), then aweber-sync authorize"
                )),
            }
        })
    }

    /// Proves that the next tokens can be stored: rewrites the present content through the very path that the new
    /// one will take, then sets room aside for it. To be called before the refresh token is spent.
    pub(crate) fn prepare(&self) -> Result<Reservation> {
        self.try_prepare().map_err(|e| {
            // Holds the present content or blanks; the error above is the one to report.
            let _ = atomic::remove_if_there(&self.beside(".next"));
            let error = Error::disk("cannot store tokens in", &self.path, &e)
                .safe("found before the refresh token was spent: it is untouched and still works");
            let busy = rustix::io::Errno::from_io_error(&e) == Some(rustix::io::Errno::BUSY);
            error.next(if busy {
                "mount the directory of the token file, not the file itself: a mounted file cannot be replaced".to_owned()
            } else if e.kind() == io::ErrorKind::StorageFull || e.kind() == io::ErrorKind::QuotaExceeded {
                "make room on that file system, then run again".to_owned()
            } else {
                format!(
                    "make {} writable for the user that runs the job",
                    self.directory().display()
                )
            })
        })
    }

    fn try_prepare(&self) -> io::Result<Reservation> {
        let next = self.beside(".next");
        let mut room = RESERVED;
        if self.exists() {
            // The very bytes: a file that somebody wrote by hand stays as it is if the refresh fails.
            let present = Zeroizing::new(std::fs::read(&self.path)?);
            let file = self.create_next(&next)?;
            file.write_all_at(&present, 0)?;
            file.sync_all()?;
            atomic::rename(&next, &self.path)?;
            // Keys of others come along.
            room += present.len();
        }
        let file = self.create_next(&next)?;
        Reservation::make(file, next, &self.path, room)
    }

    fn create_next(&self, next: &Path) -> io::Result<File> {
        let file = atomic::create_private(next)?;
        // Only root may give files away, and only root needs to: for everybody else the owner is right already.
        let _ = atomic::keep_owner(&file, &self.path);
        Ok(file)
    }

    /// Stores `tokens` durably, with all of the above.
    pub(crate) fn install(&self, tokens: &TokenFile) -> Result<()> {
        self.prepare()?.store(tokens)
    }

    /// Removes the token file and everything beside it that could hold a token.
    pub(crate) fn remove(&self) -> Result<()> {
        for path in self
            .rescued()
            .chain([self.beside(".next"), self.path.clone()])
        {
            atomic::remove_if_there(&path)
                .and_then(|()| atomic::sync_parent(&path))
                .map_err(|e| Error::disk("cannot remove", &path, &e))?;
        }
        Ok(())
    }

    /// What was kept beside the tokens: answers that nobody understood, and copies of these very tokens. Other tokens
    /// that were set aside whole are not among them: they may be another account's, and live.
    fn rescued(&self) -> impl Iterator<Item = PathBuf> {
        let begin = self.beside(".rescued");
        let own = self.peek().ok().flatten().and_then(std::result::Result::ok);
        let entries = std::fs::read_dir(self.directory())
            .into_iter()
            .flatten()
            .flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(move |path| {
            let ours = path
                .to_string_lossy()
                .starts_with(&*begin.to_string_lossy());
            ours && std::fs::read(path).is_ok_and(|content| match TokenFile::parse(&content) {
                Ok(kept) => own.as_ref().is_some_and(|own| {
                    kept.refresh_token.expose_secret() == own.refresh_token.expose_secret()
                }),
                Err(_) => true,
            })
        })
    }

    fn keep_as_rescued(&self, from: &Path) -> io::Result<PathBuf> {
        keep_as_rescued(from, &self.path)
    }
}

fn is_blank(content: &[u8]) -> bool {
    content.iter().all(u8::is_ascii_whitespace)
}

/// The content of a file of ours; `None` if there is none.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(Error::config(format!(
            "cannot read the token file {}: {e}",
            path.display()
        ))
        .safe("no request was sent")
        .next("run as the user that authorized, or chown the file to the user that runs the job")),
        Err(e) => Err(Error::disk("cannot read", path, &e)),
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "builds by hand what a kill would leave"
)]
mod tests;
