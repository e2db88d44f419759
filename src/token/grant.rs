//! What is traded for tokens: the fields of the request (RFC 6749, sections 4.1.3 and 6; RFC 5849, section 2.3), and the
//! token file that the answer makes of it. Pure.

use crate::json::OwnPairs;
use crate::secret::SecretString;
use crate::token::answer::Renewal;
use crate::token::model::{TokenFile, TokenKind};

/// A grant to present to the token endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// The refresh token of these tokens.
    Refresh(TokenFile),
    /// An authorization code.
    Code(CodeGrant),
    /// A verifier of OAuth 1.0a.
    Verifier(VerifierGrant),
}

/// A verifier of OAuth 1.0a with the request token that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct VerifierGrant {
    pub(crate) request_token: SecretString,
    pub(crate) request_secret: SecretString,
    pub(crate) verifier: SecretString,
    pub(crate) client_secret: SecretString,
    pub(crate) client: GrantedClient,
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(crate) struct CodeGrant {
    pub(crate) code: SecretString,
    pub(crate) redirect_uri: String,
    /// PKCE, for public clients.
    pub(crate) verifier: Option<SecretString>,
    pub(crate) client: GrantedClient,
}

/// The client that is authorized, and what the new token file keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct GrantedClient {
    pub(crate) id: String,
    /// Its secret, if the token file is to keep it.
    pub(crate) kept_secret: Option<SecretString>,
    /// The generation of the token file that the new one may replace.
    pub(crate) generation: u64,
}

impl GrantedClient {
    /// Its first token file. They never expire unless the caller knows better.
    fn tokens(&self, access_token: SecretString, kind: TokenKind) -> TokenFile {
        TokenFile {
            generation: self.generation + 1,
            client_id: self.id.clone(),
            client_secret: self.kept_secret.clone(),
            account_id: None,
            access_token: Some(access_token),
            kind,
            token_type: None,
            expires_at: 0,
            other: OwnPairs::default(),
        }
    }
}

impl Grant {
    /// The client that it was issued to.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Grant::Refresh(tokens) => &tokens.client_id,
            Grant::Code(grant) => &grant.client.id,
            Grant::Verifier(grant) => &grant.client.id,
        }
    }

    /// The form fields, without those that authenticate the client.
    pub(crate) fn form(&self) -> Vec<(&'static str, SecretString)> {
        match self {
            Grant::Refresh(tokens) => vec![
                ("grant_type", "refresh_token".into()),
                ("refresh_token", tokens.lasting_secret().clone()),
            ],
            Grant::Code(grant) => {
                let mut form = vec![
                    ("grant_type", "authorization_code".into()),
                    ("code", grant.code.clone()),
                    ("redirect_uri", grant.redirect_uri.as_str().into()),
                ];
                let verifier = grant.verifier.clone();
                form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
                form
            }
            // In the signed header.
            Grant::Verifier(_) => vec![],
        }
    }

    /// Whether the answer has to contain a refresh token: there is no older one to fall back on.
    pub(crate) fn is_first(&self) -> bool {
        !matches!(self, Grant::Refresh(_))
    }

    /// The secrets in it, to be redacted from foreign text.
    pub(crate) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Grant::Refresh(tokens) => tokens.secrets(),
            Grant::Code(grant) => [&grant.code].into_iter().chain(&grant.verifier).collect(),
            Grant::Verifier(grant) => {
                vec![&grant.request_secret, &grant.verifier, &grant.client_secret]
            }
        }
    }

    /// The token file to store after an answer to a request that was sent at `sent_at` (Unix seconds). `None`: the first
    /// answer has no refresh token.
    pub(crate) fn tokens(&self, renewal: &Renewal, sent_at: i64) -> Option<TokenFile> {
        match self {
            Grant::Refresh(tokens) => Some(tokens.renewed(renewal, sent_at)),
            Grant::Code(grant) => {
                let refresh_token = renewal.refresh_token.clone()?;
                let kind = TokenKind::OAuth2 { refresh_token };
                Some(TokenFile {
                    token_type: renewal.token_type.clone(),
                    expires_at: sent_at.saturating_add_unsigned(renewal.expires_in),
                    ..grant.client.tokens(renewal.access_token.clone(), kind)
                })
            }
            Grant::Verifier(grant) => {
                let token_secret = renewal.refresh_token.clone()?;
                let kind = TokenKind::OAuth1 { token_secret };
                Some(grant.client.tokens(renewal.access_token.clone(), kind))
            }
        }
    }
}
