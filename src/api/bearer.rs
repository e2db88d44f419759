//! OAuth 2: an access token as bearer, and when and how it is refreshed. All refreshes, on start, ahead of time and after
//! a 401, go through [`exchange`](super::exchange).

use super::attempts::Failed;
use super::client::Client;
use super::exchange::{Issued, exchange};
use super::reaction::SCOPES;
use crate::error::{Error, Kind, Result};
use crate::secret::{ExposeSecret, SecretString};
use crate::token::answer::RefreshAnswer;
use crate::token::grant::Grant;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use chrono::Utc;
use std::time::{Duration, Instant};

/// An access token with less life than this, seconds, is not worth going on with.
const WORTH_USING: i64 = 30;

/// Refresh at least this long before the end of the access token, or a tenth of its life if that is shorter.
const EARLY: Duration = Duration::from_secs(300);

/// When to try again after an early refresh failed.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// The current tokens, and where the next ones are stored.
#[derive(Debug)]
pub(crate) struct Bearer {
    store: TokenStore,
    tokens: TokenFile,
    /// Configured, or from the token file. None: a public client.
    client_secret: Option<SecretString>,
    /// When to refresh early, by the monotonic clock.
    refresh_at: Option<Instant>,
    /// When the access token expires, by the monotonic clock; None: an earlier process got it.
    expires: Option<Instant>,
    /// The refresh token is dead; the run that continues on the access token must still end with this.
    deferred: Option<Error>,
    /// Earlier tokens of this session, to be redacted as well.
    spent: Vec<SecretString>,
    refreshes: u64,
    answer: Option<RefreshAnswer>,
    lost: bool,
}

impl Bearer {
    /// The tokens of `store` as loaded; a configured client secret takes precedence over theirs.
    pub(crate) fn new(
        store: TokenStore,
        tokens: TokenFile,
        client_secret: Option<SecretString>,
    ) -> Bearer {
        let client_secret = client_secret.or_else(|| tokens.client_secret.clone());
        Bearer {
            store,
            tokens,
            client_secret,
            refresh_at: None,
            expires: None,
            deferred: None,
            spent: Vec::new(),
            refreshes: 0,
            answer: None,
            lost: false,
        }
    }

    /// `Bearer …`.
    pub(super) fn header(&self) -> SecretString {
        let token = self.tokens.access_token.as_ref();
        format!("Bearer {}", token.map_or("", |token| token.expose_secret())).into()
    }

    /// A refresh may help; if the answer is the same with the new token, the app was disconnected.
    pub(super) fn unauthorized(&self, answered: String) -> Failed {
        Failed::Unauthorized(
            Error::new(
                Kind::NeedsHuman,
                format!("{answered} to a token that it had just issued"),
            )
            .safe("the newest tokens are stored")
            .next(format!(
                "aweber-sync authorize (the app was disconnected, or lacks one of the scopes {SCOPES})"
            )),
        )
    }

    /// Whether it is time for an early refresh.
    pub(super) fn is_due(&self) -> bool {
        self.refresh_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Refreshes on start or early. If the refresh token is dead but the access token still lives, the session goes on
    /// with that one and defers the error to its end.
    pub(super) async fn renew_early(&mut self, client: &mut Client) -> Result<()> {
        let Err(error) = self.refresh(client).await else {
            return Ok(());
        };
        let left = self.seconds_left();
        if left < WORTH_USING {
            return Err(
                error.or_safe("no row is lost: new subscribers are in the next run that succeeds")
            );
        }
        match error.kind() {
            Kind::NeedsHuman => {}
            // In the middle of a run the present token is still good: no reason to end it.
            Kind::Unavailable if self.refresh_at.is_some() => {
                tracing::warn!(event = "refresh_failed", "{error}");
                self.refresh_at = Instant::now().checked_add(TRY_AGAIN);
                self.lost = false;
                return Ok(());
            }
            _ => return Err(error),
        }
        tracing::warn!(
            event = "refresh_refused",
            "AWeber no longer accepts the refresh token; going on with the access token, which expires in {} min",
            left / 60
        );
        self.refresh_at = None;
        self.lost = false;
        self.deferred = Some(error.or_safe(
            "no row is lost: this run continued with the access token; the next run resumes where it stopped",
        ));
        Ok(())
    }

    /// Refreshes because the access token was rejected. Errors: as [`exchange`].
    pub(super) async fn renew_after_401(&mut self, client: &mut Client) -> Result<()> {
        match self.deferred.take() {
            Some(error) => Err(error),
            None => self.refresh(client).await,
        }
    }

    async fn refresh(&mut self, client: &mut Client) -> Result<()> {
        let mut outcome = self.exchange(client).await;
        if outcome
            .as_ref()
            .is_err_and(|e| e.kind() == Kind::NeedsHuman)
            && self.reload()
        {
            outcome = self.exchange(client).await;
        }
        self.lost = outcome.is_err();
        let issued = outcome.map_err(|error| match error.kind() {
            Kind::Unavailable => error
                .during("cannot refresh the token")
                .or_safe("the refresh token is kept; the next run tries it again")
                .or_next("nothing, if it passes; see status.aweber.com"),
            _ => error,
        })?;
        self.activate(issued);
        Ok(())
    }

    async fn exchange(&self, client: &mut Client) -> Result<Issued> {
        let grant = Grant::Refresh(self.tokens.clone());
        exchange(client, &self.store, &grant, self.client_secret.as_ref()).await
    }

    /// Before a refresh token is declared dead: another program, which ignores the lock, may have stored newer ones.
    fn reload(&mut self) -> bool {
        let Ok(stored) = self.store.load() else {
            return false;
        };
        let (new, old) = (stored.lasting_secret(), self.tokens.lasting_secret());
        if stored.kind.is_oauth1() || new.expose_secret() == old.expose_secret() {
            return false;
        }
        tracing::warn!(
            event = "tokens_changed",
            "AWeber no longer accepts the refresh token, but another program stored a new one: using that"
        );
        self.tokens = stored;
        true
    }

    fn activate(&mut self, issued: Issued) {
        self.expires = issued.sent.checked_add(issued.life);
        let wait = issued.life - EARLY.min(issued.life / 10);
        self.refresh_at = issued.sent.checked_add(wait);
        let before = std::mem::replace(&mut self.tokens, issued.tokens);
        let (old, new) = (before.lasting_secret(), self.tokens.lasting_secret());
        self.answer = Some(RefreshAnswer {
            is_new_token: old.expose_secret() != new.expose_secret(),
            expires_in: issued.life.as_secs(),
        });
        self.spent.push(before.lasting_secret().clone());
        self.spent.extend(before.access_token);
        self.refreshes += 1;
        tracing::debug!(
            event = "refreshed",
            generation = self.tokens.generation,
            "refreshed; the new tokens are stored"
        );
    }

    /// How long the access token still lives. Across processes only the local clock is there to ask.
    fn seconds_left(&self) -> i64 {
        match (&self.tokens.access_token, self.expires) {
            (None, _) => 0,
            (_, Some(at)) => at.saturating_duration_since(Instant::now()).as_secs() as i64,
            (_, None) => self
                .tokens
                .expires_at
                .saturating_sub(Utc::now().timestamp()),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(super) fn take_deferred_error(&mut self) -> Option<Error> {
        let renewed = self.refreshes > 0;
        let unfinished = || renewed.then(|| self.store.finish().err()).flatten();
        self.deferred.take().or_else(unfinished)
    }

    pub(super) fn tokens(&self) -> &TokenFile {
        &self.tokens
    }

    pub(super) fn set_tokens(&mut self, tokens: TokenFile) {
        self.tokens = tokens;
    }

    pub(super) fn refresh_answer(&self) -> Option<RefreshAnswer> {
        self.answer
    }

    pub(super) fn renewals(&self) -> u64 {
        self.refreshes
    }

    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        let tokens = self.tokens.secrets().into_iter();
        tokens
            .chain(&self.client_secret)
            .chain(&self.spent)
            .collect()
    }
}
