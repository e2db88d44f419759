//! What authorizes requests: a bearer token today. A second kind (OAuth 1.0a: a signature for each attempt, nothing to
//! renew) is one more file beside [`bearer`](super::bearer), and one line in each `match` here.

use super::attempts::Failed;
use super::bearer::Bearer;
use super::client::Client;
use crate::envelope::Problem;
use crate::error::{Error, Result};
use crate::secret::SecretString;
use crate::token::answer::RefreshAnswer;
use crate::token::model::TokenFile;
use url::Url;

/// See the module.
#[derive(Debug)]
pub(crate) enum Credential {
    /// OAuth 2.
    Bearer(Bearer),
}

impl Credential {
    /// The Authorization header of a GET of that URL.
    pub(super) fn authorize(&self, _url: &Url) -> SecretString {
        match self {
            Credential::Bearer(bearer) => bearer.header(),
        }
    }

    /// What a 401 means for this kind of credential.
    pub(super) fn unauthorized(&self, answered: String, problem: &Problem) -> Failed {
        match self {
            Credential::Bearer(bearer) => bearer.unauthorized(answered, problem),
        }
    }

    /// Whether it should be renewed before the next request.
    pub(super) fn is_due(&self) -> bool {
        match self {
            Credential::Bearer(bearer) => bearer.is_due(),
        }
    }

    /// Renews it on start or ahead of its end. A failure that does not matter yet is deferred.
    pub(super) async fn renew_early(&mut self, client: &mut Client) -> Result<()> {
        match self {
            Credential::Bearer(bearer) => bearer.renew_early(client).await,
        }
    }

    /// Renews it after a 401.
    pub(super) async fn renew(&mut self, client: &mut Client) -> Result<()> {
        match self {
            Credential::Bearer(bearer) => bearer.renew_after_401(client).await,
        }
    }

    /// Whether a renewal that was needed failed: then nothing else can be asked either.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Credential::Bearer(bearer) => bearer.is_lost(),
        }
    }

    /// The error that the run must end with although it went on.
    pub(super) fn take_deferred_error(&mut self) -> Option<Error> {
        match self {
            Credential::Bearer(bearer) => bearer.take_deferred_error(),
        }
    }

    /// The tokens in use.
    pub(crate) fn tokens(&self) -> &TokenFile {
        match self {
            Credential::Bearer(bearer) => bearer.tokens(),
        }
    }

    /// Takes over tokens that the caller stored: the same ones with more known about them.
    pub(crate) fn set_tokens(&mut self, tokens: TokenFile) {
        match self {
            Credential::Bearer(bearer) => bearer.set_tokens(tokens),
        }
    }

    /// What the answer to the latest renewal showed of AWeber.
    pub(super) fn refresh_answer(&self) -> Option<RefreshAnswer> {
        match self {
            Credential::Bearer(bearer) => bearer.refresh_answer(),
        }
    }

    /// How often it was renewed.
    pub(super) fn renewals(&self) -> u64 {
        match self {
            Credential::Bearer(bearer) => bearer.renewals(),
        }
    }

    /// The secrets that a server might repeat, to be redacted.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Credential::Bearer(bearer) => bearer.secrets(),
        }
    }
}
