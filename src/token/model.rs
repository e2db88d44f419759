//! The token file as data: reading it, writing it, and merging a refresh answer into it. Pure.
//!
//! Shape (JSON): `version, generation, client_id, client_secret?, account_id?, access_token, refresh_token,
//! token_type?, expires_at` (Unix seconds). With OAuth 1.0a: `access_token_secret` instead of the last three, and version
//! 2, so that an older program refuses the file. Keys that we do not know survive every rewrite.

use crate::json::{OwnPairs, Pairs};
use crate::token::answer::Renewal;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// The version of a file with tokens of OAuth 2.
const VERSION_OAUTH2: u64 = 1;

/// The version of a file with tokens of OAuth 1.0a, and the newest that we read.
const VERSION_OAUTH1: u64 = 2;

/// The kind of tokens, with the secret that outlives a run.
#[derive(Debug, Clone)]
pub(crate) enum TokenKind {
    /// Each run refreshes them.
    OAuth2 {
        /// Traded for the next pair.
        refresh_token: SecretString,
    },
    /// They never expire; each request is signed.
    OAuth1 {
        /// Signs, together with the client secret.
        token_secret: SecretString,
    },
}

impl TokenKind {
    /// Whether each run refreshes them; if not, they never expire.
    pub(crate) fn is_refreshed(&self) -> bool {
        match self {
            TokenKind::OAuth2 { .. } => true,
            TokenKind::OAuth1 { .. } => false,
        }
    }

    /// Whether requests are signed with them.
    pub(crate) fn is_oauth1(&self) -> bool {
        matches!(self, TokenKind::OAuth1 { .. })
    }

    /// The refresh token, or the token secret of OAuth 1.0a.
    pub(crate) fn lasting_secret(&self) -> &SecretString {
        match self {
            TokenKind::OAuth2 { refresh_token } => refresh_token,
            TokenKind::OAuth1 { token_secret } => token_secret,
        }
    }
}

/// The token file. `generation` grows by one with each new pair of tokens, so that after a crash the newer of two
/// files is known.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile {
    pub(crate) generation: u64,
    pub(crate) client_id: String,
    /// Only if it did not come from a file, where it stays.
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) account_id: Option<String>,
    /// None: imported or made by hand without one (OAuth 2 only).
    pub(crate) access_token: Option<SecretString>,
    pub(crate) kind: TokenKind,
    pub(crate) token_type: Option<String>,
    /// When the access token expires, Unix seconds by the local clock; 0 if unknown.
    pub(crate) expires_at: i64,
    /// Keys of other programs, unchanged to the digit.
    pub(crate) other: OwnPairs,
}

/// Why a text is not a token file. Contains nothing of the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Not a JSON object, or cut short.
    NotJson,
    /// A later version of this program wrote it.
    Newer(u64),
    /// A required key is missing, or is not a string.
    Missing(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::NotJson => f.write_str("it is not a JSON object"),
            Unreadable::Newer(v) => write!(f, "it has version {v}, written by a newer aweber-sync"),
            Unreadable::Missing(key) => write!(f, "\"{key}\" is missing"),
        }
    }
}

#[derive(Serialize)]
struct Shape<'a> {
    version: u64,
    generation: u64,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(flatten)]
    other: &'a OwnPairs,
}

impl TokenFile {
    /// Parses the content of a token file; white space after the object is allowed.
    pub(crate) fn parse(content: &[u8]) -> Result<TokenFile, Unreadable> {
        let Ok(Value::Object(mut map)) = serde_json::from_slice(content) else {
            return Err(Unreadable::NotJson);
        };
        let Ok(Pairs(pairs)) = serde_json::from_slice::<Pairs<'_>>(content) else {
            return Err(Unreadable::NotJson);
        };
        let version = map
            .shift_remove("version")
            .as_ref()
            .and_then(number)
            .unwrap_or(0);
        if version > VERSION_OAUTH1 as i64 {
            return Err(Unreadable::Newer(version as u64));
        }
        let mut take = |key| map.remove(key).and_then(string);
        let client_id = take("client_id").ok_or(Unreadable::Missing("client_id"))?;
        let (refresh_token, token_secret) = (take("refresh_token"), take("access_token_secret"));
        let client_secret = take("client_secret").map(SecretString::from);
        let access_token = take("access_token").map(SecretString::from);
        let kind = match (refresh_token, token_secret) {
            (None, Some(_)) if access_token.is_none() => {
                return Err(Unreadable::Missing("access_token"));
            }
            (None, Some(secret)) => TokenKind::OAuth1 {
                token_secret: secret.into(),
            },
            (refresh_token, _) => TokenKind::OAuth2 {
                refresh_token: refresh_token
                    .ok_or(Unreadable::Missing("refresh_token"))?
                    .into(),
            },
        };
        let (account_id, token_type) = (take("account_id"), take("token_type"));
        let mut take = |key| map.remove(key).as_ref().and_then(number);
        let (generation, expires_at) = (take("generation"), take("expires_at"));
        Ok(TokenFile {
            generation: generation.and_then(|g| g.try_into().ok()).unwrap_or(0),
            client_id,
            client_secret,
            account_id,
            access_token,
            kind,
            token_type,
            expires_at: expires_at.unwrap_or(0),
            // What was not taken above.
            other: OwnPairs(
                pairs
                    .into_iter()
                    .filter(|(key, _)| map.contains_key(key))
                    .map(|(key, value)| (key, value.to_owned()))
                    .collect(),
            ),
        })
    }

    /// The bytes to store, with a line feed at the end; zeroized when dropped.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room enough that the buffer does not move while secrets are in it.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
        let lasting = self.lasting_secret().expose_secret();
        let is_oauth1 = self.kind.is_oauth1();
        let shape = Shape {
            version: if is_oauth1 {
                VERSION_OAUTH1
            } else {
                VERSION_OAUTH2
            },
            generation: self.generation,
            client_id: &self.client_id,
            client_secret: self.client_secret.as_ref().map(ExposeSecret::expose_secret),
            account_id: self.account_id.as_deref(),
            access_token: self.access_token.as_ref().map(ExposeSecret::expose_secret),
            access_token_secret: is_oauth1.then_some(lasting),
            refresh_token: (!is_oauth1).then_some(lasting),
            token_type: self.token_type.as_deref(),
            expires_at: (!is_oauth1).then_some(self.expires_at),
            other: &self.other,
        };
        // Strings and numbers into memory: serialization cannot fail.
        let _ = serde_json::to_writer_pretty(&mut *bytes, &shape);
        bytes.push(b'\n');
        bytes
    }

    /// As [`TokenKind::lasting_secret`].
    pub(crate) fn lasting_secret(&self) -> &SecretString {
        self.kind.lasting_secret()
    }

    /// The secrets in it, to be redacted from foreign text.
    pub(crate) fn secrets(&self) -> Vec<&SecretString> {
        [self.lasting_secret()]
            .into_iter()
            .chain(&self.access_token)
            .chain(&self.client_secret)
            .collect()
    }

    /// Whether they are the same tokens, whatever else differs.
    pub(crate) fn is_same(&self, other: &TokenFile) -> bool {
        let (own, others) = (self.secrets().into_iter(), other.secrets().into_iter());
        let others = others.map(ExposeSecret::expose_secret);
        self.generation == other.generation && own.map(ExposeSecret::expose_secret).eq(others)
    }

    /// The file after a refresh whose request was sent at `sent_at` (Unix seconds). An answer without a refresh
    /// token leaves the old one valid (RFC 6749, section 6).
    pub(crate) fn renewed(&self, renewal: &Renewal, sent_at: i64) -> TokenFile {
        TokenFile {
            generation: self.generation + 1,
            access_token: Some(renewal.access_token.clone()),
            kind: TokenKind::OAuth2 {
                refresh_token: renewal
                    .refresh_token
                    .clone()
                    .unwrap_or_else(|| self.lasting_secret().clone()),
            },
            token_type: renewal
                .token_type
                .clone()
                .or_else(|| self.token_type.clone()),
            expires_at: sent_at.saturating_add_unsigned(renewal.expires_in),
            ..self.clone()
        }
    }
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// An integer or a float (Python's `expires_at`), also in quotes.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
        Value::String(text) => text.trim().parse::<f64>().ok().map(|f| f as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"note":"mine","version":1,"generation":4,"client_id":"c","account_id":"12",
        "access_token":"AT-1","refresh_token":"RT-1","expires_at":1700000000.5,"x":{"b":12345678901234567890123,"a":40.10}}"#;

    fn renewal(refresh_token: Option<&str>) -> Renewal {
        Renewal {
            access_token: "AT-2".into(),
            refresh_token: refresh_token.map(Into::into),
            token_type: None,
            expires_in: 7200,
        }
    }

    #[test]
    fn unknown_keys_survive_in_their_order() {
        let file = TokenFile::parse(FILE.as_bytes()).unwrap();
        let text = String::from_utf8(file.to_bytes().to_vec()).unwrap();
        let again = TokenFile::parse(text.as_bytes()).unwrap();
        assert!(
            text.contains("12345678901234567890123") && text.contains("40.10"),
            "{text}"
        );
        assert_eq!(again.other.0.len(), 2);
        assert_eq!(again.expires_at, 1_700_000_000);
        assert!(text.find("note").unwrap() < text.find("\"x\"").unwrap());
        assert!(text.find("\"b\"").unwrap() < text.find("\"a\"").unwrap());
        assert!(!text.contains("client_secret") && !text.contains("token_type"));
    }

    #[test]
    fn a_refresh_answer_without_refresh_token_keeps_the_old_one() {
        let file = TokenFile::parse(FILE.as_bytes()).unwrap();
        let kept = file.renewed(&renewal(None), 1000);
        assert_eq!(kept.lasting_secret().expose_secret(), "RT-1");
        assert_eq!(kept.access_token.unwrap().expose_secret(), "AT-2");
        assert_eq!((kept.generation, kept.expires_at), (5, 8200));
        let replaced = file.renewed(&renewal(Some("RT-2")), 1000);
        assert_eq!(replaced.lasting_secret().expose_secret(), "RT-2");
        assert_eq!(replaced.other.0.len(), 2);
    }

    #[test]
    fn white_space_after_the_object_is_allowed_and_half_an_object_is_not() {
        let mut padded = FILE.as_bytes().to_vec();
        padded.extend([b' '; 70]);
        assert!(TokenFile::parse(&padded).is_ok());
        for cut in 0..FILE.len() {
            assert!(TokenFile::parse(&FILE.as_bytes()[..cut]).is_err());
        }
        assert_eq!(TokenFile::parse(b"    ").unwrap_err(), Unreadable::NotJson);
        assert_eq!(
            TokenFile::parse(br#"{"client_id":"c","refresh_token":""}"#).unwrap_err(),
            Unreadable::Missing("refresh_token")
        );
        assert_eq!(
            TokenFile::parse(br#"{"version":3}"#).unwrap_err(),
            Unreadable::Newer(3)
        );
    }

    #[test]
    fn tokens_of_oauth_1_have_the_version_that_an_older_program_refuses() {
        let file =
            br#"{"version":2,"generation":4,"client_id":"c","client_secret":"s","account_id":"12",
            "access_token":"AT-1","access_token_secret":"TS-1","note":"mine"}"#;
        let tokens = TokenFile::parse(file).unwrap();
        assert!(tokens.kind.is_oauth1());
        let written: Value = serde_json::from_slice(&tokens.to_bytes()).unwrap();
        assert_eq!(written, serde_json::from_slice::<Value>(file).unwrap());
        assert_eq!(
            TokenFile::parse(br#"{"client_id":"c","access_token_secret":"TS-1"}"#).unwrap_err(),
            Unreadable::Missing("access_token")
        );
    }

    #[test]
    fn debug_prints_no_secret() {
        let file = TokenFile::parse(FILE.as_bytes()).unwrap();
        let shown = format!("{file:?}");
        assert!(
            !shown.contains("AT-1") && !shown.contains("RT-1"),
            "{shown}"
        );
    }
}
