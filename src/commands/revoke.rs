//! `aweber-sync revoke`: revokes the tokens at AWeber and removes the token file.

use super::print;
use crate::api::client::Client;
use crate::api::transport::{Fault, Reply, basic};
use crate::config;
use crate::connect::request_log;
use crate::disk::atomic;
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::locks::Locks;
use crate::secret::{ExposeSecret, SecretString};
use crate::stop::Stop;
use crate::token::model::TokenFile;
use crate::token::recovery;
use crate::token::store::TokenStore;

/// Where tokens are revoked (AWeber API, section 1 'Revoke').
const REVOKE_PATH: &str = "/oauth2/revoke";

/// What is safe after a failure.
const KEPT: &str = "the token file was left as it is";

/// Revokes the refresh token, and with it what it granted; then removes the file.
pub(crate) async fn revoke(config: config::Revoke) -> Result<()> {
    let base = &config.base;
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    let store = &locks.store;
    let mut revocation = Revocation {
        client: Client::new(&base.network, request_log(base)?, stop)?,
        store,
        lives_on: false,
    };
    let candidate = store.candidate();
    recovery::recover(&candidate)?;
    // Without a token file there may still be the tokens of an unfinished authorization.
    if !candidate.exists() || store.exists() {
        let tokens = locks.load_tokens(base.client.id.as_deref())?;
        let configured = base.client.secret();
        let secret = configured.or_else(|| tokens.client_secret.clone());
        revocation.revoke(&tokens, secret.as_ref()).await?;
    }
    // Whatever is wrong with the mode of that file.
    if let Some(Ok(tokens)) = candidate.peek()? {
        let own = tokens.client_secret.clone();
        let secret = own.or_else(|| base.client.secret());
        revocation.revoke(&tokens, secret.as_ref()).await?;
    }
    let removed = store.remove().and_then(|()| candidate.remove());
    removed.map_err(|error| match revocation.lives_on {
        true => error,
        false => error.safe("AWeber no longer accepts these tokens"),
    })?;
    let pending = store.beside(".authorizing");
    atomic::remove_if_there(&pending).map_err(|e| Error::disk("cannot remove", &pending, &e))?;
    let done = if revocation.lives_on {
        "Not revoked: OAuth 1.0a has no revocation, so AWeber accepts these tokens until you disconnect the app in your \
         AWeber account, on the page Integrations. But"
    } else {
        "Revoked: AWeber no longer accepts these tokens, and"
    };
    print(&format!(
        "{done} those in {} are removed.\n\
         The ledger and the exports stay in {}.\n\
         If the app is not used elsewhere, delete it at labs.aweber.com/apps.\n",
        store.name(),
        base.paths.state_dir.display()
    ))
}

/// What revoking takes.
struct Revocation<'a> {
    client: Client,
    store: &'a TokenStore,
    /// Some of the tokens cannot be revoked.
    lives_on: bool,
}

impl Revocation<'_> {
    /// Revokes both tokens at AWeber.
    async fn revoke(&mut self, tokens: &TokenFile, secret: Option<&SecretString>) -> Result<()> {
        if tokens.kind.is_oauth1() {
            self.lives_on = true;
            return Ok(());
        }
        let both = [("refresh_token", Some(tokens.lasting_secret()))]
            .into_iter()
            .chain([("access_token", tokens.access_token.as_ref())]);
        for (hint, token) in both {
            if let Some(token) = token {
                self.revoke_one(tokens, secret, hint, token).await?;
            }
        }
        Ok(())
    }

    async fn revoke_one(
        &mut self,
        tokens: &TokenFile,
        secret: Option<&SecretString>,
        hint: &str,
        token: &SecretString,
    ) -> Result<()> {
        let answer = self.post(tokens, secret, hint, token).await?;
        let reply = answer.map_err(|fault| {
            Error::new(Kind::Unavailable, format!("cannot revoke: {}", fault.what))
                .safe(KEPT)
                .next("aweber-sync revoke, when AWeber answers again")
        })?;
        let secrets: Vec<_> = tokens.secrets().into_iter().chain(secret).collect();
        let problem = Problem::read(&reply.body, &secrets);
        let answered = format!(
            "cannot revoke: AWeber answered {}{}",
            reply.status,
            problem.in_brackets()
        );
        match reply.status {
            200..=299 => Ok(()),
            // Revoking the refresh token revoked the access token too.
            400..=499 if hint == "access_token" => Ok(()),
            500..=599 | 300..=399 | 403 | 429 => Err(Error::new(Kind::Unavailable, answered)
                .safe(KEPT)
                .next("aweber-sync revoke, later")),
            _ => Err(Error::config(answered).safe(KEPT).next(format!(
                "check client id and secret; or disconnect the app in your AWeber account and remove {}",
                self.store.name()
            ))),
        }
    }

    async fn post(
        &mut self,
        tokens: &TokenFile,
        secret: Option<&SecretString>,
        hint: &str,
        token: &SecretString,
    ) -> Result<std::result::Result<Reply, Fault>> {
        let client_id = tokens.client_id.as_str();
        let mut form = vec![("token", token.expose_secret()), ("token_type_hint", hint)];
        if secret.is_none() {
            form.push(("client_id", client_id));
        }
        let basic = secret.map(|secret| basic(client_id, secret));
        self.client
            .post_form(REVOKE_PATH, &form, basic.as_ref())
            .await
    }
}
