//! Clients, codes and tokens: what exists, what is alive, and every secret that ever went over the wire.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ring::rand::{SecureRandom, SystemRandom};

use crate::settings::{Rotation, Settings};

/// The scopes that an export of subscribers needs.
pub const SCOPES_OF_THE_JOB: [&str; 3] = ["account.read", "list.read", "subscriber.read"];

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
    /// Its id.
    pub client_id: String,
    /// Its secret, if it is confidential.
    pub client_secret: Option<String>,
    /// Its kind.
    pub kind: ClientKind,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
}

/// A fresh pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// When the access token expires by the sandbox's clock, in Unix seconds.
    pub expires_at: i64,
}

/// A code that waits to be traded, or was.
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

/// One authorization by the customer: all tokens that came from it belong together.
#[derive(Debug)]
struct Family {
    client_id: String,
    scopes: Vec<String>,
}

#[derive(Debug)]
struct AccessToken {
    token: String,
    family: usize,
    expires_at: DateTime<Utc>,
    dead: bool,
    uses: u32,
}

#[derive(Debug)]
struct RefreshToken {
    token: String,
    family: usize,
    issued_at: DateTime<Utc>,
    dead: bool,
}

impl RefreshToken {
    /// Too old, if refresh tokens have an end at all.
    fn has_lapsed(&self, settings: &Settings, now: DateTime<Utc>) -> bool {
        let age = u64::try_from((now - self.issued_at).num_seconds()).unwrap_or(0);
        settings.refresh_expires_in.is_some_and(|life| age >= life)
    }
}

/// Everything about tokens that the world remembers. Nothing is ever removed: a dead token stays known as dead.
#[derive(Debug, Default)]
pub(crate) struct TokenStore {
    pub(crate) clients: Vec<Client>,
    pub(crate) codes: Vec<Code>,
    families: Vec<Family>,
    access: Vec<AccessToken>,
    refresh: Vec<RefreshToken>,
    secrets: Vec<String>,
}

impl TokenStore {
    /// Remembers a secret, wherever it was seen.
    pub(crate) fn remember(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients
            .iter()
            .find(|client| client.client_id == client_id)
    }

    pub(crate) fn add_client(&mut self, client: Client) {
        if let Some(secret) = &client.client_secret {
            self.remember(&secret.clone());
        }
        self.clients.push(client);
    }

    pub(crate) fn new_code(&mut self, code: Code) -> String {
        let text = code.code.clone();
        self.remember(&text);
        self.codes.push(code);
        text
    }

    /// The first tokens of an authorization.
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
        self.remember(&tokens.access_token);
        self.remember(&tokens.refresh_token);
        self.access.push(AccessToken {
            token: tokens.access_token.clone(),
            family,
            expires_at,
            dead: false,
            uses: 0,
        });
        self.refresh.push(RefreshToken {
            token: tokens.refresh_token.clone(),
            family,
            issued_at: now,
            dead: false,
        });
        tokens
    }

    /// New tokens for a refresh token of this client, or none: `invalid_grant`.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Option<Tokens> {
        let at = self.refresh.iter().position(|own| own.token == token)?;
        let family = self.refresh[at].family;
        if self.families[family].client_id != client_id {
            return None;
        }
        if self.refresh[at].has_lapsed(settings, now) {
            self.refresh[at].dead = true;
            return None;
        }
        if self.refresh[at].dead {
            if settings.rotation == Rotation::FamilyKill {
                self.kill_family(family);
            }
            return None;
        }
        if settings.refresh_kills_access {
            self.access
                .iter_mut()
                .filter(|own| own.family == family)
                .for_each(|own| own.dead = true);
        }
        let mut tokens = self.issue(family, settings, now);
        if settings.omit_refresh_token {
            // The client never sees the new one, so the old one has to go on working.
            self.refresh.pop();
            tokens.refresh_token = token.to_owned();
        } else if settings.rotation != Rotation::Tolerated {
            self.refresh[at].dead = true;
        }
        Some(tokens)
    }

    /// Uses an access token for one API request: whether it is good.
    pub(crate) fn use_access(
        &mut self,
        token: &str,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(own) = self.access.iter_mut().find(|own| own.token == token) else {
            return false;
        };
        if own.dead || now >= own.expires_at {
            return false;
        }
        if settings
            .access_dies_after_requests
            .is_some_and(|most| own.uses >= most)
        {
            own.dead = true;
            return false;
        }
        own.uses += 1;
        true
    }

    pub(crate) fn scopes_of(&self, access_token: &str) -> &[String] {
        let own = self.access.iter().find(|own| own.token == access_token);
        own.map_or(&[], |own| &self.families[own.family].scopes)
    }

    /// Revokes a token for its client: false if it belongs to another one. An unknown token is nothing to do.
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
            self.kill_family(family);
        } else if let Some(own) = self.access.iter_mut().find(|own| own.token == token) {
            if self.families[own.family].client_id != client_id {
                return false;
            }
            own.dead = true;
        }
        true
    }

    fn kill_family(&mut self, family: usize) {
        self.access
            .iter_mut()
            .filter(|own| own.family == family)
            .for_each(|own| own.dead = true);
        self.refresh
            .iter_mut()
            .filter(|own| own.family == family)
            .for_each(|own| own.dead = true);
    }

    pub(crate) fn kill_access(&mut self) {
        self.access.iter_mut().for_each(|own| own.dead = true);
    }

    pub(crate) fn kill_everything(&mut self) {
        (0..self.families.len()).for_each(|family| self.kill_family(family));
    }

    pub(crate) fn live_refresh(&self, settings: &Settings, now: DateTime<Utc>) -> Vec<String> {
        let is_live = |own: &&RefreshToken| !own.dead && !own.has_lapsed(settings, now);
        self.refresh
            .iter()
            .filter(is_live)
            .map(|own| own.token.clone())
            .collect()
    }

    pub(crate) fn live_access(&self, now: DateTime<Utc>) -> Vec<String> {
        let is_live = |own: &&AccessToken| !own.dead && now < own.expires_at;
        self.access
            .iter()
            .filter(is_live)
            .map(|own| own.token.clone())
            .collect()
    }
}

/// A random text that is easy to find in a log that should not have it.
pub(crate) fn random_token(prefix: &str) -> String {
    let mut bytes = [0u8; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random bytes");
    format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(bytes))
}
