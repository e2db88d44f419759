//! Activating new tokens: only once their account is known, and they may replace the present ones.

use super::Authorizer;
use crate::account::{Account, fetch_account};
use crate::api::session::Session;
use crate::commands::print;
use crate::connect::session;
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::locks::Locks;
use crate::printable::printable;
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::imported;
use crate::token::model::TokenFile;
use crate::token::recovery;
use crate::token::store::TokenStore;
use crate::typed::as_typed;

impl Authorizer {
    /// Fetches the account of the candidate tokens and, if they may replace the present ones, activates them.
    pub(super) async fn adopt(
        &self,
        locks: &Locks,
        secret: Option<SecretString>,
        stop: Stop,
    ) -> Result<()> {
        let store = &locks.store;
        let candidate = store.candidate();
        recovery::recover(&candidate)?;
        let tokens = candidate.load()?;
        let mut session = session(&self.config.base, &candidate, tokens, secret, stop)?;
        let account = self.look_up(&mut session).await.map_err(|error| {
            let kept = format!("the new tokens are kept in {}", candidate.path().display());
            match error.kind() {
                // Their own advice is right; ours is for what passes.
                Kind::NeedsHuman | Kind::Config => error.or_safe(kept),
                _ => error
                    .safe(kept)
                    .next("aweber-sync authorize, which finishes it"),
            }
        })?;
        let present = self.check_present(store)?;
        let is_other = present
            .as_ref()
            .and_then(|present| present.account_id.as_ref())
            .filter(|id| **id != account.id);
        if let Some(other) = is_other
            && !self.config.force
        {
            return Err(other_account(store, &candidate, &account, other)?);
        }
        let kept = present.as_ref().filter(|_| is_other.is_none());
        let new = session.tokens().clone();
        let generation = present.as_ref().map_or(0, |present| present.generation);
        // Newer than what another setting of the token command has left, too.
        let generation = generation.max(store.noted()?);
        let tokens = TokenFile {
            generation: new.generation.max(generation) + 1,
            account_id: Some(account.id.clone()),
            other: imported::merged(&new.other, kept.map(|kept| &kept.other)),
            ..new
        };
        store.adopt(&candidate, &tokens)?;
        self.remove_pending();
        print(&format!(
            "Connected: {}\nThe tokens are in {}\nNext: {}\n",
            named(&account),
            store.name(),
            as_typed("aweber-sync run")
        ))
    }

    /// The code of the pending authorization is spent; a leftover is replaced by the next one.
    fn remove_pending(&self) {
        let pending = self.pending_file();
        if let Err(e) = atomic::remove_if_there(&pending) {
            tracing::warn!(
                event = "leftover",
                "cannot remove {}: {e}",
                pending.display()
            );
        }
    }

    async fn look_up(&self, session: &mut Session) -> Result<Account> {
        if session.tokens().access_token.is_none() {
            session.refresh().await?;
        }
        fetch_account(session).await
    }

    /// The tokens that would be replaced. What cannot be read might be another account's: only `--force` replaces it.
    fn check_present(&self, store: &TokenStore) -> Result<Option<TokenFile>> {
        match store.peek()? {
            None => Ok(None),
            Some(Ok(present)) => Ok(Some(present)),
            Some(Err(_)) if self.config.force => Ok(None),
            Some(Err(why)) => {
                let shown = store.name();
                Err(Error::config(format!(
                    "{shown} is there already and cannot be read as a token file: {why}"
                ))
                .safe(format!(
                    "it was left as it is; the new tokens are kept in {}",
                    store.candidate().path().display()
                ))
                .next(format!(
                    "{}, then aweber-sync authorize, which finishes it",
                    store.clearing(".old")
                )))
            }
        }
    }
}

/// 78, with the new tokens set aside.
fn other_account(
    store: &TokenStore,
    candidate: &TokenStore,
    account: &Account,
    other: &str,
) -> Result<Error> {
    let aside = candidate.set_aside(store)?;
    let aside = aside.display();
    Ok(Error::config(format!(
        "these tokens are for the account {}, but {} contains those of the account {other}",
        named(account),
        store.name()
    ))
    .safe(format!(
        "that was left as it is; the new tokens are kept in {aside}"
    ))
    .next(format!(
        "for a second account: aweber-sync authorize --state-dir DIR --import '{aside}'; to replace the first: \
         aweber-sync authorize --force --import '{aside}'"
    )))
}

fn named(account: &Account) -> String {
    match &account.company {
        Some(company) => format!("{} ({})", printable(company, usize::MAX), account.id),
        None => account.id.clone(),
    }
}
