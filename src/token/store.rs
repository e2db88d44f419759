//! Where tokens are loaded from and stored. Keeps promise N1: the next refresh token is durable before anything else is
//! done with it, and the old one is not spent before that has been shown to be possible.
//!
//! Beside the token file are, at times, `.next` (the journal: the coming content, or space for it), `.candidate`
//! (tokens that `authorize` got and has not put in force), `.rescued` (see [`aside`]) and `.lock`; after a disk
//! failure, a copy in the [`fallback`]. Every caller holds that lock.

use super::home::{Home, read_if_there};
use super::journal::{Journal, RESERVED, second_attempt};
use super::model::{TokenFile, Unreadable};
use super::{aside, fallback};
use crate::disk::atomic;
use crate::error::{Error, Result};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::io;
use std::path::{Path, PathBuf};

/// A token file and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct TokenStore {
    home: Home,
}

impl TokenStore {
    /// The store behind `path`; a symlink is followed, so that it stays one.
    pub(crate) fn at(path: &Path) -> Result<TokenStore> {
        Ok(TokenStore {
            home: Home::file(path)?,
        })
    }

    /// The resolved path.
    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// The directory that it is in.
    pub(crate) fn directory(&self) -> &Path {
        self.path().parent().unwrap_or(Path::new("/"))
    }

    /// `token.json` + suffix, in the same directory.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path().as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    pub(super) fn journal_path(&self) -> PathBuf {
        self.beside(".next")
    }

    /// The store of the tokens that `authorize` got and has not put in force.
    pub(crate) fn candidate(&self) -> TokenStore {
        TokenStore {
            home: Home::File(self.beside(".candidate")),
        }
    }

    /// Whether `authorize` got tokens that are not in force, or half stored ones.
    pub(crate) fn has_candidate(&self) -> bool {
        let candidate = self.candidate();
        candidate.exists()
            || candidate.journal_path().exists()
            || !fallback::find(candidate.path()).is_empty()
    }

    /// Whether a killed process left tokens half stored, which the next one finishes.
    pub(crate) fn is_unfinished(&self) -> bool {
        let journals = [self.journal_path(), second_attempt(&self.journal_path())];
        journals.iter().any(|journal| journal.exists()) || !fallback::find(self.path()).is_empty()
    }

    /// Whether there are stored tokens.
    pub(crate) fn exists(&self) -> bool {
        self.path().symlink_metadata().is_ok()
    }

    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.home.read()
    }

    /// The stored tokens, whatever the file's mode; to be looked at, not used. `None`: there are none.
    pub(crate) fn peek(&self) -> Result<Option<std::result::Result<TokenFile, Unreadable>>> {
        Ok(self.read()?.map(|content| TokenFile::parse(&content)))
    }

    /// Loads the stored tokens. Errors: 78 if there are none, others can read them, or they are not a token file.
    pub(crate) fn load(&self) -> Result<TokenFile> {
        let shown = self.path().display();
        let Some(content) = self.read()? else {
            return Err(Error::config(format!("there is no token file {shown}"))
                .safe("no request was sent")
                .next("aweber-sync authorize"));
        };
        self.home.check_private()?;
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

    /// Proves that the next tokens can be stored: rewrites the present ones by the very steps that will store the new
    /// ones, then reserves space for those. To be called before a grant is spent.
    pub(crate) fn prepare(&self) -> Result<Journal> {
        self.try_prepare().map_err(|e| {
            // Contains the present tokens or blanks; the error above is the one to report.
            let _ = atomic::remove_if_there(&self.journal_path());
            let error = Error::disk("cannot store tokens in", self.path(), &e)
                .safe("found before the refresh token was spent: it is untouched and still works");
            let busy = rustix::io::Errno::from_io_error(&e) == Some(rustix::io::Errno::BUSY);
            error.next(if busy {
                "mount the directory of the token file, not the file itself: a mounted file cannot be replaced".to_owned()
            } else if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                "free some space on that file system, then run again".to_owned()
            } else {
                format!(
                    "make {} writable for the user that runs the job",
                    self.directory().display()
                )
            })
        })
    }

    fn try_prepare(&self) -> io::Result<Journal> {
        let journal = self.journal_path();
        let mut room = RESERVED;
        if self.exists() {
            // The very bytes: a file written by hand stays as it is if the refresh fails.
            let present = Zeroizing::new(std::fs::read(self.path())?);
            self.home.rehearse(&journal, &present)?;
            // Keys of other programs are kept.
            room += present.len();
        }
        let file = atomic::create_private(&journal)?;
        Journal::reserve(file, journal, self.home.clone(), room)
    }

    /// Stores `tokens` durably, by all of these steps.
    pub(crate) fn install(&self, tokens: &TokenFile) -> Result<()> {
        self.prepare()?.store(tokens)
    }

    /// Puts the tokens of `candidate` in force as `tokens`: they are complete there first, then one rename replaces the
    /// token file. At no instant are they in neither file, and never in both.
    pub(crate) fn adopt(&self, candidate: &TokenStore, tokens: &TokenFile) -> Result<()> {
        drop(self.prepare()?);
        candidate.install(tokens)?;
        self.home.put_in_force(candidate.path()).map_err(|e| {
            let error = Error::disk("cannot put the new tokens in force as", self.path(), &e);
            if candidate.exists() {
                return error
                    .safe(format!("they are kept in {}", candidate.path().display()))
                    .next("repair the disk, then aweber-sync authorize, which finishes it");
            }
            error
                .safe("they are in that file, but the disk does not confirm it")
                .next("repair the disk, then aweber-sync run")
        })
    }

    /// Moves these tokens to a name beside `other` where nothing replaces them; returns it.
    pub(crate) fn set_aside(&self, other: &TokenStore) -> Result<PathBuf> {
        aside::set_aside(self.path(), other.path())
            .map_err(|e| Error::disk("cannot move", self.path(), &e))
    }

    /// Removes the tokens and everything beside them that could contain one.
    pub(crate) fn remove(&self) -> Result<()> {
        for path in self.kept_answers().chain([self.journal_path()]) {
            atomic::remove_if_there(&path)
                .and_then(|()| atomic::sync_parent(&path))
                .map_err(|e| Error::disk("cannot remove", &path, &e))?;
        }
        for (copy, _) in fallback::find(self.path()) {
            atomic::remove_if_there(&copy).map_err(|e| Error::disk("cannot remove", &copy, &e))?;
        }
        self.home
            .remove()
            .map_err(|e| Error::disk("cannot remove", self.path(), &e))
    }

    /// The `.rescued` files that are unparsed answers or copies of these very tokens. Other tokens that were set aside
    /// may be another account's, and live.
    fn kept_answers(&self) -> impl Iterator<Item = PathBuf> {
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
            let content = read_if_there(path).ok().flatten();
            ours && content.is_some_and(|content| match TokenFile::parse(&content) {
                Ok(kept) => own.as_ref().is_some_and(|own| {
                    kept.lasting_secret().expose_secret() == own.lasting_secret().expose_secret()
                }),
                Err(_) => true,
            })
        })
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "builds by hand what a kill would leave"
)]
mod tests;
