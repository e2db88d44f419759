//! What the commands have in common that ask AWeber something: locks, tokens, a session, a fresh access token.

use crate::account::{checked_account, learn_account};
use crate::api::session::Session;
use crate::cli;
use crate::config::{Env, Network, Paths};
use crate::error::Result;
use crate::secret;
use crate::stop::Stop;
use crate::workplace::Workplace;

/// A session that has refreshed, with the locks that it holds.
pub(crate) struct Connected {
    /// The locks, held as long as this lives.
    _workplace: Workplace,
    /// Ready to ask.
    pub(crate) session: Session,
    /// Whose tokens these are.
    pub(crate) account: String,
}

/// Takes the locks, recovers and loads the tokens, and refreshes.
pub(crate) async fn connect(
    common: &cli::Common,
    args: &cli::Network,
    env: Env<'_>,
) -> Result<Connected> {
    let paths = Paths::new(common, env)?;
    let network = Network::new(common, args)?;
    let configured = secret::client_secret(env)?;
    let mut stop = Stop::listen(None)?;
    let workplace = Workplace::enter(&paths, args.lock_wait, &mut stop).await?;
    let tokens = workplace.load_tokens(common.client_id.as_deref())?;
    let secret = configured.map(|secret| secret.value);
    let mut session = Session::new(network, workplace.store.clone(), tokens, secret, stop)?;
    session.refresh().await?;
    let account = match session.tokens().account_id.clone() {
        Some(account) => checked_account(account)?,
        None => learn_account(&mut session, &workplace).await?,
    };
    Ok(Connected {
        _workplace: workplace,
        session,
        account,
    })
}
