//! The two shapes of AWeber's error answers (AWeber API, section 5), each possible with any status:
//! A `{"error":{"type":…,"message":…}}` and B `{"error":"…","error_description":"…"}`. A gateway may answer with HTML
//! instead. Pure.

use crate::printable::printable;
use crate::secret::{SecretString, masked};
use serde_json::Value;

/// The content of an error answer; both parts are empty if it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `type` of A, `error` of B: the word that decisions depend on.
    pub(crate) kind: String,
    /// AWeber's message for people.
    pub(crate) message: String,
}

/// How many characters of a foreign message are kept.
const MAX_LENGTH: usize = 200;

impl Problem {
    /// Reads either envelope. `secrets` are removed, since a server may repeat what it was sent.
    pub(crate) fn read(body: &[u8], secrets: &[&SecretString]) -> Problem {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Problem::default();
        };
        let shown = |text: &str| printable(&masked(text, secrets), MAX_LENGTH);
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).map(shown).unwrap_or_default();
        match value.get("error") {
            Some(Value::Object(error)) => Problem {
                kind: text(error.get("type")),
                message: text(error.get("message")),
            },
            Some(Value::String(error)) => Problem {
                kind: shown(error),
                message: text(value.get("error_description")),
            },
            _ => Problem::default(),
        }
    }

    /// Returns true if the message contains `words` in any case.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(&words.to_lowercase())
    }

    /// Returns true if it is about the timestamp of a signature.
    pub(crate) fn names_timestamp(&self) -> bool {
        self.says("timestamp") || self.kind.to_lowercase().contains("timestamp")
    }

    /// ` (kind: message)`, or an empty text if both are empty.
    pub(crate) fn in_brackets(&self) -> String {
        match (self.kind.as_str(), self.message.as_str()) {
            ("", "") => String::new(),
            (one, "") | ("", one) => format!(" ({one})"),
            (kind, message) => format!(" ({kind}: {message})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_envelope() {
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
        assert_eq!(problem.message.len(), MAX_LENGTH);
    }

    #[test]
    fn secrets_repeated_by_the_server_are_masked() {
        let secret = SecretString::from("RT-secret");
        let long = "x ".repeat(MAX_LENGTH / 2 - 2);
        let body = format!(r#"{{"error":"for RT-secret","error_description":"{long}RT-secret"}}"#);
        let problem = Problem::read(body.as_bytes(), &[&secret]);
        assert_eq!(problem.kind, "for …");
        assert_eq!(problem.message, format!("{long}…"));
    }
}
