//! What every command that touches the tokens does first: make the state directory, take both locks, finish what a
//! killed process left of the tokens.

use crate::config::Paths;
use crate::disk::atomic;
use crate::disk::lock::Lock;
use crate::error::{Error, Result};
use crate::secret::{ClientSecret, SecretString};
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use std::path::Path;
use std::time::Duration;

/// The locks, held until dropped, and the token store that they guard.
#[derive(Debug)]
pub(crate) struct Workplace {
    /// Where the tokens are.
    pub(crate) store: TokenStore,
    _run_lock: Lock,
    _token_lock: Lock,
}

impl Workplace {
    /// Takes the locks (75 if they are taken) and recovers the token file.
    pub(crate) fn enter(paths: &Paths, wait: Duration) -> Result<Workplace> {
        make_directory(&paths.state_dir)?;
        let run_lock = Lock::take(&paths.lock(), wait)?;
        let store = TokenStore::at(&paths.token_file)?;
        if let Some(directory) = store.path().parent() {
            make_directory(directory)?;
        }
        let token_lock = store.lock(wait)?;
        store.recover()?;
        Ok(Workplace {
            store,
            _run_lock: run_lock,
            _token_lock: token_lock,
        })
    }

    /// The tokens, if they belong to the client that is configured.
    pub(crate) fn load_tokens(&self, client_id: Option<&str>) -> Result<TokenFile> {
        let tokens = match self.store.load() {
            Err(error) if !self.store.exists() && self.store.candidate().exists() => {
                return Err(
                    error.safe("an authorization was begun and not finished; its tokens are kept")
                );
            }
            other => other?,
        };
        match client_id {
            Some(configured) if configured != tokens.client_id => Err(Error::config(format!(
                "the token file belongs to the client {}, but {configured} is configured",
                tokens.client_id
            ))
            .safe("no request was sent and no token was spent")
            .next("unset AWEBER_CLIENT_ID (the token file knows its client), or aweber-sync authorize for the other one")),
            _ => Ok(tokens),
        }
    }
}

/// The secret to refresh with: as configured now, else as the token file kept it.
pub(crate) fn refresh_secret(configured: Option<ClientSecret>) -> Option<SecretString> {
    configured.map(|secret| secret.value)
}

/// Makes a directory of ours, 0700, if it is not there.
pub(crate) fn make_directory(directory: &Path) -> Result<()> {
    atomic::create_private_dirs(directory).map_err(|e| {
        Error::disk("cannot make the directory", directory, &e)
            .safe("no request was sent and no token was spent")
            .next("make it yourself, owned by the user that runs the job, or give another --state-dir")
    })
}
