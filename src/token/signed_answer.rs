//! What an answer to a signed request for a token means: OAuth 1.0a, form-encoded (AWeber API, section 1). Pure.

use crate::envelope::Problem;
use crate::error::{Error, Kind};
use crate::token::answer::{Renewal, TokenAnswer, read_answer};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use secrecy::zeroize::Zeroize as _;

/// Classifies a whole answer. None of `secrets` appears in an error. A body that was cut off is never read: half a
/// secret looks like a whole one.
pub(crate) fn read_signed_answer(
    status: u16,
    mut body: Vec<u8>,
    date: Option<DateTime<Utc>>,
    secrets: &[&SecretString],
) -> TokenAnswer {
    if (200..300).contains(&status) {
        return match read_pair(&body) {
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
        400 | 401 if problem.names_timestamp() => TokenAnswer::BadTimestamp(answered, date),
        400 | 401 => TokenAnswer::Refused(
            Error::new(
                Kind::NeedsHuman,
                format!("AWeber does not accept the code or the client: {answered}"),
            )
            .next("check client id and secret, then aweber-sync authorize --oauth1, and paste the new code at once"),
        ),
        _ => read_answer(status, body, secrets, true),
    }
}

/// Token and token secret.
fn read_pair(body: &[u8]) -> Option<Renewal> {
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(body.trim_ascii());
        let (_, value) = pairs.find(|(name, _)| name == wanted)?;
        (!value.is_empty()).then(|| SecretString::from(value.into_owned()))
    };
    Some(Renewal {
        access_token: value("oauth_token")?,
        refresh_token: Some(value("oauth_token_secret")?),
        token_type: None,
        expires_in: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn every_answer_has_its_meaning() {
        let a = |kind: &str, message: &str| {
            format!(r#"{{"error":{{"type":"{kind}","message":"{message}"}}}}"#)
        };
        for (status, body, expected) in [
            (
                200,
                "oauth_token=a&oauth_token_secret=b\n".to_owned(),
                "granted",
            ),
            (200, "oauth_token=a&oauth_token_secret=".into(), "unparsed"),
            (200, "oauth_token=a".into(), "unparsed"),
            (200, String::new(), "unparsed"),
            (
                401,
                a("UnauthorizedError", "Expired timestamp"),
                "timestamp",
            ),
            (400, a("InvalidTimestampError", ""), "timestamp"),
            (401, a("UnauthorizedError", "Invalid Signature"), "human"),
            (401, String::new(), "human"),
            (403, a("ForbiddenError", "Rate Limit Error"), "rate"),
            (410, a("BlockedError", "x"), "config"),
            (503, "<html>".into(), "transient"),
        ] {
            let meaning = match read_signed_answer(status, body.clone().into(), None, &[]) {
                TokenAnswer::Granted(_) => "granted",
                TokenAnswer::Unparsed { .. } => "unparsed",
                TokenAnswer::RateLimited => "rate",
                TokenAnswer::BadTimestamp(..) => "timestamp",
                TokenAnswer::Transient(_) => "transient",
                TokenAnswer::Refused(error) if error.kind() == Kind::NeedsHuman => "human",
                TokenAnswer::Refused(_) => "config",
            };
            assert_eq!(meaning, expected, "{status} {body}");
        }
    }

    #[test]
    fn values_are_decoded() {
        let pair = read_pair(b"oauth_token_secret=x%2By+z&oauth_token=a%3D&more=1").unwrap();
        assert_eq!(pair.access_token.expose_secret(), "a=");
        assert_eq!(pair.refresh_token.unwrap().expose_secret(), "x+y z");
    }
}
