//! Where the client secret comes from: a variable, a file named by a variable (Docker secrets), or systemd's
//! credentials directory; never an argument, which every user of the machine could read. `SecretString` neither
//! prints nor outlives its use.

use crate::config::Env;
use crate::error::{Error, Result};
pub(crate) use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// A foreign text without our secrets: a server may repeat what it was sent.
pub(crate) fn masked(text: &str, secrets: &[&SecretString]) -> String {
    let known = secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty());
    known.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}

/// The client secret as configured outside the token file.
#[derive(Debug)]
pub(crate) struct ClientSecret {
    /// The secret itself.
    pub(crate) value: SecretString,
    /// Came from a file, where it stays: then the token file does not keep it too.
    pub(crate) from_file: bool,
}

/// Looks in `AWEBER_CLIENT_SECRET`, `AWEBER_CLIENT_SECRET_FILE` and `$CREDENTIALS_DIRECTORY/client_secret`.
///
/// Errors: 78 if a named file cannot be read or is empty. No secret at all is no error: a public client has none.
pub(crate) fn client_secret(env: Env<'_>) -> Result<Option<ClientSecret>> {
    if let Some(value) = env("AWEBER_CLIENT_SECRET") {
        let value = value
            .into_string()
            .map_err(|_| Error::config("AWEBER_CLIENT_SECRET is not UTF-8"))?;
        return Ok(Some(ClientSecret {
            value: value.into(),
            from_file: false,
        }));
    }
    if let Some(file) = env("AWEBER_CLIENT_SECRET_FILE") {
        return read(file.into()).map(Some);
    }
    if let Some(directory) = env("CREDENTIALS_DIRECTORY") {
        let file = PathBuf::from(directory).join("client_secret");
        if file.exists() {
            return read(file).map(Some);
        }
    }
    Ok(None)
}

fn read(file: PathBuf) -> Result<ClientSecret> {
    let next = "put the client secret into that file, or unset AWEBER_CLIENT_SECRET_FILE for a public client";
    let text = std::fs::read_to_string(&file).map_err(|e| {
        Error::config(format!(
            "cannot read the client secret from {}: {e}",
            file.display()
        ))
        .next(next)
    })?;
    let value = SecretString::from(text.trim());
    if value.expose_secret().is_empty() {
        return Err(Error::config(format!(
            "the client secret file {} is empty",
            file.display()
        ))
        .next(next));
    }
    Ok(ClientSecret {
        value,
        from_file: true,
    })
}
