//! Finishing what a killed process left of the tokens, from what is on disk alone.

use super::fallback;
use super::home::read_if_there;
use super::journal::RESERVED;
use super::model::TokenFile;
use super::store::TokenStore;
use super::unparsed;
use crate::disk::atomic;
use crate::error::{Error, Result};
use secrecy::zeroize::Zeroizing;
use std::path::Path;

/// What a journal found on disk is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Newer tokens: they are put in force.
    Newer,
    /// Anything that may be an answer of AWeber's: it is kept.
    Answer,
    /// Reserved space, or the rehearsal of the present tokens: it is removed.
    Nothing,
}

/// Stores the tokens that a killed process, or one whose disk failed, could not put in force.
pub(super) fn recover(store: &TokenStore) -> Result<()> {
    recover_journal(store)?;
    for (path, copy) in fallback::find(store.path()) {
        recover_copy(store, &path, &Zeroizing::new(copy))?;
    }
    Ok(())
}

/// Pure: decides what the bytes of a journal are, beside the stored ones.
fn classify(journal: &[u8], present: Option<&[u8]>) -> Found {
    let stored = present.and_then(|present| TokenFile::parse(present).ok());
    match TokenFile::parse(journal) {
        Ok(new) if stored.is_none_or(|old| new.generation > old.generation) => Found::Newer,
        Err(_) if journal.len() >= RESERVED && !is_blank(journal) => Found::Answer,
        _ => Found::Nothing,
    }
}

fn is_blank(content: &[u8]) -> bool {
    content.iter().all(u8::is_ascii_whitespace)
}

fn recover_journal(store: &TokenStore) -> Result<()> {
    let path = store.journal_path();
    let Some(journal) = read_if_there(&path)? else {
        return Ok(());
    };
    let present = store.read()?;
    let outcome = match classify(&journal, present.as_ref().map(|present| present.as_slice())) {
        Found::Newer => {
            tracing::warn!(event = "token_recovered", token_file = %store.path().display(), "a run was killed while it stored new tokens: finished that");
            // It may have been killed before its fsync.
            atomic::open_to_write(&path)
                .and_then(|file| file.sync_all())
                .and_then(|()| store.home().put_in_force(&path))
        }
        Found::Answer => unparsed::set_aside(&path, store.path()).map(|kept| {
            tracing::warn!(event = "token_answer_kept", file = %kept.display(), "kept a token answer that could not be parsed");
        }),
        Found::Nothing => atomic::remove_if_there(&path),
    };
    outcome.map_err(|e| {
        Error::disk("cannot finish storing the tokens in", store.path(), &e)
            .safe(format!("the tokens are in {}", path.display()))
            .next("make the directory writable for this user, then run again")
    })
}

/// Puts tokens in force that could only be stored in the fallback, if they are newer than the stored ones.
fn recover_copy(store: &TokenStore, path: &Path, copy: &[u8]) -> Result<()> {
    let shown = path.display();
    let present = store.peek()?.and_then(std::result::Result::ok);
    if let Ok(new) = TokenFile::parse(copy)
        && present.is_none_or(|old| new.generation > old.generation)
    {
        store.install(&new).map_err(|e| {
            e.safe(format!(
                "the newest tokens are in {shown}: leave that file there"
            ))
        })?;
        tracing::warn!(event = "token_recovered", token_file = %store.path().display(), "the disk had failed when new tokens arrived: took them from {shown}");
    }
    // Older than what is in force, or not tokens.
    atomic::remove_if_there(path).map_err(|e| {
        Error::disk("cannot remove", path, &e)
            .safe("the tokens are stored where they belong")
            .next(format!("rm '{shown}', then run again"))
    })
}
