//! What the commands have in common that ask AWeber something: locks, tokens, a session, and the requests that count
//! against the rate limit.

use crate::account::{checked_account, learn_account};
use crate::api::bearer::Bearer;
use crate::api::client::Client;
use crate::api::credential::Credential;
use crate::api::session::Session;
use crate::config::{Base, Paths};
use crate::error::{Failures, Result};
use crate::ledger::Ledger;
use crate::locks::Locks;
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;

/// A session with the tokens of `store`, which asks nothing yet. Building the HTTP client before the refresh token is
/// spent makes a missing CA bundle fail here.
pub(crate) fn session(
    base: &Base,
    store: &TokenStore,
    tokens: TokenFile,
    client_secret: Option<SecretString>,
    stop: Stop,
) -> Result<Session> {
    let client = Client::new(&base.network, stop)?;
    let bearer = Bearer::new(store.clone(), tokens, client_secret);
    Ok(Session::new(client, Credential::Bearer(bearer)))
}

/// A session that has refreshed, with the locks that it holds.
pub(crate) struct Connected {
    /// Held as long as this lives.
    _locks: Locks,
    pub(crate) session: Session,
    pub(crate) account: String,
    /// If there is a usable one: it knows when the last requests were sent.
    ledger: Option<Ledger>,
}

/// Takes the locks, recovers and loads the tokens, and refreshes.
pub(crate) async fn connect(base: &Base) -> Result<Connected> {
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    let tokens = locks.load_tokens(base.client.id.as_deref())?;
    let known = tokens.account_id.clone().map(checked_account).transpose()?;
    let ledger = known
        .as_deref()
        .and_then(|account| open_ledger(&base.paths, account));
    let mut session = session(base, &locks.store, tokens, base.client.secret(), stop)?;
    if let Some(ledger) = &ledger {
        session.remember_requests(ledger.request_times()?);
    }
    session.refresh().await?;
    let account = match known {
        Some(account) => account,
        None => learn_account(&mut session, &locks).await?,
    };
    Ok(Connected {
        _locks: locks,
        session,
        account,
        ledger,
    })
}

/// An unusable ledger is the next run's to report: it is not needed here.
fn open_ledger(paths: &Paths, account: &str) -> Option<Ledger> {
    let path = paths.ledger(account);
    if !path.exists() {
        return None;
    }
    Ledger::open(&path, false)
        .inspect_err(|error| tracing::debug!(event = "ledger_left", "{error}"))
        .ok()
}

impl Connected {
    /// Keeps the times of the requests for the next process; returns the session's deferred error.
    pub(crate) fn finish(mut self) -> Result<()> {
        let mut failures = Failures::default();
        if let Some(ledger) = &mut self.ledger {
            failures.take(
                ledger
                    .set_request_times(&self.session.recent_requests())
                    .and_then(|()| ledger.commit()),
            );
        }
        failures.take(self.session.take_deferred_error().map_or(Ok(()), Err));
        failures.into_result()
    }
}
