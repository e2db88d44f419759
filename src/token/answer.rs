//! What an answer of the token endpoint means: the one table (AWeber API, section 1 'Token-endpoint errors'). Pure.

use crate::envelope::Problem;
use crate::error::{Error, Kind};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use secrecy::zeroize::Zeroize as _;
use serde_json::{Map, Value};

/// How long an access token lives if the answer does not say, seconds (AWeber API, section 1).
const USUAL_LIFE: u64 = 7200;

/// The tokens of a successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    pub(crate) access_token: SecretString,
    /// Absent: the old one stays valid (RFC 6749, section 6). With OAuth 1.0a: the token secret.
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) token_type: Option<String>,
    /// Seconds from the moment the request was sent.
    pub(crate) expires_in: u64,
}

/// What an answer of the token endpoint, whole, cut off or missing, means.
#[derive(Debug)]
pub(crate) enum TokenAnswer {
    /// New tokens.
    Granted(Renewal),
    /// Not readable; it may contain the only live refresh token.
    Unparsed {
        /// What is wrong with it.
        what: String,
        /// The bytes that arrived.
        body: Vec<u8>,
    },
    /// 403 'Rate Limit Error'.
    RateLimited,
    /// The timestamp of a signature was refused; with the date of the answer.
    BadTimestamp(String, Option<DateTime<Utc>>),
    /// The same request may succeed later.
    Transient(String),
    /// Refused for good: 77 grant dead, 78 client refused or help from AWeber needed.
    Refused(Error),
}

/// Classifies a whole answer. None of `secrets` appears in an error. `is_first`: there is no older refresh token that
/// could stay valid.
pub(crate) fn read_answer(
    status: u16,
    mut body: Vec<u8>,
    secrets: &[&SecretString],
    is_first: bool,
) -> TokenAnswer {
    if (200..300).contains(&status) {
        return match read_tokens(&body).or_else(|| read_cut_off_tokens(&body)) {
            Some(renewal) if is_first && renewal.refresh_token.is_none() => TokenAnswer::Unparsed {
                what: "AWeber returned no refresh token".to_owned(),
                body,
            },
            Some(renewal) => {
                body.zeroize();
                TokenAnswer::Granted(renewal)
            }
            None => TokenAnswer::Unparsed {
                what: format!("AWeber answered {status} without a token"),
                body,
            },
        };
    }
    let problem = Problem::read(&body, secrets);
    let answered = format!("AWeber answered {status}{}", problem.in_brackets());
    match status {
        400 | 401 if problem.kind == "invalid_grant" || problem.says("invalid account") => {
            TokenAnswer::Refused(grant_dead(&answered))
        }
        403 | 429 if problem.says("rate limit") || status == 429 => TokenAnswer::RateLimited,
        403 if problem.says("suspended") || problem.says("on hold") => {
            TokenAnswer::Refused(support_needed(answered))
        }
        403 if problem.says("at this time") => TokenAnswer::Transient(answered),
        410 => TokenAnswer::Refused(support_needed(answered)),
        408 | 425 | 500..=599 | 300..=399 => TokenAnswer::Transient(answered),
        // No envelope: this is from a gateway, not from AWeber. (A 401 without one can only be about the client.)
        400 | 402..=499 if problem == Problem::default() => TokenAnswer::Transient(answered),
        _ => TokenAnswer::Refused(client_refused(&answered)),
    }
}

/// What an answer to a refresh showed of AWeber, without the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshAnswer {
    /// It contained another refresh token than the one sent.
    pub(crate) is_new_token: bool,
    /// The life of the access token, seconds.
    pub(crate) expires_in: u64,
}

/// Classifies a connection that broke with `fault` after `arrived` had come.
pub(crate) fn read_cut_off(fault: String, mut arrived: Vec<u8>) -> TokenAnswer {
    match read_cut_off_tokens(&arrived) {
        Some(renewal) => {
            arrived.zeroize();
            TokenAnswer::Granted(renewal)
        }
        None if arrived.is_empty() => TokenAnswer::Transient(fault),
        None => TokenAnswer::Unparsed {
            what: fault,
            body: arrived,
        },
    }
}

fn grant_dead(answered: &str) -> Error {
    Error::new(
        Kind::NeedsHuman,
        format!("AWeber no longer accepts the refresh token: {answered}"),
    )
    .next("aweber-sync authorize")
}

fn client_refused(answered: &str) -> Error {
    Error::config(format!("AWeber refuses the client: {answered}"))
        .safe("the refresh token was not spent")
        .next(
            "check client id and secret at labs.aweber.com/apps: a public client has no secret (unset \
             AWEBER_CLIENT_SECRET), a confidential one needs it",
        )
}

fn support_needed(answered: String) -> Error {
    Error::config(answered)
        .safe("the refresh token was not spent")
        .next("write to AWeber's support: the account is suspended or the integration blocked")
}

/// The tokens in a whole body, if it holds an access token.
fn read_tokens(body: &[u8]) -> Option<Renewal> {
    let map: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let text = |key: &str| match map.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let expires_in = match map.get("expires_in") {
        Some(Value::Number(n)) => n.as_u64().or_else(|| n.as_f64().map(|f| f as u64)),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    if !matches!(
        map.get("refresh_token"),
        None | Some(Value::Null | Value::String(_))
    ) {
        // A new refresh token of a type that we cannot use: continuing with the old one would lose it.
        return None;
    }
    Some(Renewal {
        access_token: text("access_token")?.into(),
        refresh_token: text("refresh_token").map(Into::into),
        token_type: text("token_type"),
        expires_in: expires_in.unwrap_or(USUAL_LIFE),
    })
}

/// The tokens in a body that was cut off, if both arrived: the server has rotated already, so what arrived is all there
/// will ever be.
fn read_cut_off_tokens(body: &[u8]) -> Option<Renewal> {
    let commas = body.iter().enumerate().rev().filter(|(_, b)| **b == b',');
    let ends = std::iter::once(body.len()).chain(commas.map(|(end, _)| end));
    for end in ends {
        let mut closed = body[..end].to_vec();
        closed.push(b'}');
        if let Some(renewal) = read_tokens(&closed) {
            return renewal.refresh_token.is_some().then_some(renewal);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn meaning(status: u16, body: &str) -> &'static str {
        match read_answer(status, body.into(), &[], false) {
            TokenAnswer::Granted(_) => "granted",
            TokenAnswer::Unparsed { .. } => "unparsed",
            TokenAnswer::RateLimited => "rate",
            TokenAnswer::BadTimestamp(..) => "timestamp",
            TokenAnswer::Transient(_) => "transient",
            TokenAnswer::Refused(error) if error.kind() == Kind::NeedsHuman => "dead",
            TokenAnswer::Refused(error) if error.to_string().contains("support") => "support",
            TokenAnswer::Refused(_) => "client",
        }
    }

    #[test]
    fn every_answer_of_the_table_has_its_meaning() {
        let a = |kind: &str, message: &str| {
            format!(r#"{{"error":{{"type":"{kind}","message":"{message}"}}}}"#)
        };
        for (status, body, expected) in [
            (200, r#"{"access_token":"a","refresh_token":"r","token_type":"bearer","expires_in":7200}"#.into(), "granted"),
            (200, r#"{"access_token":"a"}"#.into(), "granted"),
            (201, r#"{"access_token":"a","state":"x"}"#.into(), "granted"),
            (200, r#"{"refresh_token":"r"}"#.into(), "unparsed"),
            (200, r#"{"access_token":""}"#.into(), "unparsed"),
            (200, "<html>".into(), "unparsed"),
            (204, String::new(), "unparsed"),
            (400, r#"{"error":"invalid_grant"}"#.into(), "dead"),
            (401, r#"{"error":"invalid_grant"}"#.into(), "dead"),
            (400, r#"{"error":"invalid_request"}"#.into(), "client"),
            (400, a("BadRequestError", "Request does not have OAuth credentials"), "client"),
            (401, r#"{"error":"invalid_client"}"#.into(), "client"),
            (401, a("UnauthorizedError", "x"), "client"),
            (403, a("ForbiddenError", "Rate Limit Error"), "rate"),
            (403, a("ForbiddenError", "Account Temporarily Suspended"), "support"),
            (403, a("ForbiddenError", "Your request cannot be processed at this time"), "transient"),
            (410, a("BlockedError", "x"), "support"),
            (500, a("InternalServerError", "x"), "transient"),
            (503, "<html>".into(), "transient"),
            (302, String::new(), "transient"),
            (404, String::new(), "transient"),
            (400, "<html>".into(), "transient"),
            (401, "<html>".into(), "client"),
            (401, a("UnauthorizedError", "Invalid Account"), "dead"),
            (403, "<html>".into(), "transient"),
            (404, a("NotFoundError", "x"), "client"),
            (200, r#"{"access_token":"a","refresh_token":7}"#.into(), "unparsed"),
            (200, r#"{"access_token":"a","refresh_token":null}"#.into(), "granted"),
        ] {
            assert_eq!(meaning(status, &body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_first_answer_needs_a_refresh_token() {
        let answer = read_answer(200, br#"{"access_token":"a"}"#.to_vec(), &[], true);
        assert!(matches!(answer, TokenAnswer::Unparsed { .. }));
    }

    #[test]
    fn an_answer_may_leave_out_all_but_the_access_token() {
        let renewal = read_tokens(br#"{"access_token":"a","expires_in":"60"}"#).unwrap();
        assert_eq!(renewal.expires_in, 60);
        assert!(renewal.refresh_token.is_none());
        assert_eq!(
            read_tokens(br#"{"access_token":"a"}"#).unwrap().expires_in,
            USUAL_LIFE
        );
        let twice =
            read_tokens(br#"{"access_token":"a","refresh_token":"old","refresh_token":"new"}"#)
                .unwrap();
        assert_eq!(twice.refresh_token.unwrap().expose_secret(), "new");
    }

    #[test]
    fn a_cut_answer_gives_its_tokens_once_both_are_whole() {
        let whole = br#"{"access_token":"AT,1","refresh_token":"RT,2","token_type":"bearer","expires_in":7200}"#;
        // The closing quote of the refresh token.
        let both_arrived = whole.windows(5).position(|w| w == b"RT,2\"").unwrap() + 5;
        for cut in 0..whole.len() {
            match read_cut_off_tokens(&whole[..cut]) {
                Some(renewal) => {
                    assert!(cut >= both_arrived, "{cut}");
                    assert_eq!(renewal.refresh_token.unwrap().expose_secret(), "RT,2");
                }
                None => assert!(cut < both_arrived, "{cut}"),
            }
        }
    }
}
