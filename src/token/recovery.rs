//! Finishing what a killed process left of the tokens, from what is on disk alone.

use super::aside;
use super::fallback;
use super::home::{generation_in, read_if_there};
use super::journal::second_attempt;
use super::model::TokenFile;
use super::store::TokenStore;
use crate::disk::{atomic, ownership};
use crate::error::{Error, Result};
use secrecy::zeroize::Zeroizing;
use std::path::Path;

/// What a journal found on disk is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Newer tokens: they are put in force.
    Newer,
    /// Anything else that may be an answer of AWeber's, and the only live token: it is kept.
    Answer,
    /// Reserved space, or the rehearsal of the present tokens: it is removed.
    Nothing,
}

/// Puts the tokens in force that a killed process, or one whose disk failed, could not put in force.
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

/// Pure: decides what the bytes of a journal are, beside the stored ones.
pub(crate) fn classify(journal: &[u8], present: Option<&[u8]>) -> Found {
    // After a power cut reserved space may come back as zeros.
    let is_reserved = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let end = journal.iter().rposition(|byte| !is_reserved(byte));
    let Some(end) = end else {
        return Found::Nothing;
    };
    let content = &journal[..=end];
    let stored = present.and_then(|present| TokenFile::parse(present).ok());
    match TokenFile::parse(content) {
        Ok(new)
            if stored
                .as_ref()
                .is_none_or(|old| new.generation > old.generation) =>
        {
            Found::Newer
        }
        // Behind a command they may be formatted in another way.
        Ok(new) if stored.is_some_and(|old| old.is_same(&new)) => Found::Nothing,
        _ if present.is_some_and(|present| is_rehearsal(content, present)) => Found::Nothing,
        _ => Found::Answer,
    }
}

/// Whether all that is there is also in the present tokens, at the same place; the rest may have come back as zeros.
fn is_rehearsal(content: &[u8], present: &[u8]) -> bool {
    let is_known = |(found, known): (&u8, &u8)| *found == *known || *found == 0;
    content.len() <= present.len() && content.iter().zip(present).all(is_known)
}

pub(super) fn recover_journal(store: &TokenStore, path: &Path) -> Result<()> {
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
            return Err(store.home().left_behind(store.home().noted()?));
        }
        Found::Newer => {
            // It may have been killed before its fsync.
            let stored = atomic::open_to_write(path)
                .and_then(|file| file.sync_all())
                .and_then(|()| store.home().put_in_force(path));
            if stored.is_ok() {
                tracing::warn!(event = "token_recovered", token_file = %store.path().display(), "a run was killed while it stored new tokens: finished that");
            }
            stored
        }
        Found::Answer => aside::set_aside(path, store.path()).map(|kept| {
            tracing::warn!(event = "token_answer_kept", file = %kept.display(), "kept a token answer that could not be parsed");
        }),
        Found::Nothing => atomic::remove_if_there(path),
    };
    outcome.map_err(|e| store.home().not_in_force(path, &e))
}

/// Puts tokens in force that could only be stored in the fallback, if they are newer than the stored ones.
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
    // Older than what is in force, or in force by now.
    atomic::remove_if_there(path).map_err(|e| {
        Error::disk("cannot remove", path, &e)
            .safe("the tokens are stored where they belong")
            .next(format!("rm '{shown}', then run again"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(generation: u64, refresh_token: &str) -> Vec<u8> {
        format!(
            r#"{{"version":1,"generation":{generation},"client_id":"c","refresh_token":"{refresh_token}"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn only_reserved_space_and_our_own_rehearsal_are_removed() {
        let present = tokens(4, "RT-4");
        let padded = |bytes: &[u8]| [bytes, b"    "].concat();
        for (what, journal, found) in [
            ("empty", vec![], Found::Nothing),
            ("blanks", padded(b""), Found::Nothing),
            ("zeros", vec![0; 70], Found::Nothing),
            ("a rehearsal", present.clone(), Found::Nothing),
            ("half a rehearsal", present[..30].to_vec(), Found::Nothing),
            (
                "a rehearsal whose beginning was not written",
                [&[0; 30], &present[30..]].concat(),
                Found::Nothing,
            ),
            (
                "newer tokens whose beginning was not written",
                [&[0; 30], &tokens(5, "RT-5")[30..]].concat(),
                Found::Answer,
            ),
            ("newer tokens", padded(&tokens(5, "RT-5")), Found::Newer),
            (
                "an answer in reserved space",
                padded(b"<html>"),
                Found::Answer,
            ),
            (
                "an answer cut to length",
                b"<html>RT-5".to_vec(),
                Found::Answer,
            ),
            (
                "an answer without a client",
                br#"{"refresh_token":"RT-5"}"#.to_vec(),
                Found::Answer,
            ),
            (
                "half of newer tokens",
                tokens(5, "RT-5")[..40].to_vec(),
                Found::Answer,
            ),
            (
                "other tokens of the same generation",
                tokens(4, "RT-5"),
                Found::Answer,
            ),
        ] {
            assert_eq!(classify(&journal, Some(&present)), found, "{what}");
        }
        assert_eq!(classify(&present, None), Found::Newer);
        assert_eq!(classify(b"{", None), Found::Answer);
    }
}
