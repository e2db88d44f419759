//! One request to the token endpoint, and the storing of what it grants as one piece of work that nothing interrupts.

use super::transport::{Fault, Reply, Transport};
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::secret::{ExposeSecret, SecretString};
use crate::token::model::TokenFile;
use crate::token::refresh::{Renewal, TokenAnswer, read_answer, read_cut_tokens};
use crate::token::reservation::Reservation;
use chrono::Utc;
use std::time::Instant;

/// Where token requests go (AWeber API, section 1).
const TOKEN_PATH: &str = "/oauth2/token";

/// A token request with all it takes to send it and to store what comes back.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    pub(crate) http: Transport,
    /// The fields but those that show the client.
    pub(crate) form: Vec<(&'static str, SecretString)>,
    /// None: a public client.
    pub(crate) client_secret: Option<SecretString>,
    /// What the answer is merged into.
    pub(crate) tokens: TokenFile,
    /// Where the result is stored.
    pub(crate) reservation: Reservation,
}

/// What came of a token request.
#[derive(Debug)]
pub(crate) enum TokenOutcome {
    /// New tokens; they are stored. With the life of the access token, and when the request was sent.
    Stored(TokenFile, Renewal, Instant),
    /// Nothing was granted; the room is still set aside.
    Nothing(Trouble, Reservation),
}

/// Why nothing was granted.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Why, and the answer, which may hold the only live token.
    NotUnderstood(String, Vec<u8>),
    /// 'Rate Limit Error'.
    RateLimited,
    /// For good.
    Refused(Error),
    /// Worth another try with the same token.
    Passing(String),
}

impl TokenRequest {
    /// Sends it and stores what it grants.
    ///
    /// Runs as a task of its own: the runtime turns to it straight from the task that read the last byte off the
    /// socket, so that no system call stands between that and the write; and nothing that gives up waiting for it
    /// gives up the tokens. Errors: 74, the new tokens could not be stored as they should.
    pub(crate) async fn send(self) -> Result<TokenOutcome> {
        match tokio::spawn(self.send_and_store()).await {
            Ok(outcome) => outcome,
            Err(e) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(Kind::LocalIo, "the token request was cut off")),
            },
        }
    }

    async fn send_and_store(self) -> Result<TokenOutcome> {
        let (sent_at, sent) = (Utc::now().timestamp(), Instant::now());
        let answer = self.post().await;
        let first = self.tokens.refresh_token.expose_secret().is_empty();
        match read(answer, first, &self.secrets()) {
            Ok(renewal) => {
                let tokens = self.tokens.renewed(&renewal, sent_at);
                self.reservation.store(&tokens)?;
                Ok(TokenOutcome::Stored(tokens, renewal, sent))
            }
            Err(trouble) => Ok(TokenOutcome::Nothing(trouble, self.reservation)),
        }
    }

    /// What no message may repeat.
    fn secrets(&self) -> Vec<&SecretString> {
        let tokens = [&self.tokens.refresh_token, &self.tokens.access_token];
        let form = self
            .form
            .iter()
            .filter(|(name, _)| !matches!(*name, "grant_type" | "redirect_uri"));
        form.map(|(_, value)| value)
            .chain(&self.client_secret)
            .chain(tokens)
            .collect()
    }

    /// A confidential client shows id and secret in the Basic header, a public one its id in the form and never a
    /// secret (AWeber API, section 1 'Token').
    async fn post(&self) -> std::result::Result<Reply, Fault> {
        let client_id = self.tokens.client_id.as_str();
        let mut form: Vec<(&str, &str)> = self
            .form
            .iter()
            .map(|(name, value)| (*name, value.expose_secret()))
            .collect();
        let basic = self
            .client_secret
            .as_ref()
            .map(|secret| (client_id, secret));
        if basic.is_none() {
            form.push(("client_id", client_id));
        }
        self.http.post_form(TOKEN_PATH, &form, basic).await
    }
}

/// Sorts what came back, also from a connection that broke in the middle of the answer. `first`: there is no older
/// refresh token that could stay in force.
fn read(
    answer: std::result::Result<Reply, Fault>,
    first: bool,
    secrets: &[&SecretString],
) -> std::result::Result<Renewal, Trouble> {
    let granted = |renewal: Renewal, body: Vec<u8>| {
        if first && renewal.refresh_token.is_none() {
            return Err(Trouble::NotUnderstood(
                "AWeber gave no refresh token".to_owned(),
                body,
            ));
        }
        Ok(renewal)
    };
    let reply = match answer {
        Ok(reply) => reply,
        Err(fault) => {
            if let Some(error) = fault.distrust() {
                return Err(Trouble::Refused(error));
            }
            return match read_cut_tokens(&fault.arrived) {
                Some(renewal) => Ok(renewal),
                None if fault.arrived.is_empty() => Err(Trouble::Passing(fault.what)),
                None => Err(Trouble::NotUnderstood(fault.what, fault.arrived)),
            };
        }
    };
    let answered =
        |problem: &Problem| format!("AWeber answered {}{}", reply.status, problem.in_brackets());
    Err(match read_answer(reply.status, &reply.body, secrets) {
        TokenAnswer::Granted(renewal) => return granted(renewal, reply.body),
        TokenAnswer::NotUnderstood => match read_cut_tokens(&reply.body) {
            Some(renewal) => return Ok(renewal),
            None => Trouble::NotUnderstood(
                format!("AWeber answered {} with something that is no token", reply.status),
                reply.body,
            ),
        },
        TokenAnswer::RateLimited => Trouble::RateLimited,
        TokenAnswer::Passing(problem) => Trouble::Passing(answered(&problem)),
        TokenAnswer::GrantDead(problem) => Trouble::Refused(
            Error::new(Kind::NeedsHuman, format!("AWeber no longer accepts the refresh token: {}", answered(&problem)))
                .next("aweber-sync authorize"),
        ),
        TokenAnswer::ClientRefused(problem) => Trouble::Refused(
            Error::config(format!("AWeber refuses the client: {}", answered(&problem)))
                .safe("the refresh token was not spent")
                .next(
                    "check client id and secret at labs.aweber.com/apps: a public client has no secret (unset \
                     AWEBER_CLIENT_SECRET), a confidential one needs it",
                ),
        ),
        TokenAnswer::SupportNeeded(problem) => Trouble::Refused(
            Error::config(answered(&problem))
                .safe("the refresh token was not spent")
                .next("write to AWeber's support: the account is suspended or the integration blocked"),
        ),
    })
}
