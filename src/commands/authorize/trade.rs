//! Trading the authorization code for tokens (RFC 6749, section 4.1.3), and what a person can do about a refusal.

use super::Authorizer;
use crate::api::client::Client;
use crate::api::exchange::exchange;
use crate::authorization::PendingAuthorization;
use crate::connect::request_log;
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use crate::token::grant::{CodeGrant, Grant};

impl Authorizer {
    /// The pasted code, to be traded.
    pub(super) fn code_grant(
        &self,
        pending: &PendingAuthorization,
        redirect_uri: &str,
        pasted: &str,
    ) -> Result<Grant> {
        Ok(Grant::Code(CodeGrant {
            code: pending.read_pasted(pasted)?,
            redirect_uri: redirect_uri.to_owned(),
            verifier: pending.verifier.clone(),
            client: self.granted_client(&pending.client_id),
        }))
    }

    /// Trades the code for tokens and activates them.
    pub(super) async fn trade(&self, grant: Grant) -> Result<()> {
        let mut stop = Stop::listen(None)?;
        let locks = self.take_locks(&mut stop).await?;
        if !self.make_room(&locks, &stop, "the code").await? {
            return Ok(());
        }
        let secret = match &grant {
            Grant::Verifier(grant) => Some(grant.client_secret.clone()),
            grant => self.secret_of(grant.client_id()),
        };
        let base = &self.config.base;
        let mut client = Client::new(&base.network, request_log(base)?, stop.clone())?;
        let candidate = locks.store.candidate();
        exchange(&mut client, &candidate, &grant, secret.as_ref())
            .await
            .map_err(|error| refused_code(&grant, error))?;
        self.adopt(&locks, secret, stop).await
    }
}

/// Adds to an error what the user can do about it; AWeber's own words are in it already.
fn refused_code(grant: &Grant, error: Error) -> Error {
    let error = match error.kind() {
        // The error already has the right advice.
        Kind::NeedsHuman | Kind::Config if matches!(grant, Grant::Verifier(_)) => {
            return error.safe("nothing was changed");
        }
        Kind::NeedsHuman | Kind::Config => error,
        Kind::Unavailable => {
            return error
                .during("cannot trade the code for tokens")
                .or_safe("nothing was changed")
                .or_next(
                    "aweber-sync authorize, when AWeber answers again; see status.aweber.com",
                );
        }
        Kind::Signal(_) => {
            return error
                .safe("nothing was changed")
                .next("aweber-sync authorize");
        }
        _ => return error,
    };
    let said = error.to_string();
    // The one place that looks at AWeber's wording: the error types do not tell these apart.
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
            Kind::WrongPaste,
            "AWeber does not accept the code: it was used already, has expired, or belongs to another client (invalid_grant)",
        )
        .next("aweber-sync authorize, and paste the new code at once"),
        (_, None) => error,
    };
    error.safe("nothing was changed")
}
