//! Trading the authorization code for tokens (RFC 6749, section 4.1.3), and what a person can do about a refusal.

use super::Authorizer;
use crate::api::retry::{RATE_LIMIT_WAITS, REPEATS, wait};
use crate::api::session::{random_byte, rate_limited};
use crate::api::token_request::{TokenOutcome, TokenRequest, Trouble};
use crate::api::transport::Transport;
use crate::authorization::PendingAuthorization;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretString;
use crate::stop::Stop;
use std::time::Duration;

impl Authorizer {
    /// Trades the code for tokens and puts them in force.
    pub(super) async fn trade(
        &self,
        begun: &PendingAuthorization,
        code: &SecretString,
    ) -> Result<()> {
        let mut stop = Stop::listen(None)?;
        let locks = self.enter(&mut stop).await?;
        let http = Transport::new(&self.config.base.network)?;
        let mut form = vec![
            ("grant_type", "authorization_code".into()),
            ("code", code.clone()),
            ("redirect_uri", begun.redirect_uri.as_str().into()),
        ];
        form.extend(
            begun
                .verifier
                .clone()
                .map(|verifier| ("code_verifier", verifier)),
        );
        let mut reservation = locks.store.candidate().prepare()?;
        let (mut repeats, mut rate_limits) = (0, 0);
        loop {
            stop.check()?;
            let request = TokenRequest {
                http: http.clone(),
                form: form.clone(),
                client_secret: self.secret_of(&begun.client_id),
                tokens: self.blank(begun.client_id.clone(), SecretString::default()),
                reservation,
            };
            let trouble = match request.send().await? {
                TokenOutcome::Stored(..) => break,
                TokenOutcome::Nothing(trouble, kept) => {
                    reservation = kept;
                    trouble
                }
            };
            match trouble {
                Trouble::NotUnderstood(what, answer) => {
                    let kept = reservation.rescue(&answer)?;
                    return Err(Error::new(Kind::Unavailable, what)
                        .safe(format!("AWeber's answer is kept in {}", kept.display()))
                        .next("aweber-sync authorize"));
                }
                Trouble::RateLimited if rate_limits == RATE_LIMIT_WAITS => {
                    return Err(rate_limited(
                        "AWeber answered 'Rate Limit Error' to the code",
                    ));
                }
                Trouble::RateLimited => {
                    rate_limits += 1;
                    pause(self.config.base.network.rate_limit_wait, &mut stop).await?;
                }
                Trouble::Refused(error) => return Err(refused_code(error)),
                Trouble::Passing(what) if repeats == REPEATS => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!("cannot trade the code for tokens: {what}"),
                    )
                    .safe("nothing was changed")
                    .next(
                        "aweber-sync authorize, when AWeber answers again; see status.aweber.com",
                    ));
                }
                Trouble::Passing(what) => {
                    tracing::info!(
                        event = "retry",
                        "cannot trade the code yet: {what}; trying again"
                    );
                    pause(
                        wait(self.config.base.network.retry_wait, repeats, random_byte()),
                        &mut stop,
                    )
                    .await?;
                    repeats += 1;
                }
            }
        }
        self.adopt(&locks, self.secret_of(&begun.client_id), stop)
            .await
    }
}

async fn pause(duration: Duration, stop: &mut Stop) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(duration) => Ok(()),
        stopped = stop.requested() => Err(stopped.safe("nothing was changed").next("aweber-sync authorize")),
    }
}

/// Says for a refused code what a person can do about it; AWeber's own words are in the error already.
fn refused_code(error: Error) -> Error {
    let said = error.to_string();
    // The one place where AWeber's wording is looked at: kinds alone do not tell these apart.
    let advice = [
        (
            "Public Client MUST Use PKCE",
            "the app is registered as a public client: unset AWEBER_CLIENT_SECRET, then aweber-sync authorize",
        ),
        (
            "MUST NOT include secrets",
            "the app is registered as a public client: unset AWEBER_CLIENT_SECRET, then aweber-sync authorize",
        ),
        (
            "MUST NOT Use PKCE",
            "the app is registered as a confidential client: set AWEBER_CLIENT_SECRET or AWEBER_CLIENT_SECRET_FILE, then aweber-sync authorize",
        ),
        (
            "redirect",
            "give the --redirect-uri that the app is registered with at labs.aweber.com/apps",
        ),
    ];
    let found = advice
        .iter()
        .find(|(words, _)| said.to_lowercase().contains(&words.to_lowercase()));
    let error = match (error.kind(), found) {
        (_, Some((_, advice))) => error.next(*advice),
        (Kind::NeedsHuman, None) => Error::new(
            Kind::NeedsHuman,
            "AWeber does not accept the code: it was used already, is older than some minutes, or belongs to another client (invalid_grant)",
        )
        .next("aweber-sync authorize, and paste the new code at once"),
        (_, None) => error,
    };
    error.safe("nothing was changed")
}
