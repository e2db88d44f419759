//! Finishing what a killed process left of the tokens, from what is on disk alone.

use super::aside;
use super::fallback;
use super::found::{Found, classify};
use super::home::{generation_in, read_if_there};
use super::journal::second_attempt;
use super::model::TokenFile;
use super::store::TokenStore;
use crate::disk::{atomic, ownership};
use crate::error::{Error, Result};
use secrecy::zeroize::Zeroizing;
use std::path::Path;

/// Activates the tokens that a killed process, or one whose disk failed, could not activate.
pub(crate) fn recover(store: &TokenStore) -> Result<()> {
    // The second attempt at a write that failed is the newer of the two.
    for journal in [second_attempt(&store.journal_path()), store.journal_path()] {
        recover_journal(store, &journal)?;
    }
    for (path, copy) in fallback::find(store.path()) {
        recover_copy(store, &path, &Zeroizing::new(copy))?;
    }
    Ok(())
}

fn recover_journal(store: &TokenStore, path: &Path) -> Result<()> {
    // Planted tokens must not replace ours.
    ownership::check_file(path)?;
    let Some(journal) = read_if_there(path)? else {
        return Ok(());
    };
    // Also older tokens of a store that has lost a write: the journal may have the newest.
    let present = store.home().read()?;
    let outcome = match classify(&journal, present.as_ref().map(|present| present.as_slice())) {
        // A command's, whose store may have newer ones by now.
        Found::Newer
            if store.is_file()
                && generation_in(store.path()).unwrap_or(0) < store.home().noted()? =>
        {
            // Without what the command has noted, the next run takes these.
            let noted = store.home().noted()?;
            return Err(store.home().left_behind(noted, "aweber-sync run"));
        }
        Found::Newer => {
            // It may have been killed before its fsync.
            let stored = atomic::open_to_write(path)
                .and_then(|file| file.sync_all())
                .and_then(|()| store.home().activate(path));
            if stored.is_ok() {
                tracing::warn!(event = "token_recovered", token_file = %store.path().display(), "an earlier run was interrupted while it stored new tokens: finished that");
            }
            stored
        }
        Found::Answer => aside::set_aside(path, store.path()).map(|kept| {
            tracing::warn!(event = "token_answer_kept", file = %kept.display(), "kept a token answer that could not be parsed");
        }),
        Found::Nothing => atomic::remove_if_there(path),
    };
    outcome.map_err(|e| store.home().not_activated(path, &e))
}

/// Activates tokens that could only be stored in the fallback, if they are newer than the stored ones.
fn recover_copy(store: &TokenStore, path: &Path, copy: &[u8]) -> Result<()> {
    let shown = path.display();
    let present = store.peek()?.and_then(std::result::Result::ok);
    let Ok(new) = TokenFile::parse(copy) else {
        // An answer that could not be parsed, which may contain the only live token.
        return Ok(());
    };
    if present.is_none_or(|old| new.generation > old.generation) {
        store.install(&new).map_err(|e| {
            e.safe(format!(
                "the newest tokens are in {shown}: leave that file there"
            ))
        })?;
        tracing::warn!(event = "token_recovered", token_file = %store.path().display(), "the disk had failed when new tokens arrived: took them from {shown}");
    }
    // Older than the active ones, or active by now.
    atomic::remove_if_there(path).map_err(|e| {
        Error::disk("cannot remove", path, &e)
            .safe("the tokens are stored where they belong")
            .next(format!("rm '{shown}', then run again"))
    })
}
