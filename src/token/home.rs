//! Where the tokens live when nothing is under way: a file, or the store behind a command.

use super::command::TokenCommand;
use super::model::TokenFile;
use crate::config::Paths;
use crate::disk::{atomic, beside, ownership};
use crate::error::{Error, Kind, Result};
use crate::stop::signalled;
use secrecy::zeroize::Zeroizing;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to do about a command that fails.
pub(super) const REPAIR: &str = "repair the token command (sh -c \"$AWEBER_SYNC_TOKEN_COMMAND get\" >/dev/null, as the user that runs the job)";

/// What to do about a command that fails in a run.
pub(super) fn run_again() -> String {
    format!("{REPAIR}, then aweber-sync run")
}

/// How to remove what a command has stored.
pub(super) const ERASE: &str = "sh -c \"$AWEBER_SYNC_TOKEN_COMMAND erase\"";

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// A file, symlinks resolved. The journal beside it replaces it by one rename.
    File(PathBuf),
    /// A command, and the path of the file that it replaces: what is kept while something is under way is beside that.
    Command(TokenCommand, PathBuf),
}

impl Home {
    /// As configured.
    pub(super) fn new(paths: &Paths) -> Result<Home> {
        let file = Home::file(&paths.token_file)?;
        Ok(match &paths.token_command {
            Some(line) => Home::Command(TokenCommand::new(line), file.path().to_owned()),
            None => file,
        })
    }

    /// The file behind `path`; a symlink is followed, so that it stays one.
    pub(super) fn file(path: &Path) -> Result<Home> {
        let mut path = path.to_owned();
        // As many hops as Linux itself follows.
        for _ in 0..40 {
            match std::fs::read_link(&path) {
                Ok(target) => {
                    path = path.parent().unwrap_or(Path::new("/")).join(target);
                }
                Err(_) => return Ok(Home::File(path)),
            }
        }
        Err(
            Error::config(format!("{}: too many symbolic links", path.display()))
                .safe("no request was sent")
                .next("give the file behind the links as --token-file"),
        )
    }

    /// The same, with a command that may take this long.
    pub(super) fn with_limit(self, limit: Duration) -> Home {
        match self {
            Home::File(_) => self,
            Home::Command(command, path) => Home::Command(command.with_limit(limit), path),
        }
    }

    /// Whether the tokens are in a file, which one rename replaces.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Home::File(_))
    }

    /// Whether there are stored tokens.
    pub(super) fn exists(&self) -> bool {
        match self {
            Home::File(path) => path.symlink_metadata().is_ok(),
            Home::Command(..) => !matches!(self.read(), Ok(None)),
        }
    }

    /// The path beside which the journal, the locks and what is kept are.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Home::File(path) | Home::Command(_, path) => path,
        }
    }

    /// `token.json` + suffix, in the same directory.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        beside(self.path(), suffix)
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &Path {
        match self {
            Home::File(path) => path,
            Home::Command(..) => Path::new("the store of the token command"),
        }
    }

    /// How to make room where what is stored cannot be used. It may yet contain the only live token.
    pub(super) fn clearing(&self, suffix: &str) -> String {
        let kept = self.beside(suffix);
        let kept = kept.display();
        match self {
            Home::File(path) => format!("move it away (mv '{}' '{kept}')", path.display()),
            Home::Command(..) => format!(
                "repair what `get` prints; if the tokens in it are lost, move it away \
                 ((umask 077 && sh -c \"$AWEBER_SYNC_TOKEN_COMMAND get\" >'{kept}') && {ERASE})"
            ),
        }
    }

    /// The stored bytes, whatever their mode; `None` if there are none.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self {
            Home::File(path) => read_if_there(path),
            Home::Command(command, _) => command.get().map_err(|e| {
                self.failed("cannot get the tokens from", &e)
                    .or_safe("no request was sent and no token was spent")
                    .or_next(run_again())
            }),
        }
    }

    /// The generation that a token command has stored last; 0 if that is not known.
    pub(super) fn noted(&self) -> Result<u64> {
        let text = read_if_there(&self.beside(".stored"))?;
        let noted = text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
        Ok(noted.unwrap_or(0))
    }

    /// Errors: 74 if there are newer tokens than these: in the store of the command, which has noted `noted`, or in the
    /// token file, since the option was changed. The older ones are spent: sending them again could cost the newer ones.
    pub(super) fn check_newest(&self, content: &[u8], noted: u64) -> Result<()> {
        let Ok(TokenFile { generation, .. }) = TokenFile::parse(content) else {
            return Ok(());
        };
        match self {
            Home::File(_) if generation < noted => {
                Err(self.left_behind(noted, "aweber-sync authorize"))
            }
            Home::Command(..) if generation < noted => Err(self.lost_a_write(generation, noted)),
            Home::Command(_, path) => match generation_in(path) {
                Some(newer) if newer > generation => Err(newer_in_file(path, generation, newer)),
                _ => Ok(()),
            },
            Home::File(_) => Ok(()),
        }
    }

    /// The error without the command behind which the newest tokens are. `without`: what to type if they are lost.
    pub(super) fn left_behind(&self, noted: u64, without: &str) -> Error {
        Error::new(
            Kind::LocalIo,
            format!(
                "newer tokens than those in {} were stored by a token command (generation {noted})",
                self.name().display()
            ),
        )
        .safe("no request was sent, and the older token was not sent to AWeber")
        .next(format!(
            "give --token-command (AWEBER_SYNC_TOKEN_COMMAND) again; if that store is lost: rm '{}', then {without}",
            self.beside(".stored").display()
        ))
    }

    fn lost_a_write(&self, generation: u64, noted: u64) -> Error {
        Error::new(
            Kind::LocalIo,
            format!(
                "{} has lost a write: it returns tokens of generation {generation}, after it had stored {noted}",
                self.name().display(),
            ),
        )
        .safe("no request was sent, and the older token was not sent to AWeber")
        .next(format!(
            "restore the newest data of that store; if it is lost: rm '{}', then aweber-sync authorize",
            self.beside(".stored").display()
        ))
    }

    /// Errors: 78 if other users can get at the tokens.
    pub(super) fn check_private(&self) -> Result<()> {
        let Home::File(path) = self else {
            return Ok(());
        };
        let shown = path.display();
        let mode = std::fs::metadata(path)
            .map_err(|e| Error::disk("cannot read", path, &e))?
            .permissions()
            .mode();
        if mode & 0o077 == 0 {
            return ownership::check_file(path);
        }
        Err(Error::config(format!(
            "other users can read or change the token file {shown} (mode {:04o})",
            mode & 0o7777
        ))
        .safe("no request was sent and no token was spent")
        .next(format!(
            "chmod 600 '{shown}'; if another user may have read it, also authorize again"
        )))
    }

    /// Rewrites the stored bytes by the very steps that will store the next ones; `journal` does not exist. A command
    /// that fails halfway may have destroyed them: they are in the journal then.
    pub(super) fn rehearse(&self, journal: &Path, present: &[u8]) -> io::Result<()> {
        let file = atomic::create_private(journal)?;
        file.write_all_at(present, 0)?;
        file.sync_all()?;
        match self {
            // What cannot be used is not handed back to a command.
            Home::Command(..) if TokenFile::parse(present).is_err() => Ok(()),
            Home::Command(..) => self.activate(journal),
            // The sync of the directory is that of `Journal::reserve`, which comes next.
            Home::File(path) => atomic::rename_unsynced(journal, path),
        }
    }

    /// Replaces the stored tokens by the synced journal, durably, and removes that.
    pub(super) fn activate(&self, journal: &Path) -> io::Result<()> {
        let (command, path) = match self {
            Home::File(path) => return atomic::rename(journal, path),
            Home::Command(command, _) => (command, self.beside(".stored")),
        };
        let tokens = cut_blanks(journal)?;
        command.store(journal, &tokens)?;
        // Killed in between, it is missing or empty: then any generation is accepted.
        let noted = atomic::create_private(&path)?;
        noted.write_all_at(format!("{}\n", tokens.generation).as_bytes(), 0)?;
        noted.sync_all()?;
        atomic::remove_if_there(journal)?;
        atomic::sync_parent(journal)
    }

    /// Makes the candidate, which is complete, what [`Home::activate`] is to be given: the tokens are never in two
    /// places that could both be refreshed.
    pub(super) fn claim(&self, candidate: &Path) -> io::Result<PathBuf> {
        match self {
            Home::File(_) => Ok(candidate.to_owned()),
            Home::Command(..) => {
                let journal = self.beside(".next");
                atomic::rename(candidate, &journal).map(|()| journal)
            }
        }
    }

    /// Removes the stored tokens.
    pub(super) fn remove(&self) -> io::Result<()> {
        let file = match self {
            Home::File(path) => path.clone(),
            Home::Command(command, _) => {
                command.erase()?;
                self.beside(".stored")
            }
        };
        atomic::remove_if_there(&file)?;
        atomic::sync_parent(&file)
    }

    /// 74, or the stop that was requested while a command was at work.
    pub(super) fn failed(&self, doing: &str, cause: &io::Error) -> Error {
        match signalled() {
            Some(stopped) if cause.kind() == io::ErrorKind::Interrupted => stopped,
            // The command's own words, or a failure of a file beside the path.
            _ if cause.raw_os_error().is_none() => Error::disk(doing, self.name(), cause),
            _ => Error::disk(doing, self.path(), cause),
        }
    }

    /// The error after a failed [`Home::activate`].
    pub(super) fn not_activated(&self, journal: &Path, cause: &io::Error) -> Error {
        let error = self
            .failed("cannot finish storing the tokens in", cause)
            .safe(format!("the tokens are in {}", journal.display()));
        match self {
            _ if error.kind() != Kind::LocalIo => error,
            Home::File(_) => {
                error.next("make the directory writable for this user, then run again")
            }
            Home::Command(..) => error.next(run_again()),
        }
    }
}

/// Cuts off the blanks of reserved space; returns the tokens before them.
fn cut_blanks(journal: &Path) -> io::Result<TokenFile> {
    let content = Zeroizing::new(std::fs::read(journal)?);
    let tokens = TokenFile::parse(&content).map_err(|e| io::Error::other(e.to_string()))?;
    let end = content.trim_ascii_end().len();
    let line_feed = usize::from(content.get(end) == Some(&b'\n'));
    atomic::open_to_write(journal)?.set_len((end + line_feed) as u64)?;
    Ok(tokens)
}

/// The generation of the tokens in a file, if it has any.
pub(super) fn generation_in(path: &Path) -> Option<u64> {
    let content = Zeroizing::new(std::fs::read(path).ok()?);
    TokenFile::parse(&content)
        .ok()
        .map(|found| found.generation)
}

/// The error for a store that does not have what a run without the command has stored.
fn newer_in_file(path: &Path, generation: u64, newer: u64) -> Error {
    let shown = path.display();
    Error::new(
        Kind::LocalIo,
        format!(
            "newer tokens than those of the token command are in {shown} (generation {newer}, not {generation})"
        ),
    )
    .safe("no request was sent, and the older token was not sent to AWeber")
    .next(moving(path))
}

/// How to move the tokens of a file into the store of the command.
pub(super) fn moving(path: &Path) -> String {
    let shown = path.display();
    format!("sh -c \"$AWEBER_SYNC_TOKEN_COMMAND store\" <'{shown}' && rm '{shown}'")
}

/// The content of a file of ours; `None` if there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(Error::config(format!(
            "cannot read the token file {}: {e}",
            path.display()
        ))
        .safe("no request was sent")
        .next("run as the user that authorized, or chown the file to the user that runs the job")),
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Err(is_a_directory(path)),
        Err(e) => Err(Error::disk("cannot read", path, &e)),
    }
}

/// What Docker makes of a bind mount whose source does not exist.
fn is_a_directory(path: &Path) -> Error {
    let shown = path.display();
    Error::new(Kind::LocalIo, format!("{shown} is a directory, not a file"))
        .next(format!(
            "rmdir '{shown}', then run the same command again; in a container, mount the directory of the token \
             file, not the file alone"
        ))
}
