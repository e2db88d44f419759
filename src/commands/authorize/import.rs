//! Taking the tokens over from another program's credentials file.

use super::Authorizer;
use crate::commands::print;
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::token::import::{ImportedCredentials, parse_credentials};
use crate::token::imported;
use crate::token::model::TokenFile;
use crate::token::recovery;
use crate::token::store::TokenStore;
use crate::typed::as_typed;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The largest credentials file of another program that we read.
const LARGEST: u64 = 1024 * 1024;

impl Authorizer {
    /// Imports `file`.
    pub(super) async fn import(&self, file: &Path) -> Result<()> {
        let found = read(file)?;
        let Some(client_id) = found
            .client_id
            .clone()
            .or_else(|| self.client_id(found.kind.is_oauth1()))
        else {
            let why = "it does not name the client that its tokens belong to";
            return Err(unusable(file, why).next(format!(
                "aweber-sync authorize --import '{}' --client-id ID",
                file.display()
            )));
        };
        let mut stop = Stop::listen(None)?;
        let locks = self.take_locks(&mut stop).await?;
        // The file's own secret first: another client's would make AWeber refuse its tokens.
        let secret = found.client_secret.clone();
        let secret = secret.or_else(|| self.secret_of(&client_id));
        if has_imported(&locks.store.candidate(), &found)? {
            // The file's refresh token may be spent: what was interrupted goes on, whatever the outcome.
            return self.adopt(&locks, secret, stop).await;
        }
        if !self.config.force && has_imported(&locks.store, &found)? {
            return print(&format!(
                "Imported before: {} holds these tokens or newer ones\nNext: {}\n",
                locks.store.name(),
                as_typed("aweber-sync run")
            ));
        }
        if !self.make_room(&locks, &stop, "the file").await? {
            return Ok(());
        }
        warn_if_readable(file);
        locks
            .store
            .candidate()
            .install(&self.tokens_of(&found, client_id))?;
        let shared = match found.kind.is_refreshed() {
            false => "both programs can go on with these tokens",
            true => "the first refresh here invalidates that program's token: stop using it there",
        };
        tracing::warn!(event = "imported", "read {}; {shared}", found.format);
        self.adopt(&locks, secret, stop).await
    }

    fn tokens_of(&self, found: &ImportedCredentials, client_id: String) -> TokenFile {
        let own_secret = found.client_secret.clone();
        TokenFile {
            generation: self.generation() + 1,
            client_secret: own_secret.or_else(|| self.secret_to_keep(&client_id)),
            client_id,
            account_id: found.account_id.clone(),
            access_token: found.access_token.clone(),
            kind: found.kind.clone(),
            token_type: found.token_type.clone(),
            expires_at: found.expires_at.unwrap_or(0),
            other: imported::mark(found.kind.lasting_secret()),
        }
    }
}

/// Whether the stored tokens stem from that file.
fn has_imported(store: &TokenStore, found: &ImportedCredentials) -> Result<bool> {
    recovery::recover(store)?;
    let stored = store.peek()?.and_then(std::result::Result::ok);
    Ok(stored.is_some_and(|stored| imported::stem_from(&stored, found.kind.lasting_secret())))
}

fn read(file: &Path) -> Result<ImportedCredentials> {
    let length = std::fs::metadata(file)
        .map_err(|e| unusable(file, e).next("check the path"))?
        .len();
    if length > LARGEST {
        return Err(unusable(file, format!("it has {length} bytes"))
            .next("give the other program's credentials file"));
    }
    let content = std::fs::read(file)
        .map_err(|e| unusable(file, e).next("make it readable for this user"))?;
    parse_credentials(&content).map_err(|e| {
        unusable(file, e).next("give a credentials file of AWeber's samples or the aweber CLI")
    })
}

/// Warns only: the mode is up to the program that wrote the file, but anyone who has read it has the tokens.
fn warn_if_readable(file: &Path) {
    let mode = std::fs::metadata(file).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(
            event = "readable_by_others",
            "other users can read or change {} (mode {:04o}); if one may have, disconnect the app in the AWeber account \
             and run {} instead",
            file.display(),
            mode & 0o7777,
            as_typed("aweber-sync authorize")
        );
    }
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::config(format!("cannot import {}: {why}", file.display()))
        .safe("nothing was changed, here or there")
}
