//! What every command that touches the tokens does first: make the state directory, take both locks (`docs/design.md`,
//! 'Locks'), finish what a killed process left of the tokens.

use crate::config::Paths;
use crate::disk::atomic;
use crate::disk::lock::Lock;
use crate::disk::ownership;
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use crate::token::model::TokenFile;
use crate::token::recovery;
use crate::token::store::TokenStore;
use std::path::Path;
use std::time::{Duration, Instant};

/// The locks, held until dropped, and the token store that they guard.
#[derive(Debug)]
pub(crate) struct Locks {
    /// Where the tokens are.
    pub(crate) store: TokenStore,
    _held: Held,
}

/// The locks alone: nothing is made, recovered or changed.
#[derive(Debug)]
pub(crate) struct Held {
    _locks: (Lock, Lock),
}

impl Held {
    /// Takes the locks of a state directory that exists. Errors: as [`Locks::take`].
    pub(crate) async fn take(
        paths: &Paths,
        store: &TokenStore,
        wait: Duration,
        stop: &mut Stop,
    ) -> Result<Held> {
        let run_lock = take_one(&paths.lock(), wait, stop).await?;
        let token_lock = take_one(&store.beside(".lock"), wait, stop).await?;
        Ok(Held {
            _locks: (run_lock, token_lock),
        })
    }
}

/// How long `status` may hold the lock to see whether a run does, at most: that is not a run.
const LOOK: Duration = Duration::from_millis(20);

/// How often a waiting process asks for the lock again.
const POLL: Duration = Duration::from_millis(50);

impl Locks {
    /// Takes the locks (75 if they stay taken for that long) and recovers the token file.
    pub(crate) async fn take(paths: &Paths, wait: Duration, stop: &mut Stop) -> Result<Locks> {
        let store = TokenStore::new(paths)?;
        if !store.directory().is_dir() && store.directory() != paths.state_dir {
            // A mistyped --token-file must not create directories; only `authorize` does.
            store.load()?;
        }
        make_directory(&paths.state_dir)?;
        ownership::check_directory(&paths.state_dir)?;
        if store.directory().is_dir() {
            ownership::check_directory(store.directory())?;
        }
        // Two state directories may share one token file.
        let held = Held::take(paths, &store, wait, stop).await?;
        recovery::recover(&store)?;
        Ok(Locks { store, _held: held })
    }

    /// The tokens, if they belong to the client that is configured.
    pub(crate) fn load_tokens(&self, client_id: Option<&str>) -> Result<TokenFile> {
        Locks::read_tokens(&self.store, client_id)
    }

    /// As [`Locks::load_tokens`], for a command that only looks.
    pub(crate) fn read_tokens(store: &TokenStore, client_id: Option<&str>) -> Result<TokenFile> {
        let tokens = match store.load() {
            Err(error) if store.has_candidate() && !store.exists() => {
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
            .next("run without --client-id and AWEBER_CLIENT_ID, since the token file knows its client; or aweber-sync authorize for the other one")),
            _ => Ok(tokens),
        }
    }
}

async fn take_one(path: &Path, wait: Duration, stop: &mut Stop) -> Result<Lock> {
    let deadline = Instant::now() + wait.max(LOOK);
    let mut announced = false;
    loop {
        stop.check()?;
        if let Some(lock) = Lock::try_take(path)? {
            return Ok(lock);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(
                Kind::LockHeld,
                format!("another run holds the lock {}", path.display()),
            )
            .safe("this run has changed nothing and spent no token")
            .next("nothing, if this was a scheduled run: the next one continues; --lock-wait 10m would wait for it"));
        }
        if !announced && wait > LOOK {
            tracing::info!(
                event = "lock_wait",
                "waiting for the run that holds the lock {}",
                path.display()
            );
            announced = true;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL.min(left)) => {}
            stopped = stop.requested() => return Err(stopped),
        }
    }
}

/// Makes a directory of ours, 0700, if it is not there.
pub(crate) fn make_directory(directory: &Path) -> Result<()> {
    atomic::create_private_dirs(directory).map_err(|e| {
        Error::disk("cannot make the directory", directory, &e)
            .safe("no request was sent and no token was spent")
            .next("make it yourself, owned by the user that runs the job, or give another --state-dir")
    })
}
