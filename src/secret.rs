//! Secrets in memory: a `SecretString` does not print, and its bytes are overwritten when it is dropped. Copies in the
//! buffers of the HTTP, TLS and JSON libraries are not; `hardening` keeps the memory out of core dumps.

pub(crate) use secrecy::{ExposeSecret, SecretString};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;

/// Shown instead of a secret.
const MASK: &str = "…";

/// A run of token characters this long that contains a digit may be a secret in an encoding that we did not think of.
const SUSPICIOUS: usize = 16;

/// An encoding that is shorter is not looked for.
const SHORTEST: usize = 6;

/// A foreign text without our secrets: a server may repeat what it was sent, as it is or percent-encoded, in base64 or
/// escaped.
pub(crate) fn masked(text: &str, secrets: &[&SecretString]) -> String {
    let known = secrets
        .iter()
        .filter(|secret| !secret.expose_secret().is_empty());
    let text = known
        .flat_map(|secret| encodings(secret.expose_secret()))
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), MASK)
        });
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c| !is_token_character(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        // What is left around a known secret belongs to it: the bits at the ends of its base64.
        let suspicious = run.contains(MASK)
            || run.len() >= SUSPICIOUS && run.contains(|c: char| c.is_ascii_digit());
        masked.push_str(if suspicious { MASK } else { run });
        let next = after.find(is_token_character).unwrap_or(after.len());
        masked.push_str(&after[..next]);
        rest = &after[next..];
    }
    masked
}

/// A secret as a server may repeat it.
fn encodings(secret: &str) -> Vec<Zeroizing<String>> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = vec![
        secret.to_owned(),
        secret.replace('/', "\\/"),
        percent.replace('+', "%20"),
        with_lower_case_escapes(&percent),
        percent,
    ];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        all.extend((0..3).map(|before| base64_behind(secret, before, &engine)));
    }
    // A few characters could be part of any word.
    all.retain(|form| form == secret || form.len() >= SHORTEST);
    all.into_iter().map(Zeroizing::new).collect()
}

/// The characters of base64 that `secret` alone decides, behind `before` other bytes, such as a client id.
fn base64_behind(secret: &str, before: usize, engine: &impl Engine) -> String {
    let mut bytes = Zeroizing::new(vec![0; before]);
    bytes.extend_from_slice(secret.as_bytes());
    let encoded = Zeroizing::new(engine.encode(&*bytes));
    // Six bits a character; the first and the last may contain bits of the neighbours.
    let (begin, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded.get(begin..end).unwrap_or_default().to_owned()
}

fn with_lower_case_escapes(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at(part.len().min(2));
        text.push('%');
        text.push_str(&escape.to_ascii_lowercase());
        text.push_str(rest);
    }
    text
}

/// The characters of tokens, of base64 and of percent-encoding, and the mask; a backslash escapes some of them in JSON.
fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=%\\".contains(c) || MASK.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_secret_without_digits_is_found_in_base64_behind_any_client_id() {
        let secret = SecretString::from("swordfish/fish");
        for id in ["", "a", "ab", "abc", "client-id"] {
            for encoded in [
                STANDARD.encode(format!("{id}:{}", secret.expose_secret())),
                URL_SAFE_NO_PAD.encode(format!("{id}:{}", secret.expose_secret())),
            ] {
                // Whole words would hide by their digits; parts of them cannot.
                let masked = masked(&encoded, &[&secret]);
                let core =
                    base64_behind(secret.expose_secret(), (id.len() + 1) % 3, &STANDARD_NO_PAD);
                assert!(
                    core.len() >= 16 && !masked.contains(&core),
                    "{encoded} {masked}"
                );
            }
        }
        for form in ["swordfish\\/fish", "swordfish%2Ffish", "swordfish%2ffish"] {
            assert_eq!(masked(&format!("[{form}]"), &[&secret]), "[…]");
        }
    }

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
            assert_eq!(masked, "no such token: …, sorry", "{shown}");
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
