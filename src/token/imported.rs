//! Which tokens of another program ours stem from. Once a refresh token has been refreshed, it must not be sent again:
//! some servers then revoke the whole authorization. Pure.

use super::model::TokenFile;
use crate::json::OwnPairs;
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

/// The key in the token file; its value is a fingerprint of their lasting secret.
const KEY: &str = "imported";

/// The pair to keep in the token file of tokens that begin with this lasting secret.
pub(crate) fn mark(secret: &SecretString) -> OwnPairs {
    let value = RawValue::from_string(fingerprint(secret));
    OwnPairs(
        value
            .into_iter()
            .map(|value| (KEY.to_owned(), value))
            .collect(),
    )
}

/// Whether the tokens have this lasting secret or have replaced it.
pub(crate) fn stem_from(tokens: &TokenFile, secret: &SecretString) -> bool {
    let wanted = fingerprint(secret);
    let pairs = tokens.other.0.iter();
    pairs
        .into_iter()
        .any(|(key, value)| key == KEY && value.get() == wanted)
}

/// The keys of other programs in `kept`, and what `new` says about its import.
pub(crate) fn merged(new: &OwnPairs, kept: Option<&OwnPairs>) -> OwnPairs {
    let pairs = |of: &OwnPairs, is_mark: bool| {
        let mut pairs = of.0.clone();
        pairs.retain(|(key, _)| (key == KEY) == is_mark);
        pairs
    };
    let mut all = kept.map(|kept| pairs(kept, false)).unwrap_or_default();
    all.extend(pairs(new, true));
    OwnPairs(all)
}

/// A JSON string.
fn fingerprint(secret: &SecretString) -> String {
    let bytes = secret.expose_secret().as_bytes();
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let start = digest.as_ref().iter().take(8);
    let digits: String = start.map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
