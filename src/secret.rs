//! Secrets in memory: `SecretString` neither prints nor outlives its use.

pub(crate) use secrecy::{ExposeSecret, SecretString};

/// A foreign text without our secrets: a server may repeat what it was sent.
pub(crate) fn masked(text: &str, secrets: &[&SecretString]) -> String {
    let known = secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty());
    known.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}
