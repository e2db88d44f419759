//! Token answers that could not be parsed: each may contain the only live token, so it is set aside until newer tokens
//! are stored.

use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::token::journal::Journal;
use std::path::PathBuf;

/// The unparsed answers of one exchange.
#[derive(Debug, Default)]
pub(crate) struct UnparsedAnswers {
    kept: Vec<(PathBuf, Vec<u8>)>,
}

impl UnparsedAnswers {
    /// Whether the answer holds something that is not kept yet.
    pub(crate) fn is_new(&self, body: &[u8]) -> bool {
        !body.is_empty() && self.kept.iter().all(|(_, known)| known != body)
    }

    /// Keeps an answer.
    pub(crate) fn keep(&mut self, journal: Journal, body: Vec<u8>) -> Result<()> {
        self.kept.push((journal.keep_unparsed(&body)?, body));
        Ok(())
    }

    /// Adds to an error where the first of them is kept.
    pub(crate) fn mention_in(&self, error: Error) -> Error {
        match self.kept.first() {
            Some((path, _)) => error.or_safe(format!(
                "AWeber's answer, which may contain the new token, is kept in {}",
                path.display()
            )),
            None => error,
        }
    }

    /// Removes them: newer tokens are stored.
    pub(crate) fn remove_all(self) {
        for (path, _) in self.kept {
            // A leftover is harmless.
            let _ = atomic::remove_if_there(&path);
        }
    }
}
