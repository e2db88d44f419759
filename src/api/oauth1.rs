//! OAuth 1.0a: tokens that never expire. Each attempt is signed anew; nothing is refreshed.

use super::attempts::Failed;
use super::clock::Clock;
use super::signature::{Signed, Signer, Stamp};
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretString;
use crate::token::model::TokenFile;
use chrono::{DateTime, Utc};
use url::Url;

/// The tokens, and what signs with them.
#[derive(Debug)]
pub(crate) struct OAuth1 {
    tokens: TokenFile,
    signer: Signer,
    /// Of the latest requests, as many as may be under way at once, to be redacted.
    signatures: [SecretString; 4],
}

impl OAuth1 {
    /// A configured client secret takes precedence over that of the tokens. Errors: 78 without either.
    pub(crate) fn new(tokens: TokenFile, client_secret: Option<SecretString>) -> Result<OAuth1> {
        let Some(consumer_secret) = client_secret.or_else(|| tokens.client_secret.clone()) else {
            return Err(missing_secret());
        };
        let token = tokens.access_token.clone().unwrap_or_default();
        Ok(OAuth1 {
            signer: Signer {
                consumer_key: tokens.client_id.clone(),
                consumer_secret,
                token: Some((token, tokens.lasting_secret().clone())),
            },
            tokens,
            signatures: Default::default(),
        })
    }

    /// `OAuth …` for one attempt at a GET of that URL.
    pub(super) fn header(&mut self, url: &Url, clock: &Clock) -> SecretString {
        let Signed { header, signature } =
            self.signer
                .sign("GET", url, &[], &Stamp::at(clock.signing_time()));
        self.signatures.rotate_left(1);
        self.signatures[3] = signature;
        header
    }

    /// The attempt is signed once more, by AWeber's clock if that was the reason; after a second 401 a person is needed.
    pub(super) fn unauthorized(
        &self,
        answered: String,
        problem: &Problem,
        date: Option<DateTime<Utc>>,
        clock: &mut Clock,
    ) -> Failed {
        if problem.names_timestamp() {
            return bad_timestamp(answered, date, clock);
        }
        Failed::Unauthorized(
            Error::new(
                Kind::NeedsHuman,
                format!("{answered} to a signed request: it no longer accepts these tokens"),
            )
            .safe("the tokens are kept")
            .next(
                "aweber-sync authorize (the app was disconnected, or its consumer secret changed)",
            ),
        )
    }

    pub(super) fn tokens(&self) -> &TokenFile {
        &self.tokens
    }

    pub(super) fn set_tokens(&mut self, tokens: TokenFile) {
        self.tokens = tokens;
    }

    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        let tokens = self.tokens.secrets().into_iter();
        tokens
            .chain([&self.signer.consumer_secret])
            .chain(&self.signatures)
            .collect()
    }
}

/// 78.
pub(crate) fn missing_secret() -> Error {
    Error::config("missing client secret: OAuth 1.0a signs each request with it")
        .safe("no request was sent")
        .next("set AWEBER_CLIENT_SECRET or AWEBER_CLIENT_SECRET_FILE to the consumer secret of the app, then run the same command again")
}

/// A refused timestamp: the attempt is repeated by the clock of the answer, `date`. The error is for a repetition that is
/// refused too.
pub(super) fn bad_timestamp(
    answered: String,
    date: Option<DateTime<Utc>>,
    clock: &mut Clock,
) -> Failed {
    let off = match date.map(|date| clock.compare(date)) {
        None => "differs from AWeber's, whose answer has no date".to_owned(),
        Some(ahead) if ahead < 0 => format!("is {} s ahead of AWeber's", -ahead),
        Some(ahead) => format!("is {ahead} s behind AWeber's"),
    };
    let what = format!("{answered}: the clock of this machine {off}");
    tracing::warn!(event = "clock_off", "{what}");
    Failed::Unauthorized(Error::config(what).safe("the tokens are kept").next(
        "set the clock of this machine (timedatectl set-ntp true), then run the same command again",
    ))
}
