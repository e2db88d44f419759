//! Secrets in memory: a `SecretString` does not print, and its bytes are overwritten when it is dropped. Copies in the
//! buffers of the HTTP, TLS and JSON libraries are not; `hardening` keeps the memory out of core dumps.

pub(crate) use secrecy::{ExposeSecret, SecretString};

/// A run of token characters this long that contains a digit may be a secret in an encoding that we did not think of.
const SUSPICIOUS: usize = 16;

/// A foreign text without our secrets: a server may repeat what it was sent, as it is or percent-encoded, in base64 or
/// escaped.
pub(crate) fn masked(text: &str, secrets: &[&SecretString]) -> String {
    let known = secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty());
    let text = known.fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c| !is_token_character(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let suspicious = run.len() >= SUSPICIOUS && run.contains(|c: char| c.is_ascii_digit());
        masked.push_str(if suspicious { "…" } else { run });
        let next = after.find(is_token_character).unwrap_or(after.len());
        masked.push_str(&after[..next]);
        rest = &after[next..];
    }
    masked
}

/// The characters of tokens, of base64 and of percent-encoding; a backslash escapes some of them in JSON.
fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=%\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_secret_is_masked_in_every_encoding_and_words_stay() {
        let token = "RT/9f8e7d6c+5b4a=3210";
        let secret = SecretString::from(token);
        let percent: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        for shown in [
            token.to_owned(),
            percent.clone(),
            percent.to_lowercase(),
            STANDARD.encode(token),
            STANDARD.encode(format!("client-id:{token}")),
            token.replace('/', "\\/"),
        ] {
            let text = format!("no such token: {shown}, sorry");
            let masked = masked(&text, &[&secret]);
            assert_eq!(
                masked.replace("……", "…"),
                "no such token: …, sorry",
                "{shown}"
            );
        }
        for words in [
            "MissingOAuthParametersError: oauth_signature_method, oauth_timestamp",
            "Maximum for \"ws.size\" parameter is 100.",
            "ServiceUnavailableError",
        ] {
            assert_eq!(masked(words, &[&secret]), words);
        }
    }
}
