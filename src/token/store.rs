//! Where tokens are loaded from and stored. Keeps promise N1: the next refresh token is durable before anything else is
//! done with it, and the old one is not spent before that has been shown to be possible.
//!
//! Beside the token file are, at times, `.next` (the journal: the coming content, or space for it), `.candidate`
//! (tokens that `authorize` got and has not activated), `.rescued` (see [`aside`]) and `.lock`; after a disk
//! failure, a copy in the [`fallback`]. Every caller holds that lock.

use super::found::{Found, classify};
use super::home::{ERASE, Home, REPAIR, generation_in, moving, read_if_there, run_again};
use super::journal::{Journal, RESERVED, second_attempt};
use super::model::{TokenFile, Unreadable};
use super::{aside, fallback};
use crate::config::Paths;
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is safe as long as the grant is not spent.
const UNSPENT: &str = "found before the refresh token was spent: it is untouched and still works";

/// A token file or command, and the files that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct TokenStore {
    home: Home,
}

impl TokenStore {
    /// The store as configured.
    pub(crate) fn new(paths: &Paths) -> Result<TokenStore> {
        Home::new(paths).map(|home| TokenStore { home })
    }

    /// With a command that may take this long.
    pub(crate) fn with_limit(self, limit: Duration) -> TokenStore {
        TokenStore {
            home: self.home.with_limit(limit),
        }
    }

    /// The file at `path`; a symlink is followed, so that it stays one.
    pub(crate) fn at(path: &Path) -> Result<TokenStore> {
        Ok(TokenStore {
            home: Home::file(path)?,
        })
    }

    /// The resolved path of the token file.
    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Where the tokens are, for messages.
    pub(crate) fn name(&self) -> std::path::Display<'_> {
        self.home.name().display()
    }

    /// How to make room where what is stored cannot be used, as a command to type.
    pub(crate) fn clearing(&self, suffix: &str) -> String {
        self.home.clearing(suffix)
    }

    /// Whether the tokens are in that file, not behind a command.
    pub(crate) fn is_file(&self) -> bool {
        self.home.is_file()
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
        self.home.beside(suffix)
    }

    pub(super) fn journal_path(&self) -> PathBuf {
        self.beside(".next")
    }

    /// The store of the tokens that `authorize` got and has not activated.
    pub(crate) fn candidate(&self) -> TokenStore {
        TokenStore {
            home: Home::File(self.beside(".candidate")),
        }
    }

    /// Whether `authorize` got tokens that are not active, or half stored ones.
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
        self.home.exists()
    }

    /// The generation that a token command has stored last; 0 if that is not known.
    pub(crate) fn noted(&self) -> Result<u64> {
        self.home.noted()
    }

    fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        // First: a run may be storing newer tokens at this moment.
        let noted = self.home.noted()?;
        let content = self.home.read()?;
        if let Some(content) = &content {
            self.home.check_newest(content, noted)?;
        }
        Ok(content)
    }

    /// The stored tokens, whatever the file's mode; to be looked at, not used. `None`: there are none.
    pub(crate) fn peek(&self) -> Result<Option<std::result::Result<TokenFile, Unreadable>>> {
        Ok(self.read()?.map(|content| TokenFile::parse(&content)))
    }

    /// Loads the stored tokens. Errors: 78 if there are none, others can read them, or they are not a token file.
    pub(crate) fn load(&self) -> Result<TokenFile> {
        let shown = self.name();
        let Some(content) = self.read()? else {
            let (what, next) = match self.is_file() {
                true => (format!("there is no token file {shown}"), None),
                false => (
                    format!("there are no tokens in {shown}"),
                    generation_in(self.path()).map(|_| self.path()),
                ),
            };
            return Err(match next {
                Some(file) => {
                    Error::config(format!("{what}, but there are some in {}", file.display()))
                        .next(format!("to move them: {}", moving(file)))
                }
                None => Error::config(what).next("aweber-sync authorize"),
            }
            .safe("no request was sent"));
        };
        self.home.check_private()?;
        TokenFile::parse(&content).map_err(|why| {
            let error = Error::config(format!("{shown} cannot be used as a token file: {why}"))
                .safe("it was left as it is and no request was sent");
            match why {
                Unreadable::Newer(_) => error.next("install the newer aweber-sync again"),
                _ => error.next(format!(
                    "{}, then aweber-sync authorize",
                    self.home.clearing(".broken")
                )),
            }
        })
    }

    /// Proves that the next tokens can be stored: rewrites the present ones by the very steps that will store the new
    /// ones, then reserves space for those. To be called before a grant is spent.
    pub(crate) fn prepare(&self) -> Result<Journal> {
        // The next journal would replace it.
        self.finish()?;
        let present = self.read().map_err(|error| error.or_safe(UNSPENT))?;
        self.try_prepare(present).map_err(|e| {
            let error = self.home.failed("cannot store tokens in", &e).safe(UNSPENT);
            if error.kind() != Kind::LocalIo {
                return error;
            }
            let busy = rustix::io::Errno::from_io_error(&e) == Some(rustix::io::Errno::BUSY);
            error.next(if !self.is_file() && e.raw_os_error().is_none() {
                run_again()
            } else if busy {
                "mount the directory of the token file, not the file itself: a mounted file cannot be replaced".to_owned()
            } else {
                format!(
                    "make {} writable for the user that runs the job",
                    self.directory().display()
                )
            })
        })
    }

    fn try_prepare(&self, present: Option<Zeroizing<Vec<u8>>>) -> io::Result<Journal> {
        let journal = self.journal_path();
        let mut room = RESERVED;
        if let Some(present) = present {
            // The very bytes: a file written by hand stays as it is if the refresh fails.
            let rehearsed = self.home.rehearse(&journal, &present);
            if rehearsed.is_err() && self.is_file() {
                // Contains the present tokens; the error above is the one to report.
                let _ = atomic::remove_if_there(&journal);
            }
            rehearsed?;
            // Keys of other programs are kept.
            room += present.len();
        }
        let file = atomic::create_private(&journal)?;
        Journal::reserve(file, journal, self.home.clone(), room)
    }

    /// Stores what a failing command has left in the journal, unless the store has got newer tokens since.
    pub(crate) fn finish(&self) -> Result<()> {
        let journal = self.journal_path();
        if self.is_file() {
            return Ok(());
        }
        match read_if_there(&journal)? {
            // Half a rehearsal, or an answer that could not be parsed, is left to the recovery.
            Some(content) if TokenFile::parse(&content).is_ok() => {
                let present = self.home.read().map_err(|error| {
                    error.safe(format!("the tokens are in {}", journal.display()))
                })?;
                match classify(&content, present.as_ref().map(|present| present.as_slice())) {
                    Found::Answer => self.set_journal_aside(&journal),
                    // Also the same tokens: `store` has not said that they are durable.
                    Found::Newer | Found::Nothing => self
                        .home
                        .activate(&journal)
                        .map_err(|e| self.home.not_activated(&journal, &e)),
                }
            }
            _ => Ok(()),
        }
    }

    fn set_journal_aside(&self, journal: &Path) -> Result<()> {
        let kept = aside::set_aside(journal, self.path())
            .map_err(|e| self.home.not_activated(journal, &e))?;
        tracing::warn!(event = "token_answer_kept", file = %kept.display(), "kept older tokens, which a failing token command had left");
        Ok(())
    }

    /// Stores `tokens` durably, by all of these steps.
    pub(crate) fn install(&self, tokens: &TokenFile) -> Result<()> {
        self.prepare()?.store(tokens)
    }

    /// Activates the tokens of `candidate` as `tokens`: they are complete there first, then one rename replaces the
    /// token file. At no instant are they in neither file, and never in both.
    pub(crate) fn adopt(&self, candidate: &TokenStore, tokens: &TokenFile) -> Result<()> {
        drop(self.prepare().map_err(|error| {
            let error = error.safe(format!(
                "the new tokens are kept in {}",
                candidate.path().display()
            ));
            match self.is_file() || error.kind() != Kind::LocalIo {
                true => error,
                false => error.next(format!(
                    "{REPAIR}, then aweber-sync authorize, which finishes it"
                )),
            }
        })?);
        candidate.install(tokens)?;
        let claimed = self.home.claim(candidate.path());
        let stored = claimed.and_then(|journal| self.home.activate(&journal));
        stored.map_err(|e| {
            if !self.is_file() && self.journal_path().exists() {
                return self.home.not_activated(&self.journal_path(), &e);
            }
            let error = Error::disk("cannot store the new tokens as", self.path(), &e);
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
            .map_err(|e| self.home.failed("cannot remove the tokens from", &e))
            .map_err(|error| match self.is_file() {
                true => error,
                false => error.next(ERASE),
            })
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
