//! The token file as data: reading it, writing it, and merging a refresh answer into it. Pure.
//!
//! Shape (JSON): `version, generation, client_id, client_secret?, account_id?, access_token, refresh_token,
//! token_type?, expires_at` (Unix seconds). Keys that we do not know survive every rewrite.

use crate::json::{OwnPairs, Pairs};
use crate::token::answer::Renewal;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Our own keys.
const KEYS: [&str; 9] = [
    "version",
    "generation",
    "client_id",
    "client_secret",
    "account_id",
    "access_token",
    "refresh_token",
    "token_type",
    "expires_at",
];

/// The version of the shape that we write and the newest that we read.
const VERSION: u64 = 1;

/// The token file. `generation` grows by one with each new pair of tokens, so that after a crash the newer of two
/// files is known.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile {
    pub(crate) generation: u64,
    pub(crate) client_id: String,
    /// Only if it did not come from a file, where it stays.
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) account_id: Option<String>,
    /// None: imported or made by hand without one.
    pub(crate) access_token: Option<SecretString>,
    pub(crate) refresh_token: SecretString,
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
    refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    expires_at: i64,
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
        if version > VERSION as i64 {
            return Err(Unreadable::Newer(version as u64));
        }
        let mut take = |key| map.remove(key).and_then(string);
        let (client_id, refresh_token) = (take("client_id"), take("refresh_token"));
        let client_secret = take("client_secret").map(SecretString::from);
        let access_token = take("access_token").map(SecretString::from);
        let (account_id, token_type) = (take("account_id"), take("token_type"));
        let mut take = |key| map.remove(key).as_ref().and_then(number);
        let (generation, expires_at) = (take("generation"), take("expires_at"));
        Ok(TokenFile {
            generation: generation.and_then(|g| g.try_into().ok()).unwrap_or(0),
            client_id: client_id.ok_or(Unreadable::Missing("client_id"))?,
            client_secret,
            account_id,
            access_token,
            refresh_token: refresh_token
                .ok_or(Unreadable::Missing("refresh_token"))?
                .into(),
            token_type,
            expires_at: expires_at.unwrap_or(0),
            other: OwnPairs(
                pairs
                    .into_iter()
                    .filter(|(key, _)| !KEYS.contains(&key.as_str()))
                    .map(|(key, value)| (key, value.to_owned()))
                    .collect(),
            ),
        })
    }

    /// The bytes to store, with a line feed at the end; zeroized when dropped.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room enough that the buffer does not move while secrets are in it.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
        let shape = Shape {
            version: VERSION,
            generation: self.generation,
            client_id: &self.client_id,
            client_secret: self.client_secret.as_ref().map(ExposeSecret::expose_secret),
            account_id: self.account_id.as_deref(),
            access_token: self.access_token.as_ref().map(ExposeSecret::expose_secret),
            refresh_token: self.refresh_token.expose_secret(),
            token_type: self.token_type.as_deref(),
            expires_at: self.expires_at,
            other: &self.other,
        };
        // Strings and numbers into memory: serialization cannot fail.
        let _ = serde_json::to_writer_pretty(&mut *bytes, &shape);
        bytes.push(b'\n');
        bytes
    }

    /// The secrets in it, to be redacted from foreign text.
    pub(crate) fn secrets(&self) -> Vec<&SecretString> {
        [&self.refresh_token]
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
    /// token leaves the old one in force (RFC 6749, section 6).
    pub(crate) fn renewed(&self, renewal: &Renewal, sent_at: i64) -> TokenFile {
        TokenFile {
            generation: self.generation + 1,
            access_token: Some(renewal.access_token.clone()),
            refresh_token: renewal
                .refresh_token
                .clone()
                .unwrap_or_else(|| self.refresh_token.clone()),
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
        assert_eq!(kept.refresh_token.expose_secret(), "RT-1");
        assert_eq!(kept.access_token.unwrap().expose_secret(), "AT-2");
        assert_eq!((kept.generation, kept.expires_at), (5, 8200));
        let replaced = file.renewed(&renewal(Some("RT-2")), 1000);
        assert_eq!(replaced.refresh_token.expose_secret(), "RT-2");
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
            TokenFile::parse(br#"{"version":2}"#).unwrap_err(),
            Unreadable::Newer(2)
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
