//! Reads the credentials files that AWeber's sample programs, its OAuth 1.0a libraries, Postman and the `aweber` command
//! line tool write, and takes out of them what a token file needs (AWeber API, section 7).
//! Liberal in what it takes, since people edit such files by hand: only a refresh token, or a token secret of OAuth 1.0a
//! with its token, is indispensable.
//! Pure. Reading the file, asking for a client id that is not in it, and looking up the account are left to the caller.

use crate::token::model::TokenKind;
use chrono::DateTime;
use secrecy::SecretString;
use serde_json::{Map, Value, error::Category};
use std::collections::BTreeMap;
use std::fmt;

const PYTHON: &str = "the Python sample's credentials.json";
const NODE: &str = "the Node sample's credentials.json";
const RUBY: &str = "the Ruby sample's credentials.json";
const PHP: &str = "the PHP samples' credentials.ini";
const CSHARP: &str = "the C# sample's credentials.json";
const POSTMAN: &str = "an export of Postman's globals";
const AWEBER_CLI: &str = "the aweber CLI's credentials.json";
const OWN: &str = "a token file of aweber-sync";
const OAUTH1: &str = "credentials of OAuth 1.0a";
const OTHER: &str = "a JSON object of an unknown program";

/// What another program's file says. A client secret present means a confidential client, absent a public one.
#[derive(Debug)]
pub(crate) struct ImportedCredentials {
    /// Which program's file this is, as a noun for messages.
    pub(crate) format: &'static str,
    /// Absent in Postman exports without it, and in the `aweber` CLI's file if its built-in client was used.
    pub(crate) client_id: Option<String>,
    /// Never empty.
    pub(crate) client_secret: Option<SecretString>,
    /// Never empty; may have expired long ago.
    pub(crate) access_token: Option<SecretString>,
    /// Never empty. The other program's refresh token may die with the first refresh made from this one.
    pub(crate) kind: TokenKind,
    /// As written, e.g. `bearer`.
    pub(crate) token_type: Option<String>,
    /// Unix seconds at which the access token expires, if the file has that.
    pub(crate) expires_at: Option<i64>,
    /// The account that the other program worked on; not checked.
    pub(crate) account_id: Option<String>,
}

/// Why nothing was taken from a file. Holds positions and names, never a value from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportError {
    /// Nothing but blanks.
    Empty,
    /// Binary, or text in another encoding.
    NotUtf8,
    /// Begins as a JSON object, but is none; `cut_short` if only its end is missing.
    BrokenJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
        /// The text ends before the object does.
        cut_short: bool,
    },
    /// No JSON object, and this line fits no ini file.
    NotJsonNorIni {
        /// Counted from 1.
        line: usize,
    },
    /// Readable, but without the one thing needed.
    NoRefreshToken {
        /// As in [`ImportedCredentials::format`].
        format: &'static str,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXPECTED: &str = "expected a credentials file as AWeber's samples (Python, Node, Ruby, PHP, C#), \
            Postman or the aweber CLI write it";
        match self {
            ImportError::Empty => write!(f, "the file is empty; {EXPECTED}"),
            ImportError::NotUtf8 => write!(f, "the file is not text in UTF-8; {EXPECTED}"),
            ImportError::BrokenJson {
                line,
                column,
                cut_short,
            } => {
                let how = if *cut_short {
                    "ends too early"
                } else {
                    "is not valid"
                };
                write!(
                    f,
                    "the file begins as JSON but {how} at line {line}, column {column}; {EXPECTED}"
                )
            }
            ImportError::NotJsonNorIni { line } => write!(
                f,
                "the file is not JSON, and line {line} is not the `key = value` of an ini file; {EXPECTED}"
            ),
            ImportError::NoRefreshToken { format } => write!(
                f,
                "the file reads like {format}, but the refresh token is missing: \
                 expected a text that is not empty under `refresh_token` or `refreshToken` (or, for OAuth 1.0a, \
                 `access_token` and `access_token_secret`)"
            ),
        }
    }
}

impl std::error::Error for ImportError {}

/// Takes the credentials out of a file in any of the known formats, recognized by content alone.
pub(crate) fn parse_credentials(text: &[u8]) -> Result<ImportedCredentials, ImportError> {
    let text = std::str::from_utf8(text).map_err(|_| ImportError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    let (format, mut fields) = match text.trim_start().chars().next() {
        None => return Err(ImportError::Empty),
        Some('{') => read_json(text)?,
        Some(_) => (PHP, read_ini(text)?),
    };
    let refresh_token = fields.take("refresh_token", "refreshToken");
    let access_token = fields.take_first(&ACCESS_TOKEN);
    let token_secret = fields.take_first(&TOKEN_SECRET);
    let (format, kind) = match (refresh_token, token_secret) {
        (Some(token), _) => (
            format,
            TokenKind::OAuth2 {
                refresh_token: token.into(),
            },
        ),
        (None, Some(secret)) if access_token.is_some() => (
            if format == OWN { OWN } else { OAUTH1 },
            TokenKind::OAuth1 {
                token_secret: secret.into(),
            },
        ),
        (None, _) => return Err(ImportError::NoRefreshToken { format }),
    };
    Ok(ImportedCredentials {
        format,
        client_id: fields.take_first(&CLIENT_ID),
        client_secret: fields.take_first(&CLIENT_SECRET).map(SecretString::from),
        access_token: access_token.map(SecretString::from),
        kind,
        token_type: fields.take("token_type", "tokenType"),
        expires_at: expiry(&mut fields),
        account_id: fields.take("account_id", "accountId"),
    })
}

/// The names of one value, in either spelling: OAuth 2, then those of the OAuth 1.0a libraries.
type Names = [(&'static str, &'static str)];
const CLIENT_ID: [(&str, &str); 2] = [("client_id", "clientId"), ("consumer_key", "consumerKey")];
const CLIENT_SECRET: [(&str, &str); 2] = [
    ("client_secret", "clientSecret"),
    ("consumer_secret", "consumerSecret"),
];
const ACCESS_TOKEN: [(&str, &str); 3] = [
    ("access_token", "accessToken"),
    ("access_key", "accessKey"),
    ("oauth_token", "oauthToken"),
];
const TOKEN_SECRET: [(&str, &str); 4] = [
    ("access_token_secret", "accessTokenSecret"),
    ("access_secret", "accessSecret"),
    ("token_secret", "tokenSecret"),
    ("oauth_token_secret", "oauthTokenSecret"),
];

/// The file's texts and numbers under their keys. Without `Debug`: most of them are secrets.
#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A later value in the file wins (of one key in one JSON object only the last is seen at all), but an
    /// empty value counts as absent and hides nothing.
    fn put(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            self.0.insert(key.to_owned(), value.to_owned());
        }
    }

    fn put_json(&mut self, key: &str, value: &Value) {
        match value {
            Value::String(text) => self.put(key, text),
            Value::Number(number) => self.put(key, &number.to_string()),
            _ => {}
        }
    }

    /// With both spellings there, snake case wins: no program that keeps its tokens in camel case writes it, so
    /// camel case must have come in by hand, or belongs to another service among Postman's globals.
    fn take(&mut self, snake: &str, camel: &str) -> Option<String> {
        let other = self.0.remove(camel);
        self.0.remove(snake).or(other)
    }

    fn take_first(&mut self, names: &Names) -> Option<String> {
        let mut found = names.iter().map(|(snake, camel)| self.take(snake, camel));
        found.find_map(|value| value)
    }
}

/// The Ruby sample's refresh leaves duplicate keys, the old tokens first. A map takes the last, which is
/// right; a derived struct would refuse the file.
fn read_json(text: &str) -> Result<(&'static str, Fields), ImportError> {
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|e| ImportError::BrokenJson {
            line: e.line(),
            column: e.column(),
            cut_short: e.classify() == Category::Eof,
        })?;
    let mut fields = Fields::default();
    for (key, value) in &object {
        fields.put_json(key, value);
    }
    if let Some(Value::Object(token)) = object.get("token") {
        for (key, value) in token {
            fields.put_json(key, value);
        }
    }
    if let Some(Value::Array(variables)) = object.get("values") {
        for variable in variables {
            let disabled = variable.get("enabled") == Some(&Value::Bool(false));
            if let (Some(Value::String(key)), Some(value), false) =
                (variable.get("key"), variable.get("value"), disabled)
            {
                fields.put_json(key.trim(), value);
            }
        }
    }
    Ok((json_format(&object), fields))
}

/// The program that wrote the file, for messages only: nothing is read differently for it.
fn json_format(object: &Map<String, Value>) -> &'static str {
    let has = |key: &str| object.contains_key(key);
    if object.get("token").is_some_and(Value::is_object) {
        PYTHON
    } else if object.get("values").is_some_and(Value::is_array) {
        POSTMAN
    } else if has("generation") && has("version") {
        OWN
    } else if has("created_on") {
        CSHARP
    } else if has("refreshToken") || has("accessToken") {
        NODE
    } else if has("expires_at") || has("account_id") {
        AWEBER_CLI
    } else if has("access_token") {
        RUBY
    } else if has("refresh_token") {
        POSTMAN
    } else {
        OTHER
    }
}

/// `key = value` lines. Blank lines, comments and `[section]` lines are passed over.
fn read_ini(text: &str) -> Result<Fields, ImportError> {
    let mut fields = Fields::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let section = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        if line.is_empty() || line.starts_with([';', '#']) || section.is_some_and(is_section_name) {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| is_name(key))
            .and_then(|(key, value)| Some((key, ini_value(value)?)))
            .ok_or(ImportError::NotJsonNorIni { line: index + 1 })?;
        fields.put(key, value);
    }
    Ok(fields)
}

/// Strict, so that a script or a web page is not taken for an ini file without a refresh token.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn is_section_name(text: &str) -> bool {
    text.split(' ').all(is_name)
}

/// The text between quotes, or up to a comment. `None` if a quote is left open.
fn ini_value(text: &str) -> Option<&str> {
    match text.chars().next() {
        Some(quote @ ('\'' | '"')) => text[1..].split_once(quote).map(|(inside, _)| inside),
        _ => text.split(';').next(),
    }
}

/// `expires_at`, or else `created_on` with `expires_in` added. An `expires_in` alone is of no use.
fn expiry(fields: &mut Fields) -> Option<i64> {
    let at = fields
        .take("expires_at", "expiresAt")
        .and_then(|text| instant(&text));
    let created = fields
        .take("created_on", "createdOn")
        .and_then(|text| instant(&text));
    let lasts = fields
        .take("expires_in", "expiresIn")
        .and_then(|text| whole_seconds(&text));
    at.or_else(|| Some(created? + lasts?))
}

/// Unix seconds from a number or from an ISO date with an offset; a date without one names no instant.
fn instant(text: &str) -> Option<i64> {
    whole_seconds(text).or_else(|| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|date| date.timestamp())
    })
}

/// A positive number without its fraction. One too large for seconds is in another unit and is ignored.
fn whole_seconds(text: &str) -> Option<i64> {
    /// In the year 5138; as milliseconds, in 1973.
    const LIMIT: f64 = 1e11;
    let number: f64 = text.parse().ok()?;
    (1.0..LIMIT).contains(&number).then_some(number as i64)
}

#[cfg(test)]
mod tests;
