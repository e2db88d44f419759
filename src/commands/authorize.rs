//! `aweber-sync authorize`: connects an account. The new tokens are durable before anything is decided about them.

mod adopt;
mod ask;
mod import;
mod oauth1;
mod trade;

use self::ask::{Prompt, read_code};
use super::print;
use crate::authorization::{PendingAuthorization, read_app_code};
use crate::config::{self, Flow};
use crate::disk::{atomic, ownership};
use crate::error::{Error, Kind, Result};
use crate::locks::{Locks, make_directory};
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::grant::{Grant, GrantedClient};
use crate::token::model::TokenFile;
use crate::token::recovery;
use crate::token::store::TokenStore;
use chrono::Utc;
use std::path::PathBuf;
use std::time::Duration;

/// A run may hold the lock while the user holds a code that lives for minutes: wait a little for it by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects an account.
pub(crate) async fn authorize(config: config::Authorize) -> Result<()> {
    let authorizer = Authorizer::new(config)?;
    match &authorizer.config.flow {
        Flow::Import(file) => authorizer.import(file).await,
        Flow::PrintUrl => authorizer.print_url().await,
        Flow::Code(code) if code == "-" => authorizer.finish_pending(&read_code()?).await,
        Flow::Code(code) => authorizer.finish_pending(code).await,
        Flow::Prompt => authorizer.prompt().await,
    }
}

/// What all flows need.
struct Authorizer {
    config: config::Authorize,
    store: TokenStore,
    /// The tokens in the token file, whether or not `run` would use them.
    present: Option<TokenFile>,
}

impl Authorizer {
    fn new(config: config::Authorize) -> Result<Authorizer> {
        let store = TokenStore::new(&config.base.paths)?;
        // Authorizing again, after a 77 for example: the token file knows its client, whatever else is wrong with it.
        let present = store.peek()?.and_then(std::result::Result::ok);
        Ok(Authorizer {
            config,
            store,
            present,
        })
    }

    /// Both halves in one process.
    async fn prompt(&self) -> Result<()> {
        let mut stop = Stop::listen(None)?;
        if self.store.directory().is_dir() {
            ownership::check_directory(self.store.directory())?;
        }
        if self.store.has_candidate() {
            let locks = self.take_locks(&mut stop).await?;
            if self.finish_candidate(&locks, &stop).await? {
                return Ok(());
            }
        }
        let pending = self.begin(&stop).await?;
        let url = pending.url(&self.config.base.network.auth);
        let mut prompt = Prompt::show(&url)?;
        loop {
            let pasted = prompt.read(&mut stop).await?;
            let outcome = match self.grant(&pending, &pasted) {
                Ok(grant) => self.trade(grant).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.kind() == Kind::WrongPaste && prompt.may_ask_again(&pasted) => {
                    print(&format!("{}\n", error.what()))?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The first half, in a process of its own.
    async fn print_url(&self) -> Result<()> {
        let pending = self.begin(&Stop::listen(None)?).await?;
        let file = self.pending_file();
        make_directory(self.store.directory())?;
        ownership::check_directory(self.store.directory())?;
        atomic::replace_file(&file, &pending.to_bytes(), atomic::PRIVATE)
            .map_err(|e| Error::disk("cannot write", &file, &e).safe("nothing was changed"))?;
        print(&format!(
            "{}\n",
            pending.url(&self.config.base.network.auth)
        ))
    }

    /// The second half.
    async fn finish_pending(&self, pasted: &str) -> Result<()> {
        if let Some((pending, secret, verifier)) = read_app_code(pasted) {
            let grant = self.verifier_grant(&pending, Some(secret), &verifier)?;
            return self.trade(grant).await;
        }
        let file = self.pending_file();
        let pending = match std::fs::read(&file) {
            Ok(content) => PendingAuthorization::parse(&content),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::disk("cannot read", &file, &e).safe("nothing was changed")),
        };
        let Some(pending) = pending else {
            return Err(Error::config("no authorization was begun here, so the code cannot be traded")
                .safe("nothing was changed")
                .next("aweber-sync authorize --print-url, with the same --state-dir, then --code with the code that the page shows"));
        };
        if pending.redirect_uri.is_some()
            && pending.verifier.is_some() == self.secret_of(&pending.client_id).is_some()
        {
            return Err(Error::config(
                "the authorization was begun with a client secret and is continued without one, or the other way round",
            )
            .safe("nothing was changed")
            .next("set AWEBER_CLIENT_SECRET (or its _FILE) as it was for --print-url"));
        }
        self.trade(self.grant(&pending, pasted)?).await
    }

    async fn begin(&self, stop: &Stop) -> Result<PendingAuthorization> {
        let is_oauth1 = self.uses_oauth1();
        let Some(client_id) = self.client_id(is_oauth1) else {
            return Err(Error::config("missing client id")
                .safe("nothing was changed")
                .next("register an app at labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, then aweber-sync authorize --client-id ID"));
        };
        if is_oauth1 {
            return self.request_token(client_id, stop).await;
        }
        let public = self.secret_of(&client_id).is_none();
        PendingAuthorization::new(client_id, self.config.redirect_uri.clone(), public)
    }

    /// What the pasted text completes.
    fn grant(&self, pending: &PendingAuthorization, pasted: &str) -> Result<Grant> {
        match (&pending.redirect_uri, read_app_code(pasted)) {
            (None, Some((pending, secret, verifier))) => {
                self.verifier_grant(&pending, Some(secret), &verifier)
            }
            (None, None) => self.verifier_grant(pending, None, pasted),
            (Some(redirect_uri), _) => self.code_grant(pending, redirect_uri, pasted),
        }
    }

    /// As configured, or because the tokens of the configured client are of that kind.
    fn uses_oauth1(&self) -> bool {
        let id = self.config.base.client.id.as_ref();
        let is_present = |present: &TokenFile| {
            present.kind.is_oauth1() && id.is_none_or(|id| *id == present.client_id)
        };
        self.config.oauth1 || self.present.as_ref().is_some_and(is_present)
    }

    /// The client to authorize: as configured, else the one of the token file.
    fn client_id(&self, is_oauth1: bool) -> Option<String> {
        let present = self.present.as_ref();
        let known = present.filter(|present| present.kind.is_oauth1() == is_oauth1);
        let configured = self.config.base.client.id.as_ref();
        configured
            .or(known.map(|present| &present.client_id))
            .cloned()
    }

    /// The secret of a client: as configured, else as the token file kept it for that very client.
    fn secret_of(&self, client_id: &str) -> Option<SecretString> {
        let kept = || {
            let present = self
                .present
                .as_ref()
                .filter(|present| present.client_id == client_id);
            present.and_then(|present| present.client_secret.clone())
        };
        self.config.base.client.secret().or_else(kept)
    }

    /// The secret that a new token file keeps: not one that stays in a file.
    fn secret_to_keep(&self, client_id: &str) -> Option<SecretString> {
        match &self.config.base.client.secret {
            Some(secret) if secret.from_file => None,
            Some(secret) => Some(secret.value.clone()),
            None => self.secret_of(client_id),
        }
    }

    /// The generation of the present tokens; without any the time, so that no older copy of tokens revoked since then is newer.
    fn generation(&self) -> u64 {
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
        self.present
            .as_ref()
            .map_or(now, |present| present.generation)
    }

    /// The client of new tokens, and what their file keeps of it.
    fn granted_client(&self, id: &str) -> GrantedClient {
        GrantedClient {
            id: id.to_owned(),
            kept_secret: self.secret_to_keep(id),
            generation: self.generation(),
        }
    }

    async fn take_locks(&self, stop: &mut Stop) -> Result<Locks> {
        make_directory(self.store.directory())?;
        let base = &self.config.base;
        Locks::take(&base.paths, base.lock_wait.max(PATIENCE), stop).await
    }

    /// Makes room for a new candidate: what an interrupted authorization left may be the only live tokens. `false`: it
    /// could be finished, so the tokens of `unused` were not fetched.
    async fn make_room(&self, locks: &Locks, stop: &Stop, unused: &str) -> Result<bool> {
        if !locks.store.has_candidate() {
            return Ok(true);
        }
        if self.finish_candidate(locks, stop).await? {
            tracing::warn!(
                event = "not_used",
                "an interrupted authorization was finished instead: {unused} was not used"
            );
            return Ok(false);
        }
        let candidate = locks.store.candidate();
        if candidate.exists() {
            let aside = candidate.set_aside(&locks.store)?;
            tracing::warn!(event = "authorization_set_aside", file = %aside.display(), "set aside the tokens of an interrupted authorization");
        }
        Ok(true)
    }

    /// Finishes an authorization whose process died after it had got tokens. `false`: they are of no use now.
    async fn finish_candidate(&self, locks: &Locks, stop: &Stop) -> Result<bool> {
        let candidate = locks.store.candidate();
        recovery::recover(&candidate)?;
        if !candidate.exists() {
            return Ok(false);
        }
        tracing::info!(
            event = "resumed",
            "finishing an authorization that was interrupted"
        );
        let secret = match candidate.load() {
            Ok(tokens) => self.secret_of(&tokens.client_id).or(tokens.client_secret),
            Err(_) => None,
        };
        match self.adopt(locks, secret, stop.clone()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::NeedsHuman => {
                // Most likely dead; should they live nevertheless, they are not lost.
                tracing::warn!(event = "authorization_set_aside", "{error}");
                candidate.set_aside(&locks.store)?;
                Ok(false)
            }
            Err(error) if error.kind() == Kind::Config => {
                // Not the tokens' fault: they stay until others need their place.
                tracing::warn!(event = "authorization_unfinished", "{error}");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Verifier and state between `--print-url` and `--code`.
    fn pending_file(&self) -> PathBuf {
        self.store.beside(".authorizing")
    }
}
