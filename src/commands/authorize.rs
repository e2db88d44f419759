//! `aweber-sync authorize`: connect an account. The new tokens are durable before anything is decided about them.

mod adopt;
mod ask;
mod trade;

use self::ask::ask_for_code;
use super::print;
use crate::authorization::{PendingAuthorization, read_pasted};
use crate::config::{self, Flow};
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::json::OwnPairs;
use crate::locks::{Locks, make_directory};
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::import::parse_credentials;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use std::path::Path;
use std::time::Duration;

/// A run may be at work while somebody holds a code that lives for minutes: wait a little for it by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest credentials file of another program that we read.
const LARGEST_IMPORT: u64 = 1024 * 1024;

/// Connects an account.
pub(crate) async fn authorize(config: config::Authorize) -> Result<()> {
    let setting = Authorizer::new(config)?;
    match &setting.config.flow {
        Flow::Import(file) => return setting.import(file).await,
        Flow::PrintUrl => return setting.print_url(),
        Flow::Code(code) => return setting.finish_begun(code).await,
        Flow::Prompt => {}
    }
    if setting.store.has_candidate() && setting.finish_candidate().await? {
        return Ok(());
    }
    let begun = setting.begin()?;
    let url = begun.url(&setting.config.base.network.auth);
    let pasted = ask_for_code(&url)?;
    let code = read_pasted(&pasted, Some(&begun.state))?;
    setting.trade(&begun, &code).await
}

/// What all ways to tokens need.
struct Authorizer {
    config: config::Authorize,
    store: TokenStore,
    /// What stands in the token file, whether or not `run` would use it.
    present: Option<TokenFile>,
}

impl Authorizer {
    fn new(config: config::Authorize) -> Result<Authorizer> {
        let store = TokenStore::at(&config.base.paths.token_file)?;
        // Authorizing anew, after a 77 say: the token file knows its client, whatever else is wrong with it.
        let present = store.peek()?.and_then(std::result::Result::ok);
        Ok(Authorizer {
            config,
            store,
            present,
        })
    }

    /// The client to authorize: as configured, else the one of the token file.
    fn client_id(&self) -> Option<String> {
        let known = || {
            self.present
                .as_ref()
                .map(|present| present.client_id.clone())
        };
        self.config.base.client.id.clone().or_else(known)
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

    fn begin(&self) -> Result<PendingAuthorization> {
        let Some(client_id) = self.client_id() else {
            return Err(Error::config("which app? AWeber needs the client id of yours")
                .safe("nothing was changed")
                .next("register one at labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, then aweber-sync authorize --client-id ID"));
        };
        {
            let public = self.secret_of(&client_id).is_none();
            PendingAuthorization::new(client_id, self.config.redirect_uri.clone(), public)
        }
    }

    /// First half in a process of its own.
    fn print_url(&self) -> Result<()> {
        let begun = self.begin()?;
        let file = self.pending_file();
        make_directory(self.store.directory())?;
        atomic::replace_file(&file, &begun.to_bytes(), atomic::PRIVATE)
            .map_err(|e| Error::disk("cannot write", &file, &e).safe("nothing was changed"))?;
        print(&format!("{}\n", begun.url(&self.config.base.network.auth)))
    }

    /// Second half.
    async fn finish_begun(&self, pasted: &str) -> Result<()> {
        let begun = std::fs::read(self.pending_file())
            .ok()
            .and_then(|content| PendingAuthorization::parse(&content));
        let Some(begun) = begun else {
            return Err(Error::config("no authorization was begun here, so the code cannot be traded")
                .safe("nothing was changed")
                .next("aweber-sync authorize --print-url, with the same --state-dir, and then the code that it leads to"));
        };
        if begun.verifier.is_some() == self.secret_of(&begun.client_id).is_some() {
            return Err(Error::config(
                "the authorization was begun with a client secret and is continued without, or the other way round",
            )
            .safe("nothing was changed")
            .next("set AWEBER_CLIENT_SECRET (or its _FILE) as it was for --print-url"));
        }
        let code = read_pasted(pasted, Some(&begun.state))?;
        self.trade(&begun, &code).await
    }

    /// Finishes an authorization whose process died after it had got tokens. `false`: they are of no use any more.
    async fn finish_candidate(&self) -> Result<bool> {
        let mut stop = Stop::listen(None)?;
        let locks = self.enter(&mut stop).await?;
        let candidate = locks.store.candidate();
        candidate.recover()?;
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
        match self.adopt(&locks, secret, stop).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::NeedsHuman => {
                // Most likely dead; should they live after all, they are not lost.
                tracing::warn!(event = "authorization_set_aside", "{error}");
                candidate.set_aside(&locks.store)?;
                Ok(false)
            }
            Err(error) if error.kind() == Kind::Config => {
                // Not the tokens' fault: they stay until new ones have arrived.
                tracing::warn!(event = "authorization_unfinished", "{error}");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn import(&self, file: &Path) -> Result<()> {
        let shown = file.display();
        let unusable = |why: String| {
            Error::config(format!("cannot take over {shown}: {why}"))
                .safe("nothing was changed, here or there")
        };
        let length = std::fs::metadata(file)
            .map_err(|e| unusable(e.to_string()).next("look at the path"))?
            .len();
        if length > LARGEST_IMPORT {
            return Err(unusable(format!("it has {length} bytes"))
                .next("give the other program's credentials file"));
        }
        let content = std::fs::read(file)
            .map_err(|e| unusable(e.to_string()).next("make it readable for this user"))?;
        let found = parse_credentials(&content).map_err(|e| {
            unusable(e.to_string())
                .next("give a credentials file of AWeber's samples or the aweber CLI")
        })?;
        let Some(client_id) = found.client_id.or_else(|| self.client_id()) else {
            return Err(
                unusable("it does not say which client its tokens belong to".to_owned()).next(
                    format!("aweber-sync authorize --import '{shown}' --client-id ID"),
                ),
            );
        };
        let mut stop = Stop::listen(None)?;
        let locks = self.enter(&mut stop).await?;
        let candidate = locks.store.candidate();
        let mut tokens = self.blank(client_id, found.refresh_token);
        tokens.generation += 1;
        // The file's own secret first: another client's would make AWeber refuse its tokens.
        let secret = found
            .client_secret
            .clone()
            .or_else(|| self.secret_of(&tokens.client_id));
        tokens.client_secret = found.client_secret.or(tokens.client_secret);
        tokens.access_token = found.access_token.unwrap_or_default();
        tokens.token_type = found.token_type;
        tokens.account_id = found.account_id;
        tokens.expires_at = found.expires_at.unwrap_or(0);
        candidate.install(&tokens)?;
        tracing::warn!(
            event = "imported",
            "read {}; from our first refresh on that program's token is dead: stop using it",
            found.format
        );
        self.adopt(&locks, secret, stop).await
    }

    /// A token file without tokens of its own yet, of the generation in force.
    fn blank(&self, client_id: String, refresh_token: SecretString) -> TokenFile {
        let kept = match &self.config.base.client.secret {
            Some(secret) => Some(secret.value.clone()).filter(|_| !secret.from_file),
            None => self.secret_of(&client_id),
        };
        TokenFile {
            generation: self
                .present
                .as_ref()
                .map_or(0, |present| present.generation),
            client_id,
            client_secret: kept,
            account_id: None,
            access_token: SecretString::default(),
            refresh_token,
            token_type: None,
            expires_at: 0,
            other: OwnPairs::default(),
        }
    }

    async fn enter(&self, stop: &mut Stop) -> Result<Locks> {
        make_directory(self.store.directory())?;
        let base = &self.config.base;
        Locks::take(&base.paths, base.lock_wait.max(PATIENCE), stop).await
    }

    /// Verifier and state between `--print-url` and `--code`.
    fn pending_file(&self) -> std::path::PathBuf {
        self.store.beside(".authorizing")
    }
}
