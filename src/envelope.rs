//! The two shapes of AWeber's error answers (AWeber API, section 5), both to be expected on every status:
//! A `{"error":{"type":…,"message":…}}` and B `{"error":"…","error_description":"…"}`. A gateway may answer in
//! HTML: then there is neither. Pure.

use crate::secret::{SecretString, masked};
use serde_json::Value;

/// What an error answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `type` of A, `error` of B: the word to decide by.
    pub(crate) kind: String,
    /// AWeber's sentence for people.
    pub(crate) message: String,
}

/// The longest piece of a foreign message that we repeat.
const LONGEST: usize = 200;

impl Problem {
    /// Reads either envelope; anything else leaves both parts empty. None of `secrets` stands in what is kept.
    pub(crate) fn read(body: &[u8], secrets: &[&SecretString]) -> Problem {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Problem::default();
        };
        let text = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .map(|text| printable(text, secrets))
                .unwrap_or_default()
        };
        match value.get("error") {
            Some(Value::Object(error)) => Problem {
                kind: text(error.get("type")),
                message: text(error.get("message")),
            },
            Some(Value::String(error)) => Problem {
                kind: printable(error, secrets),
                message: text(value.get("error_description")),
            },
            _ => Problem::default(),
        }
    }

    /// Whether the message holds `words`, ignoring case.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(&words.to_lowercase())
    }

    /// ` (kind: message)`, or nothing if the answer said nothing.
    pub(crate) fn in_brackets(&self) -> String {
        match (self.kind.as_str(), self.message.as_str()) {
            ("", "") => String::new(),
            (one, "") | ("", one) => format!(" ({one})"),
            (kind, message) => format!(" ({kind}: {message})"),
        }
    }
}

/// A foreign text fit for a log line: one line, no control characters, bounded.
fn printable(text: &str, secrets: &[&SecretString]) -> String {
    masked(text, secrets)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_envelopes_and_neither() {
        for (body, kind, message) in [
            (
                r#"{"error":{"status":403,"type":"ForbiddenError","message":"Rate Limit Error"}}"#,
                "ForbiddenError",
                "Rate Limit Error",
            ),
            (
                r#"{"error":"invalid_token","error_description":"expired"}"#,
                "invalid_token",
                "expired",
            ),
            (r#"{"error":"invalid_grant"}"#, "invalid_grant", ""),
            (r#"{"error":{"type":7,"message":null}}"#, "", ""),
            (r#"{"error":7}"#, "", ""),
            ("<html>502</html>", "", ""),
            ("", "", ""),
        ] {
            let problem = Problem::read(body.as_bytes(), &[]);
            assert_eq!(
                (problem.kind.as_str(), problem.message.as_str()),
                (kind, message),
                "{body}"
            );
        }
    }

    #[test]
    fn a_message_stays_on_one_bounded_line() {
        let body = format!(
            r#"{{"error":"a\nb","error_description":"{}"}}"#,
            "x".repeat(9999)
        );
        let problem = Problem::read(body.as_bytes(), &[]);
        assert_eq!(problem.kind, "a b");
        assert_eq!(problem.message.len(), LONGEST);
    }

    #[test]
    fn a_server_that_repeats_a_secret_does_not_get_it_into_a_message() {
        let secret = SecretString::from("RT-secret");
        let long = "x".repeat(LONGEST - 3);
        let body = format!(r#"{{"error":"for RT-secret","error_description":"{long}RT-secret"}}"#);
        let problem = Problem::read(body.as_bytes(), &[&secret]);
        assert_eq!(problem.kind, "for …");
        assert_eq!(problem.message, format!("{long}…"));
    }
}
