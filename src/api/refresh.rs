//! Spending a refresh token: the one request whose repetition needs thought, since AWeber hands out a new token with
//! each and may kill the old one at once. The protocol is in `docs/design.md`, 'Tokens'.

use super::retry::{self, RATE_LIMIT_WAITS, REPEATS};
use super::session::{Session, random_byte, rate_limited};
use super::token_request::{TokenOutcome, TokenRequest, Trouble};
use crate::error::{Error, Kind, Result};
use crate::token::model::TokenFile;
use crate::token::refresh::Renewal;
use chrono::Utc;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An access token with less life than this, seconds, is not worth going on with.
const WORTH_USING: i64 = 30;

/// Refresh at least this long before the end of the access token, or a tenth of its life if that is shorter.
const AHEAD: Duration = Duration::from_secs(300);

/// When to try again to refresh ahead of time after that failed.
const AGAIN: Duration = Duration::from_secs(60);

impl Session {
    /// Refreshes on start or ahead of time. If the refresh token is dead but the access token still lives, the
    /// session goes on with that one and owes the error at the end.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        let Err(error) = self.refresh_refused().await else {
            return Ok(());
        };
        // Across processes only the local clock is there to ask.
        let left = match self.dies_at {
            Some(at) => at.saturating_duration_since(Instant::now()).as_secs() as i64,
            None => self
                .tokens
                .expires_at
                .saturating_sub(Utc::now().timestamp()),
        };
        if left < WORTH_USING {
            return Err(error.or_safe(
                "no row is lost: whoever came meanwhile is in the next run that succeeds",
            ));
        }
        match error.kind() {
            Kind::NeedsHuman => {}
            // In the middle of a run the token at hand is still good: no reason to give up the run.
            Kind::Unavailable if self.refresh_at.is_some() => {
                tracing::warn!(event = "refresh_failed", "{error}");
                self.refresh_at = Instant::now().checked_add(AGAIN);
                self.refresh_failed = false;
                return Ok(());
            }
            _ => return Err(error),
        }
        tracing::warn!(
            event = "refresh_refused",
            "AWeber no longer accepts the refresh token; going on with the access token, {left} s before it dies"
        );
        self.refresh_at = None;
        self.refresh_failed = false;
        self.deferred = Some(error.or_safe("no row is lost: this run went on with the access token while it lived, the next one goes on from there"));
        Ok(())
    }

    /// Refreshes because the access token is of no use any more.
    ///
    /// Errors: 77 refresh token dead, 78 client refused or blocked, 75 rate limit, 69 no answer, 74 cannot be stored
    /// (found before the token is spent).
    pub(super) async fn refresh_refused(&mut self) -> Result<()> {
        let outcome = self.spend().await;
        self.refresh_failed = outcome.is_err();
        outcome
    }

    async fn spend(&mut self) -> Result<()> {
        // It was sent with the access token that dies with this.
        self.drop_ahead();
        let mut reservation = self.store.prepare()?;
        let (mut repeats, mut rate_limits) = (0, 0);
        let mut rescued: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        loop {
            self.wait_for_turn().await?;
            let request = TokenRequest {
                http: self.http.clone(),
                form: vec![
                    ("grant_type", "refresh_token".into()),
                    ("refresh_token", self.tokens.refresh_token.clone()),
                ],
                client_secret: self.client_secret.clone(),
                tokens: self.tokens.clone(),
                reservation,
            };
            // Not given up for a signal: whatever the answer is, it is stored first.
            let outcome = request.send().await;
            self.note_request(Instant::now());
            let trouble = match outcome? {
                TokenOutcome::Stored(tokens, renewal, sent) => {
                    self.put_in_force(tokens, &renewal, sent);
                    for (path, _) in rescued {
                        // Newer tokens are stored: what it may hold is of no use to anybody any more.
                        let _ = crate::disk::atomic::remove_if_there(&path);
                    }
                    return Ok(());
                }
                TokenOutcome::Nothing(trouble, kept) => {
                    reservation = kept;
                    trouble
                }
            };
            let trouble = match trouble {
                Trouble::Passing(trouble) => trouble,
                Trouble::NotUnderstood(trouble, answer) => {
                    if !answer.is_empty() && !rescued.iter().any(|(_, known)| *known == answer) {
                        rescued.push((reservation.rescue(&answer)?, answer));
                        let kept = rescued.last().map(|(path, _)| kept_in(path));
                        reservation = self
                            .store
                            .prepare()
                            .map_err(|e| e.safe(kept.unwrap_or_default()))?;
                    }
                    trouble
                }
                Trouble::RateLimited => {
                    if rate_limits == RATE_LIMIT_WAITS {
                        return Err(rate_limited(
                            "AWeber answered 'Rate Limit Error' to the refresh",
                        ));
                    }
                    rate_limits += 1;
                    self.wait_for_rate_limit().await?;
                    continue;
                }
                Trouble::Refused(error) => {
                    return Err(match rescued.first() {
                        Some((path, _)) => error.or_safe(kept_in(path)),
                        None => error,
                    });
                }
            };
            if repeats == REPEATS {
                let error = Error::new(
                    Kind::Unavailable,
                    format!("cannot refresh the token: {trouble}, {} times", repeats + 1),
                );
                return Err(match rescued.first() {
                    Some((path, _)) => error.safe(kept_in(path)),
                    None => error.safe("the refresh token is kept; the next run tries it again"),
                }
                .next("nothing, if it passes; see status.aweber.com"));
            }
            tracing::info!(
                event = "retry",
                "cannot refresh the token yet: {trouble}; trying again with the same one"
            );
            self.pause(retry::wait(self.network.retry_wait, repeats, random_byte()))
                .await?;
            repeats += 1;
        }
    }

    fn put_in_force(&mut self, tokens: TokenFile, renewal: &Renewal, sent: Instant) {
        let life = Duration::from_secs(renewal.expires_in);
        self.dies_at = sent.checked_add(life);
        self.refresh_at = sent.checked_add(life - AHEAD.min(life / 10));
        let before = std::mem::replace(&mut self.tokens, tokens);
        self.spent
            .extend([before.access_token, before.refresh_token]);
        self.counts.refreshes += 1;
        tracing::debug!(
            event = "refreshed",
            generation = self.tokens.generation,
            "refreshed; the new tokens are stored"
        );
    }
}

fn kept_in(path: &Path) -> String {
    format!(
        "AWeber's answer, which may hold the new token, is kept in {}",
        path.display()
    )
}
