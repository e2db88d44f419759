//! Token requests and answers as data: the form to send (RFC 6749, sections 4.1.3 and 6), and what each answer
//! means. Pure; the one table of the token endpoint (AWeber API, section 1 'Token-endpoint errors').

use crate::envelope::Problem;
use secrecy::SecretString;
use serde_json::{Map, Value};

/// How long an access token lives if the answer does not say, seconds (AWeber API, section 1).
const USUAL_LIFE: u64 = 7200;

/// The tokens of a successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    pub(crate) access_token: SecretString,
    /// Absent: the old one stays in force.
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) token_type: Option<String>,
    /// Seconds from the moment the request was sent.
    pub(crate) expires_in: u64,
}

/// What an answer of the token endpoint means.
#[derive(Debug)]
pub(crate) enum TokenAnswer {
    /// New tokens.
    Granted(Renewal),
    /// A success that we cannot read; it may hold the only live refresh token.
    NotUnderstood,
    /// The refresh token or code is dead, used, or another client's.
    GrantDead(Problem),
    /// Client id or secret refused, or the request does not fit the kind of client.
    ClientRefused(Problem),
    /// AWeber has blocked the integration, or suspended the account: its support must help.
    SupportNeeded(Problem),
    /// 403 'Rate Limit Error'.
    RateLimited,
    /// A passing fault: the same request may succeed later.
    Passing(Problem),
}

/// Sorts an answer by status and body; none of `secrets` stands in the problem it tells.
pub(crate) fn read_answer(status: u16, body: &[u8], secrets: &[&SecretString]) -> TokenAnswer {
    if (200..300).contains(&status) {
        return match read_tokens(body) {
            Some(renewal) => TokenAnswer::Granted(renewal),
            None => TokenAnswer::NotUnderstood,
        };
    }
    let problem = Problem::read(body, secrets);
    match status {
        400 | 401 if problem.kind == "invalid_grant" || problem.says("invalid account") => {
            TokenAnswer::GrantDead(problem)
        }
        403 | 429 if problem.says("rate limit") || status == 429 => TokenAnswer::RateLimited,
        403 if problem.says("suspended") || problem.says("on hold") => {
            TokenAnswer::SupportNeeded(problem)
        }
        403 if problem.says("at this time") => TokenAnswer::Passing(problem),
        410 => TokenAnswer::SupportNeeded(problem),
        408 | 425 | 500..=599 | 300..=399 => TokenAnswer::Passing(problem),
        // No envelope: a gateway's word, not AWeber's. (A 401 without one can hardly be about anything but the client.)
        400 | 402..=499 if problem == Problem::default() => TokenAnswer::Passing(problem),
        _ => TokenAnswer::ClientRefused(problem),
    }
}

/// The tokens in a whole body, if it holds an access token.
pub(crate) fn read_tokens(body: &[u8]) -> Option<Renewal> {
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
        // There is a new one, of a kind that we cannot use: to go on with the old one would be to lose it.
        return None;
    }
    Some(Renewal {
        access_token: text("access_token")?.into(),
        refresh_token: text("refresh_token").map(Into::into),
        token_type: text("token_type"),
        expires_in: expires_in.unwrap_or(USUAL_LIFE),
    })
}

/// The tokens in a body that was cut off on its way, if both came through: the server has rotated already, so what
/// has arrived is all there will ever be.
pub(crate) fn read_cut_tokens(body: &[u8]) -> Option<Renewal> {
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

    fn kind(status: u16, body: &str) -> &'static str {
        match read_answer(status, body.as_bytes(), &[]) {
            TokenAnswer::Granted(_) => "granted",
            TokenAnswer::NotUnderstood => "not understood",
            TokenAnswer::GrantDead(_) => "dead",
            TokenAnswer::ClientRefused(_) => "client",
            TokenAnswer::SupportNeeded(_) => "support",
            TokenAnswer::RateLimited => "rate",
            TokenAnswer::Passing(_) => "passing",
        }
    }

    #[test]
    fn every_answer_of_the_table_has_its_meaning() {
        let a = |kind: &str, message: &str| {
            format!(r#"{{"error":{{"type":"{kind}","message":"{message}"}}}}"#)
        };
        for (status, body, meaning) in [
            (200, r#"{"access_token":"a","refresh_token":"r","token_type":"bearer","expires_in":7200}"#.into(), "granted"),
            (200, r#"{"access_token":"a"}"#.into(), "granted"),
            (201, r#"{"access_token":"a","state":"x"}"#.into(), "granted"),
            (200, r#"{"refresh_token":"r"}"#.into(), "not understood"),
            (200, r#"{"access_token":""}"#.into(), "not understood"),
            (200, "<html>".into(), "not understood"),
            (204, String::new(), "not understood"),
            (400, r#"{"error":"invalid_grant"}"#.into(), "dead"),
            (401, r#"{"error":"invalid_grant"}"#.into(), "dead"),
            (400, r#"{"error":"invalid_request"}"#.into(), "client"),
            (400, a("BadRequestError", "Request does not have OAuth credentials"), "client"),
            (401, r#"{"error":"invalid_client"}"#.into(), "client"),
            (401, a("UnauthorizedError", "x"), "client"),
            (403, a("ForbiddenError", "Rate Limit Error"), "rate"),
            (403, a("ForbiddenError", "Account Temporarily Suspended"), "support"),
            (403, a("ForbiddenError", "Your request cannot be processed at this time"), "passing"),
            (410, a("BlockedError", "x"), "support"),
            (500, a("InternalServerError", "x"), "passing"),
            (503, "<html>".into(), "passing"),
            (302, String::new(), "passing"),
            (404, String::new(), "passing"),
            (400, "<html>".into(), "passing"),
            (401, "<html>".into(), "client"),
            (401, a("UnauthorizedError", "Invalid Account"), "dead"),
            (403, "<html>".into(), "passing"),
            (404, a("NotFoundError", "x"), "client"),
            (200, r#"{"access_token":"a","refresh_token":7}"#.into(), "not understood"),
            (200, r#"{"access_token":"a","refresh_token":null}"#.into(), "granted"),
        ] {
            assert_eq!(kind(status, &body), meaning, "{status} {body}");
        }
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
            match read_cut_tokens(&whole[..cut]) {
                Some(renewal) => {
                    assert!(cut >= both_arrived, "{cut}");
                    assert_eq!(renewal.refresh_token.unwrap().expose_secret(), "RT,2");
                }
                None => assert!(cut < both_arrived, "{cut}"),
            }
        }
    }
}
