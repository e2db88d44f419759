//! What the commands have in common that ask AWeber something: locks, tokens, and a session.

use crate::account::{checked_account, learn_account};
use crate::api::bearer::Bearer;
use crate::api::client::Client;
use crate::api::credential::Credential;
use crate::api::oauth1::OAuth1;
use crate::api::session::Session;
use crate::config::Base;
use crate::error::Result;
use crate::locks::Locks;
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::model::{TokenFile, TokenKind};
use crate::token::store::TokenStore;
use std::path::PathBuf;

/// A session with the tokens of `store`, which asks nothing yet. Building the HTTP client before the refresh token is
/// spent makes a missing CA bundle fail here.
pub(crate) fn session(
    base: &Base,
    store: &TokenStore,
    mut tokens: TokenFile,
    client_secret: Option<SecretString>,
    stop: Stop,
) -> Result<Session> {
    if base.client.secret_is_in_a_file() {
        // A copy from the time before that file is not written again.
        let had_copy = tokens.client_secret.take().is_some();
        if had_copy && !tokens.kind.is_refreshed() {
            // No refresh will rewrite the file.
            tokens.generation += 1;
            store.install(&tokens)?;
        }
    }
    let client = Client::new(&base.network, request_log(base)?, stop)?;
    let credential = match tokens.kind {
        TokenKind::OAuth1 { .. } => Credential::OAuth1(OAuth1::new(tokens, client_secret)?),
        TokenKind::OAuth2 { .. } => {
            Credential::Bearer(Bearer::new(store.clone(), tokens, client_secret))
        }
    };
    Ok(Session::new(client, credential))
}

/// Where requests are noted, for everything that uses these tokens.
pub(crate) fn request_log(base: &Base) -> Result<PathBuf> {
    Ok(TokenStore::at(&base.paths.token_file)?.beside(".requests"))
}

/// A session that has refreshed, with the locks that it holds.
pub(crate) struct Connected {
    /// Held as long as this lives.
    _locks: Locks,
    pub(crate) session: Session,
    pub(crate) account: String,
}

/// Takes the locks, recovers and loads the tokens, and refreshes.
pub(crate) async fn connect(base: &Base) -> Result<Connected> {
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    let tokens = locks.load_tokens(base.client.id.as_deref())?;
    let known = tokens.account_id.clone().map(checked_account).transpose()?;
    let mut session = session(base, &locks.store, tokens, base.client.secret(), stop)?;
    session.refresh().await?;
    let account = match known {
        Some(account) => account,
        None => learn_account(&mut session, &locks).await?,
    };
    Ok(Connected {
        _locks: locks,
        session,
        account,
    })
}

impl Connected {
    /// Returns the session's deferred error.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.session.take_deferred_error().map_or(Ok(()), Err)
    }
}
