//! Clients and tokens, as tests change them: authorization without a browser, expiry, revocation.

use crate::oauth;
use crate::tokens::{Client, ClientKind, EXPORT_SCOPES, Tokens, random_token};
use crate::world::World;

/// Clients and tokens.
impl World {
    /// Registers an app under a new id.
    pub fn add_client<U: Into<String>>(
        &mut self,
        kind: ClientKind,
        redirect_uris: impl IntoIterator<Item = U>,
    ) -> Client {
        let client = Client {
            client_id: random_token("client"),
            client_secret: (kind == ClientKind::Confidential).then(|| random_token("secret")),
            kind,
            redirect_uris: redirect_uris.into_iter().map(Into::into).collect(),
        };
        self.tokens.add_client(client.clone());
        client
    }

    /// Gives a confidential client another secret.
    pub fn set_client_secret(&mut self, client_id: &str, secret: &str) {
        self.tokens.set_client_secret(client_id, secret);
    }

    /// Registers these redirect URIs for every app.
    pub fn accept_redirect_uris(&mut self, uris: &[String]) {
        for client in &mut self.tokens.clients {
            client.redirect_uris.extend_from_slice(uris);
        }
    }

    /// A registered app.
    pub fn client(&self, client_id: &str) -> Client {
        self.tokens
            .client(client_id)
            .unwrap_or_else(|| panic!("no client {client_id}"))
            .clone()
    }

    /// Authorizes a client with the scopes of an export.
    pub fn grant(&mut self, client_id: &str) -> Tokens {
        self.grant_scopes(client_id, &EXPORT_SCOPES)
    }

    /// Authorizes a client with these scopes.
    pub fn grant_scopes(&mut self, client_id: &str, scopes: &[&str]) -> Tokens {
        self.client(client_id);
        let (settings, now) = (self.settings.clone(), self.now());
        self.tokens.open_family(
            client_id,
            scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            &settings,
            now,
        )
    }

    /// An authorization code with the scopes of an export; `challenge` is that of PKCE.
    pub fn new_code(
        &mut self,
        client_id: &str,
        redirect_uri: &str,
        challenge: Option<&str>,
    ) -> String {
        self.client(client_id);
        let scopes = EXPORT_SCOPES.map(str::to_owned).to_vec();
        oauth::new_code(
            self,
            client_id,
            redirect_uri,
            challenge.map(str::to_owned),
            scopes,
        )
    }

    /// Expires all access tokens. Refresh tokens stay valid.
    pub fn expire_access_tokens(&mut self) {
        self.tokens.revoke_all_access();
    }

    /// Revokes all tokens, as a customer does who revokes the app.
    pub fn revoke_everything(&mut self) {
        self.tokens.revoke_all();
        self.oauth1.revoke_all();
    }

    /// The valid refresh tokens, oldest first.
    pub fn live_refresh_tokens(&self) -> Vec<String> {
        self.tokens.live_refresh(&self.settings, self.now())
    }

    /// Returns true if a refresh token is valid.
    pub fn is_live_refresh_token(&self, token: &str) -> bool {
        self.live_refresh_tokens().iter().any(|own| own == token)
    }

    /// The refresh tokens of each authorization, valid or not, oldest first; then the access token of each authorization
    /// by OAuth 1.0a, which is never replaced.
    pub fn refresh_tokens_by_grant(&self) -> Vec<Vec<String>> {
        let mut grants = self.tokens.refresh_by_family();
        let signed = self.oauth1.access_tokens();
        grants.extend(signed.map(|token| vec![token.to_owned()]));
        grants
    }

    /// The refresh token that an access token was issued with.
    pub fn refresh_token_with(&self, access_token: &str) -> Option<String> {
        self.tokens.refresh_with(access_token).map(str::to_owned)
    }

    /// The valid access tokens, oldest first.
    pub fn live_access_tokens(&self) -> Vec<String> {
        self.tokens.live_access(self.now())
    }

    /// All secrets issued, configured or received so far: tokens, codes, client secrets, code verifiers.
    pub fn secrets(&self) -> Vec<String> {
        self.tokens.secrets().iter().cloned().collect()
    }

    pub(crate) fn use_access_token(&mut self, token: &str) -> bool {
        let now = self.now();
        self.tokens.use_access(token, &self.settings, now)
    }

    pub(crate) fn scopes_of(&self, access_token: &str) -> &[String] {
        self.tokens.scopes_of(access_token)
    }
}
