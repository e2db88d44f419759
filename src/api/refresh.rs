//! Spending a refresh token: the one request whose repetition needs thought, since AWeber hands out a new token with
//! each and may kill the old one at once. The protocol is in the design notes of the README, 'The token'.

use super::envelope::Problem;
use super::retry::{self, RATE_LIMIT_WAITS, REPEATS};
use super::session::{Session, random_byte, rate_limited};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::secret::{ExposeSecret, SecretString};
use crate::token::model::TokenFile;
use crate::token::refresh::{Renewal, TokenAnswer, read_answer, read_cut_tokens};
use chrono::Utc;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where token requests go (AWeber API, section 1).
pub(crate) const TOKEN_PATH: &str = "/oauth2/token";

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
        let left = self.tokens.expires_at - Utc::now().timestamp();
        if left < WORTH_USING {
            return Err(error);
        }
        match error.exit() {
            Exit::NeedsHuman => {}
            // In the middle of a run the token at hand is still good: no reason to give up the run.
            Exit::Unavailable if self.refresh_at.is_some() => {
                tracing::warn!("{error}");
                self.refresh_at = Instant::now().checked_add(AGAIN);
                return Ok(());
            }
            _ => return Err(error),
        }
        tracing::warn!(
            "AWeber no longer accepts the refresh token; going on with the access token, {left} s before it dies"
        );
        self.refresh_at = None;
        self.owed = Some(error.or_safe("this run went on with the access token that still lived"));
        Ok(())
    }

    /// Refreshes because the access token is of no use any more.
    ///
    /// Errors: 77 refresh token dead, 78 client refused or blocked, 75 rate limit, 69 no answer, 74 cannot be stored
    /// (found before the token is spent).
    pub(super) async fn refresh_refused(&mut self) -> Result<()> {
        let mut reservation = self.store.prepare(Some(&self.tokens))?;
        let (mut repeats, mut rate_limits) = (0, 0);
        let mut rescued: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        loop {
            self.wait_for_turn().await?;
            let (sent_at, sent) = (Utc::now().timestamp(), Instant::now());
            // Not given up for a signal: whatever the answer is, it is stored first.
            let outcome = self.post_refresh().await;
            let trouble = match read_outcome(outcome) {
                Outcome::Granted(renewal) => {
                    let tokens = self.tokens.renewed(&renewal, sent_at);
                    reservation.store(&tokens)?;
                    self.put_in_force(tokens, &renewal, sent);
                    for (path, _) in rescued {
                        // Newer tokens are stored: what it may hold is of no use to anybody any more.
                        let _ = crate::disk::atomic::remove_if_there(&path);
                    }
                    return Ok(());
                }
                Outcome::NotUnderstood(trouble, answer) => {
                    if !answer.is_empty() && !rescued.iter().any(|(_, known)| *known == answer) {
                        rescued.push((reservation.rescue(&answer)?, answer));
                        reservation = self.store.prepare(Some(&self.tokens))?;
                    }
                    trouble
                }
                Outcome::RateLimited => {
                    self.note_request();
                    if rate_limits == RATE_LIMIT_WAITS {
                        return Err(rate_limited(
                            "AWeber answered 'Rate Limit Error' to the refresh",
                        ));
                    }
                    rate_limits += 1;
                    self.wait_for_rate_limit().await?;
                    continue;
                }
                Outcome::Refused(error) => {
                    self.note_request();
                    return Err(match rescued.first() {
                        Some((path, _)) => error.or_safe(kept(path)),
                        None => error,
                    });
                }
                Outcome::Passing(trouble) => trouble,
            };
            self.note_request();
            if repeats == REPEATS {
                let error = Error::new(
                    Exit::Unavailable,
                    format!("cannot refresh the token: {trouble}, {} times", repeats + 1),
                );
                return Err(match rescued.first() {
                    Some((path, _)) => error.safe(kept(path)),
                    None => error.safe("the refresh token is kept; the next run tries it again"),
                }
                .next("nothing, if it passes; see status.aweber.com"));
            }
            tracing::info!(
                "cannot refresh the token yet: {trouble}; trying again with the same one"
            );
            self.pause(retry::wait(self.network.retry_wait, repeats, random_byte()))
                .await?;
            repeats += 1;
        }
    }

    fn put_in_force(&mut self, tokens: TokenFile, renewal: &Renewal, sent: Instant) {
        let life = Duration::from_secs(renewal.expires_in);
        self.refresh_at = sent.checked_add(life - AHEAD.min(life / 10));
        self.tokens = tokens;
        self.counts.refreshes += 1;
        self.note_request();
        tracing::debug!(
            generation = self.tokens.generation,
            "refreshed; the new tokens are stored"
        );
    }

    async fn post_refresh(&self) -> std::result::Result<super::http::Reply, super::http::Fault> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.tokens.refresh_token.expose_secret()),
        ];
        self.post_token(&form, &self.tokens.client_id, self.client_secret.as_ref())
            .await
    }

    async fn post_token(
        &self,
        form: &[(&str, &str)],
        client_id: &str,
        secret: Option<&SecretString>,
    ) -> std::result::Result<super::http::Reply, super::http::Fault> {
        post_token(&self.http, form, client_id, secret).await
    }
}

/// POST to the token endpoint. A confidential client shows id and secret in the Basic header, a public one its id in
/// the form and never a secret (AWeber API, section 1 'Token').
pub(crate) async fn post_token(
    http: &super::http::Http,
    form: &[(&str, &str)],
    client_id: &str,
    secret: Option<&SecretString>,
) -> std::result::Result<super::http::Reply, super::http::Fault> {
    match secret {
        Some(secret) => {
            http.post_form(TOKEN_PATH, form, Some((client_id, secret)))
                .await
        }
        None => {
            let form = [form, &[("client_id", client_id)]].concat();
            http.post_form(TOKEN_PATH, &form, None).await
        }
    }
}

/// What came of one attempt to get tokens.
pub(crate) enum Outcome {
    /// New tokens.
    Granted(Renewal),
    /// Why, and the answer, which may hold the only live token.
    NotUnderstood(String, Vec<u8>),
    /// 'Rate Limit Error'.
    RateLimited,
    /// For good.
    Refused(Error),
    /// Worth another try with the same token.
    Passing(String),
}

/// Sorts what came back, also from a connection that broke in the middle of the answer.
pub(crate) fn read_outcome(
    outcome: std::result::Result<super::http::Reply, super::http::Fault>,
) -> Outcome {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(fault) => {
            return match read_cut_tokens(&fault.arrived) {
                Some(renewal) => Outcome::Granted(renewal),
                None if fault.arrived.is_empty() => Outcome::Passing(fault.what),
                None => Outcome::NotUnderstood(fault.what, fault.arrived),
            };
        }
    };
    let answered =
        |problem: &Problem| format!("AWeber answered {}{}", reply.status, problem.in_brackets());
    match read_answer(reply.status, &reply.body) {
        TokenAnswer::Granted(renewal) => Outcome::Granted(renewal),
        TokenAnswer::NotUnderstood => {
            let what = format!("AWeber answered {} with something that is no token", reply.status);
            match read_cut_tokens(&reply.body) {
                Some(renewal) => Outcome::Granted(renewal),
                None => Outcome::NotUnderstood(what, reply.body),
            }
        }
        TokenAnswer::RateLimited => Outcome::RateLimited,
        TokenAnswer::Passing(problem) => Outcome::Passing(answered(&problem)),
        TokenAnswer::GrantDead(problem) => Outcome::Refused(
            Error::new(Exit::NeedsHuman, format!("AWeber no longer accepts the token: {}", answered(&problem)))
                .next("aweber-sync authorize"),
        ),
        TokenAnswer::ClientRefused(problem) => Outcome::Refused(
            Error::config(format!("AWeber refuses the client: {}", answered(&problem)))
                .safe("the token was not spent")
                .next("check client id and secret at labs.aweber.com/apps: a public client has no secret (unset AWEBER_CLIENT_SECRET), a confidential one needs it"),
        ),
        TokenAnswer::SupportNeeded(problem) => Outcome::Refused(
            Error::config(answered(&problem))
                .safe("the token was not spent")
                .next("write to AWeber's support: the account is suspended or the integration blocked"),
        ),
    }
}

fn kept(path: &std::path::Path) -> String {
    format!(
        "AWeber's answer, which may hold the new token, is kept in {}",
        path.display()
    )
}
