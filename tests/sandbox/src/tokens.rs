//! Clients, codes and tokens: which exist, which are valid, and all secrets ever issued or received.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeSet;

use crate::settings::{Rotation, Settings};

/// The scopes that an export of subscribers needs.
pub const EXPORT_SCOPES: [&str; 3] = ["account.read", "list.read", "subscriber.read"];

/// The two kinds of OAuth client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// No secret; PKCE required.
    Public,
    /// A secret; PKCE forbidden.
    Confidential,
}

/// A registered app.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client id.
    pub client_id: String,
    /// The secret of a confidential client.
    pub client_secret: Option<String>,
    /// The kind.
    pub kind: ClientKind,
    /// The allowed redirect URIs.
    pub redirect_uris: Vec<String>,
}

/// A new pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// When the access token expires by the sandbox's clock, in Unix seconds.
    pub expires_at: i64,
}

/// An authorization code, spent or not.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) spent: bool,
}

/// One authorization by the customer, which all tokens that stem from it belong to.
#[derive(Debug, Clone)]
struct Family {
    client_id: String,
    scopes: Vec<String>,
}

#[derive(Debug, Clone)]
struct AccessToken {
    token: String,
    family: usize,
    expires_at: DateTime<Utc>,
    revoked: bool,
    uses: u32,
    /// As [`RefreshToken::issue`], of the token that it was issued with.
    issue: usize,
}

#[derive(Debug, Clone)]
struct RefreshToken {
    token: String,
    family: usize,
    issued_at: DateTime<Utc>,
    revoked: bool,
    /// Grows with each pair of tokens issued.
    issue: usize,
}

impl RefreshToken {
    fn has_expired(&self, settings: &Settings, now: DateTime<Utc>) -> bool {
        let age = u64::try_from((now - self.issued_at).num_seconds()).unwrap_or(0);
        settings
            .refresh_expires_in
            .is_some_and(|lifetime| age >= lifetime)
    }
}

/// All clients, codes, tokens and secrets. Nothing is ever removed; revoked tokens are kept as such.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenStore {
    pub(crate) clients: Vec<Client>,
    pub(crate) codes: Vec<Code>,
    families: Vec<Family>,
    access: Vec<AccessToken>,
    refresh: Vec<RefreshToken>,
    secrets: BTreeSet<String>,
}

impl TokenStore {
    pub(crate) fn record_secret(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.contains(secret) {
            self.secrets.insert(secret.to_owned());
        }
    }

    pub(crate) fn secrets(&self) -> &BTreeSet<String> {
        &self.secrets
    }

    pub(crate) fn set_client_secret(&mut self, client_id: &str, secret: &str) {
        let mut clients = self.clients.iter_mut();
        if let Some(client) = clients.find(|client| client.client_id == client_id) {
            client.client_secret = Some(secret.to_owned());
            self.secrets.insert(secret.to_owned());
        }
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients
            .iter()
            .find(|client| client.client_id == client_id)
    }

    pub(crate) fn add_client(&mut self, client: Client) {
        if let Some(secret) = &client.client_secret {
            self.record_secret(&secret.clone());
        }
        self.clients.push(client);
    }

    pub(crate) fn new_code(&mut self, code: Code) -> String {
        let text = code.code.clone();
        self.record_secret(&text);
        self.codes.push(code);
        text
    }

    /// Issues the first tokens of an authorization.
    pub(crate) fn open_family(
        &mut self,
        client_id: &str,
        scopes: Vec<String>,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Tokens {
        self.families.push(Family {
            client_id: client_id.to_owned(),
            scopes,
        });
        self.issue(self.families.len() - 1, settings, now)
    }

    fn issue(&mut self, family: usize, settings: &Settings, now: DateTime<Utc>) -> Tokens {
        let expires_at = now
            + Duration::seconds(
                i64::try_from(settings.access_expires_in).unwrap_or(i64::from(u32::MAX)),
            );
        let tokens = Tokens {
            access_token: random_token("AT"),
            refresh_token: random_token("RT"),
            expires_at: expires_at.timestamp(),
        };
        self.record_secret(&tokens.access_token);
        self.record_secret(&tokens.refresh_token);
        let issue = self.access.len();
        self.access.push(AccessToken {
            token: tokens.access_token.clone(),
            family,
            expires_at,
            revoked: false,
            uses: 0,
            issue,
        });
        self.refresh.push(RefreshToken {
            token: tokens.refresh_token.clone(),
            family,
            issued_at: now,
            revoked: false,
            issue,
        });
        tokens
    }

    /// Issues new tokens for a refresh token of this client; `None` means `invalid_grant`.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Option<Tokens> {
        let at = self.refresh.iter().rposition(|own| own.token == token)?;
        let family = self.refresh[at].family;
        if self.families[family].client_id != client_id {
            return None;
        }
        if self.refresh[at].has_expired(settings, now) {
            self.refresh[at].revoked = true;
            return None;
        }
        if self.refresh[at].revoked {
            if settings.rotation == Rotation::FamilyKill {
                self.revoke_family(family);
            }
            return None;
        }
        if settings.refresh_kills_access {
            self.access
                .iter_mut()
                .filter(|own| own.family == family)
                .for_each(|own| own.revoked = true);
        }
        if settings.rotation == Rotation::UntilUsed {
            self.revoke_older(family, self.refresh[at].issue);
        }
        let mut tokens = self.issue(family, settings, now);
        if settings.omit_refresh_token {
            // The client never receives the new one, so the old one must stay valid.
            let unsent = self.refresh.pop();
            self.refresh[at].issue = unsent.map_or(0, |unsent| unsent.issue);
            tokens.refresh_token = token.to_owned();
        } else if matches!(
            settings.rotation,
            Rotation::DeadAtOnce | Rotation::FamilyKill
        ) {
            self.refresh[at].revoked = true;
        }
        Some(tokens)
    }

    /// Revokes the refresh tokens of an authorization that were issued before this issue.
    fn revoke_older(&mut self, family: usize, issue: usize) {
        self.refresh
            .iter_mut()
            .filter(|own| own.family == family && own.issue < issue)
            .for_each(|own| own.revoked = true);
    }

    /// Uses an access token for one API request; returns true if it is valid.
    pub(crate) fn use_access(
        &mut self,
        token: &str,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> bool {
        let mut newest_first = self.access.iter_mut().rev();
        let Some(own) = newest_first.find(|own| own.token == token) else {
            return false;
        };
        if own.revoked || now >= own.expires_at {
            return false;
        }
        if settings
            .access_dies_after_requests
            .is_some_and(|most| own.uses >= most)
        {
            own.revoked = true;
            return false;
        }
        own.uses += 1;
        let (family, issue) = (own.family, own.issue);
        if settings.rotation == Rotation::UntilUsed {
            self.revoke_older(family, issue);
        }
        true
    }

    pub(crate) fn scopes_of(&self, access_token: &str) -> &[String] {
        let mut newest_first = self.access.iter().rev();
        let own = newest_first.find(|own| own.token == access_token);
        own.map_or(&[], |own| &self.families[own.family].scopes)
    }

    /// Revokes a token; returns false if it belongs to another client. An unknown token is ignored.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str) -> bool {
        if let Some(family) = self
            .refresh
            .iter()
            .find(|own| own.token == token)
            .map(|own| own.family)
        {
            if self.families[family].client_id != client_id {
                return false;
            }
            self.revoke_family(family);
        } else if let Some(own) = self.access.iter_mut().find(|own| own.token == token) {
            if self.families[own.family].client_id != client_id {
                return false;
            }
            own.revoked = true;
        }
        true
    }

    fn revoke_family(&mut self, family: usize) {
        self.access
            .iter_mut()
            .filter(|own| own.family == family)
            .for_each(|own| own.revoked = true);
        self.refresh
            .iter_mut()
            .filter(|own| own.family == family)
            .for_each(|own| own.revoked = true);
    }

    pub(crate) fn revoke_all_access(&mut self) {
        self.access.iter_mut().for_each(|own| own.revoked = true);
    }

    pub(crate) fn revoke_all(&mut self) {
        (0..self.families.len()).for_each(|family| self.revoke_family(family));
    }

    pub(crate) fn live_refresh(&self, settings: &Settings, now: DateTime<Utc>) -> Vec<String> {
        let is_live = |own: &&RefreshToken| !own.revoked && !own.has_expired(settings, now);
        self.refresh
            .iter()
            .filter(is_live)
            .map(|own| own.token.clone())
            .collect()
    }

    /// The refresh tokens of each authorization, oldest first.
    pub(crate) fn refresh_by_family(&self) -> Vec<Vec<String>> {
        let of = |family| {
            let own = self.refresh.iter().filter(move |own| own.family == family);
            own.map(|own| own.token.clone()).collect()
        };
        (0..self.families.len()).map(of).collect()
    }

    /// The refresh token that an access token was issued with.
    pub(crate) fn refresh_with(&self, access_token: &str) -> Option<&str> {
        let access = self.access.iter().find(|own| own.token == access_token)?;
        let refresh = self.refresh.iter().find(|own| own.issue == access.issue)?;
        Some(&refresh.token)
    }

    pub(crate) fn live_access(&self, now: DateTime<Utc>) -> Vec<String> {
        let is_live = |own: &&AccessToken| !own.revoked && now < own.expires_at;
        self.access
            .iter()
            .filter(is_live)
            .map(|own| own.token.clone())
            .collect()
    }
}

/// A random text with a prefix that makes it easy to find in output.
pub(crate) fn random_token(prefix: &str) -> String {
    let mut bytes = [0u8; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random bytes");
    format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(bytes))
}
