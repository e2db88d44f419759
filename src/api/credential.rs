//! What authorizes requests: a bearer token, or a signature for each attempt. A third kind is one more file beside
//! [`bearer`](super::bearer), and one line in each `match` here.

use super::attempts::Failed;
use super::bearer::Bearer;
use super::client::Client;
use super::clock::Clock;
use super::oauth1::OAuth1;
use super::reaction::SCOPES;
use crate::envelope::Problem;
use crate::error::{Error, Result};
use crate::secret::SecretString;
use crate::token::answer::RefreshAnswer;
use crate::token::model::TokenFile;
use chrono::{DateTime, Utc};
use url::Url;

/// See the module.
#[derive(Debug)]
pub(crate) enum Credential {
    /// OAuth 2.
    Bearer(Bearer),
    /// OAuth 1.0a.
    OAuth1(OAuth1),
}

impl Credential {
    /// The Authorization header of a GET of that URL.
    pub(super) fn authorize(&mut self, url: &Url, clock: &Clock) -> SecretString {
        match self {
            Credential::Bearer(bearer) => bearer.header(),
            Credential::OAuth1(oauth1) => oauth1.header(url, clock),
        }
    }

    /// What a 401 of that date means for this kind of credential.
    pub(super) fn unauthorized(
        &self,
        answered: String,
        problem: &Problem,
        date: Option<DateTime<Utc>>,
        clock: &mut Clock,
    ) -> Failed {
        match self {
            Credential::Bearer(bearer) => bearer.unauthorized(answered),
            Credential::OAuth1(oauth1) => oauth1.unauthorized(answered, problem, date, clock),
        }
    }

    /// Whether it should be renewed before the next request.
    pub(super) fn is_due(&self) -> bool {
        match self {
            Credential::Bearer(bearer) => bearer.is_due(),
            Credential::OAuth1(_) => false,
        }
    }

    /// Renews it on start or ahead of its end. A failure that does not matter yet is deferred.
    pub(super) async fn renew_early(&mut self, client: &mut Client) -> Result<()> {
        match self {
            Credential::Bearer(bearer) => bearer.renew_early(client).await,
            Credential::OAuth1(_) => Ok(()),
        }
    }

    /// Renews it after a 401.
    pub(super) async fn renew(&mut self, client: &mut Client) -> Result<()> {
        match self {
            Credential::Bearer(bearer) => bearer.renew_after_401(client).await,
            Credential::OAuth1(_) => Ok(()),
        }
    }

    /// Whether a renewal that was needed failed: then nothing else can be asked either.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Credential::Bearer(bearer) => bearer.is_lost(),
            Credential::OAuth1(_) => false,
        }
    }

    /// The error that the run must end with although it went on.
    pub(super) fn take_deferred_error(&mut self) -> Option<Error> {
        match self {
            Credential::Bearer(bearer) => bearer.take_deferred_error(),
            Credential::OAuth1(_) => None,
        }
    }

    /// The tokens in use.
    pub(crate) fn tokens(&self) -> &TokenFile {
        match self {
            Credential::Bearer(bearer) => bearer.tokens(),
            Credential::OAuth1(oauth1) => oauth1.tokens(),
        }
    }

    /// Takes over tokens that the caller stored: the same ones with more known about them.
    pub(crate) fn set_tokens(&mut self, tokens: TokenFile) {
        match self {
            Credential::Bearer(bearer) => bearer.set_tokens(tokens),
            Credential::OAuth1(oauth1) => oauth1.set_tokens(tokens),
        }
    }

    /// What the answer to the latest renewal showed of AWeber.
    pub(super) fn refresh_answer(&self) -> Option<RefreshAnswer> {
        match self {
            Credential::Bearer(bearer) => bearer.refresh_answer(),
            Credential::OAuth1(_) => None,
        }
    }

    /// How often it was renewed.
    pub(super) fn renewals(&self) -> u64 {
        match self {
            Credential::Bearer(bearer) => bearer.renewals(),
            Credential::OAuth1(_) => 0,
        }
    }

    /// The secrets that a server might repeat, to be redacted.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Credential::Bearer(bearer) => bearer.secrets(),
            Credential::OAuth1(oauth1) => oauth1.secrets(),
        }
    }

    /// What the app may lack if AWeber refuses a request.
    pub(super) fn permissions(&self) -> String {
        match self {
            Credential::Bearer(_) => format!("the scopes {SCOPES}"),
            Credential::OAuth1(_) => {
                "the permissions that its page at labs.aweber.com/apps offers".to_owned()
            }
        }
    }
}
