//! Client secret and ping URL. They come from a variable, a file named by a variable (Docker secrets) or systemd's
//! credentials directory; never from an argument, which any user of the machine can read.

use super::env::Env;
use super::network::is_loopback;
use crate::disk::secret_file::{self, Refused};
use crate::error::{Error, Result};
use crate::secret::SecretString;
use std::path::{Path, PathBuf};
use url::Url;

/// The client secret as configured outside the token file.
#[derive(Debug)]
pub(crate) struct ClientSecret {
    pub(crate) value: SecretString,
    /// Read from a file, so that the token file need not keep a copy.
    pub(crate) from_file: bool,
}

/// Reads `AWEBER_CLIENT_SECRET`, the file named by `AWEBER_CLIENT_SECRET_FILE`, or
/// `$CREDENTIALS_DIRECTORY/client_secret`. A public client has none of these.
///
/// Errors: 78 if a named file cannot be read, is empty, or other users can read or change it.
pub(super) fn client_secret(env: Env<'_>) -> Result<Option<ClientSecret>> {
    if let Some(value) = variable(env, "AWEBER_CLIENT_SECRET")? {
        return Ok(Some(ClientSecret {
            value: value.into(),
            from_file: false,
        }));
    }
    let credential = || {
        let directory = PathBuf::from(env("CREDENTIALS_DIRECTORY")?);
        Some(directory.join("client_secret")).filter(|file| file.exists())
    };
    let named = env("AWEBER_CLIENT_SECRET_FILE").map(PathBuf::from);
    let Some(path) = named.or_else(credential) else {
        return Ok(None);
    };
    let next = "put the client secret into that file, or unset AWEBER_CLIENT_SECRET_FILE for a public client";
    let text = file(&path, "client secret", next)?;
    if text.trim().is_empty() {
        return Err(Error::config(format!(
            "the client secret file {} is empty",
            path.display()
        ))
        .next(next));
    }
    Ok(Some(ClientSecret {
        value: text.trim().into(),
        from_file: true,
    }))
}

/// Reads the ping URL from `AWEBER_SYNC_PING_URL` or the file named by `AWEBER_SYNC_PING_URL_FILE`.
///
/// Errors: 78, without the URL.
pub(super) fn ping_url(env: Env<'_>) -> Result<Option<SecretString>> {
    let from_file = || {
        let next = "put the URL into that file, or unset AWEBER_SYNC_PING_URL_FILE";
        env("AWEBER_SYNC_PING_URL_FILE")
            .map(|path| file(path.as_ref(), "ping URL", next))
            .transpose()
    };
    let text = match variable(env, "AWEBER_SYNC_PING_URL")? {
        Some(text) => Some(text),
        None => from_file()?,
    };
    let Some(text) = text else {
        return Ok(None);
    };
    let text = text.trim().trim_end_matches('/');
    let invalid = |why: &str| {
        Error::config(format!("invalid ping URL: {why}"))
            .next("copy it from the check's page, or unset AWEBER_SYNC_PING_URL")
    };
    match Url::parse(text) {
        Ok(url) if url.scheme() == "https" => Ok(Some(text.into())),
        Ok(url) if url.scheme() == "http" && is_loopback(&url) => Ok(Some(text.into())),
        Ok(url) if url.scheme() == "http" => Err(invalid(
            "plain http is for this machine only; expected https",
        )),
        _ => Err(invalid("expected http or https")),
    }
}

fn variable(env: Env<'_>, name: &str) -> Result<Option<String>> {
    env(name)
        .map(|value| {
            let invalid = |_| {
                Error::config(format!("invalid {name}: not UTF-8"))
                    .next(format!("set {name} again"))
            };
            value.into_string().map_err(invalid)
        })
        .transpose()
}

/// Reads a file with a secret. Errors: 78, also if other users can read or change it.
fn file(path: &Path, what: &str, next: &str) -> Result<String> {
    let shown = path.display();
    let of = format!("with the {what}, {shown}");
    let (error, way_out) = match secret_file::read(path) {
        Ok(text) => return Ok(text),
        Err(Refused::Io(e)) => {
            let error = Error::config(format!("cannot read the {what} from {shown}: {e}"));
            return Err(error.next(next));
        }
        Err(Refused::OthersCanWrite(mode)) => (
            format!("other users can change the file {of} (mode {mode:04o})"),
            format!("make sure that it holds yours, then chmod 600 '{shown}'"),
        ),
        Err(Refused::OthersCanRead(mode)) => (
            format!("other users can read the file {of} (mode {mode:04o})"),
            format!("chmod 600 '{shown}'; if another user may have read it, also renew the {what}"),
        ),
        Err(Refused::AnotherUsers(owner)) => (
            format!("another user ({owner}) can change the file {of}"),
            format!(
                "make sure that it holds yours, then chown it to the user that runs the job: chown {} '{shown}'",
                rustix::process::geteuid().as_raw()
            ),
        ),
    };
    Err(Error::config(error)
        .safe("it was not used; nothing was changed")
        .next(way_out))
}
