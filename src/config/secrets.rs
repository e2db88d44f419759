//! The secrets of the configuration: client secret and ping URL. They come from a variable, a file named by a variable
//! (Docker secrets), or systemd's credentials directory; never from an argument, which every user of the machine can read.

use super::Env;
use crate::error::{Error, Result};
use crate::secret::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// The client secret as configured outside the token file.
#[derive(Debug)]
pub(crate) struct ClientSecret {
    /// The secret itself.
    pub(crate) value: SecretString,
    /// It came from a file, where it stays: the token file does not keep it too.
    pub(crate) from_file: bool,
}

/// Looks in `AWEBER_CLIENT_SECRET`, `AWEBER_CLIENT_SECRET_FILE` and `$CREDENTIALS_DIRECTORY/client_secret`.
///
/// Errors: 78 if a named file cannot be read or is empty. A public client has no secret.
pub(super) fn client_secret(env: Env<'_>) -> Result<Option<ClientSecret>> {
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
        return read_client_secret(file.into()).map(Some);
    }
    if let Some(directory) = env("CREDENTIALS_DIRECTORY") {
        let file = PathBuf::from(directory).join("client_secret");
        if file.exists() {
            return read_client_secret(file).map(Some);
        }
    }
    Ok(None)
}

fn read_client_secret(file: PathBuf) -> Result<ClientSecret> {
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

/// The ping URL, from `AWEBER_SYNC_PING_URL` or the file named by `AWEBER_SYNC_PING_URL_FILE`.
///
/// Errors: 78, never with the URL.
pub(super) fn ping_url(env: Env<'_>) -> Result<Option<SecretString>> {
    let text = match (
        env("AWEBER_SYNC_PING_URL"),
        env("AWEBER_SYNC_PING_URL_FILE"),
    ) {
        (Some(url), _) => url
            .into_string()
            .map_err(|_| Error::config("AWEBER_SYNC_PING_URL is not UTF-8"))?,
        (None, Some(file)) => {
            let file = PathBuf::from(file);
            std::fs::read_to_string(&file).map_err(|e| {
                Error::config(format!(
                    "cannot read the ping URL from {}: {e}",
                    file.display()
                ))
                .next("put the URL into that file, or unset AWEBER_SYNC_PING_URL_FILE")
            })?
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim().trim_end_matches('/').to_owned();
    let usable = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !usable {
        return Err(Error::config("the ping URL is no http or https URL")
            .next("copy it from the check's page, or unset AWEBER_SYNC_PING_URL"));
    }
    Ok(Some(text.into()))
}
