//! What the commands have in common that ask AWeber something: locks, tokens, a session, a fresh access token, and
//! the requests that count against the rate limit.

use crate::account::{checked_account, learn_account};
use crate::api::session::Session;
use crate::config::{Base, Paths};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::locks::Locks;
use crate::stop::Stop;

/// A session that has refreshed, with the locks that it holds.
pub(crate) struct Connected {
    /// The locks, held as long as this lives.
    _workplace: Locks,
    /// Ready to ask.
    pub(crate) session: Session,
    /// Whose tokens these are.
    pub(crate) account: String,
    /// If there is one that can be used: it knows when the last requests were.
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
        .and_then(|account| open(&base.paths, account));
    let mut session = Session::new(
        base.network.clone(),
        locks.store.clone(),
        tokens,
        base.client.secret(),
        stop,
    )?;
    if let Some(ledger) = &ledger {
        session.remember_requests(ledger.request_times()?);
    }
    session.refresh().await?;
    let account = match known {
        Some(account) => account,
        None => learn_account(&mut session, &locks).await?,
    };
    Ok(Connected {
        _workplace: locks,
        session,
        account,
        ledger,
    })
}

/// A ledger that cannot be used is the next run's to report: what is asked here does not need it.
fn open(paths: &Paths, account: &str) -> Option<Ledger> {
    let path = paths.ledger(account);
    if !path.exists() {
        return None;
    }
    Ledger::open(&path, false)
        .inspect_err(|error| tracing::debug!(event = "ledger_left", "{error}"))
        .ok()
}

impl Connected {
    /// Keeps the times of the requests for the next process, and says what the session owes.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(ledger) = &mut self.ledger {
            ledger.set_request_times(&self.session.recent_requests())?;
            ledger.commit()?;
        }
        match self.session.take_deferred_error() {
            Some(owed) => Err(owed),
            None => Ok(()),
        }
    }
}
