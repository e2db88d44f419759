//! OAuth 1.0a out of band (RFC 5849, section 2): a request token, and the verifier that AWeber shows for it.

use super::Authorizer;
use crate::api::client::Client;
use crate::api::exchange::request_token;
use crate::api::oauth1::missing_secret;
use crate::api::signature::Signer;
use crate::authorization::PendingAuthorization;
use crate::connect::request_log;
use crate::error::{Kind, Result};
use crate::secret::{ExposeSecret, SecretString};
use crate::stop::Stop;
use crate::token::grant::{Grant, GrantedClient, VerifierGrant};

impl Authorizer {
    /// Asks AWeber for a request token of that client.
    pub(super) async fn request_token(
        &self,
        client_id: String,
        stop: &Stop,
    ) -> Result<PendingAuthorization> {
        let signer = Signer {
            consumer_secret: self.secret_of(&client_id).ok_or_else(missing_secret)?,
            consumer_key: client_id.clone(),
            token: None,
        };
        let base = &self.config.base;
        let mut client = Client::new(&base.network, request_log(base)?, stop.clone())?;
        let (token, secret) = request_token(&mut client, &signer)
            .await
            .map_err(|error| match error.kind() {
                // There is no code yet that could be wrong.
                Kind::NeedsHuman => error
                    .with_kind(Kind::Config)
                    .next("check client id and secret: they are the consumer key and consumer secret of the app"),
                _ => error
                    .during("cannot get a request token")
                    .or_next("aweber-sync authorize --oauth1, when AWeber answers again; see status.aweber.com"),
            })
            .map_err(|error| error.or_safe("nothing was changed"))?;
        Ok(PendingAuthorization {
            client_id,
            redirect_uri: None,
            state: token.expose_secret().to_owned(),
            verifier: Some(secret),
        })
    }

    /// What the pasted verifier completes; with the client secret, if that was pasted too.
    pub(super) fn verifier_grant(
        &self,
        pending: &PendingAuthorization,
        pasted_secret: Option<SecretString>,
        pasted: &str,
    ) -> Result<Grant> {
        let id = &pending.client_id;
        let secret = pasted_secret.clone().or_else(|| self.secret_of(id));
        let client = self.granted_client(id);
        Ok(Grant::Verifier(VerifierGrant {
            request_token: pending.state.as_str().into(),
            request_secret: pending.verifier.clone().unwrap_or_default(),
            verifier: pending.read_pasted(pasted)?,
            client_secret: secret.ok_or_else(missing_secret)?,
            client: GrantedClient {
                kept_secret: pasted_secret.or(client.kept_secret.clone()),
                ..client
            },
        }))
    }
}
