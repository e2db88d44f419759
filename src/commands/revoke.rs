//! `aweber-sync revoke`: ends the tokens at AWeber and removes the token file.

use super::print;
use crate::api::transport::Transport;
use crate::config;
use crate::disk::atomic;
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::locks::Locks;
use crate::secret::ExposeSecret;
use crate::stop::Stop;

/// Where tokens are revoked (AWeber API, section 1 'Revoke').
const REVOKE_PATH: &str = "/oauth2/revoke";

/// Revokes the refresh token, and with it what it granted; then removes the file.
pub(crate) async fn revoke(config: config::Revoke) -> Result<()> {
    let base = config.base;
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    let tokens = locks.load_tokens(base.client.id.as_deref())?;
    let secret = base.client.secret().or(tokens.client_secret);
    let http = Transport::new(&base.network)?;
    for (token, hint) in [
        (&tokens.refresh_token, "refresh_token"),
        (&tokens.access_token, "access_token"),
    ] {
        if token.expose_secret().is_empty() {
            continue;
        }
        let mut form = vec![("token", token.expose_secret()), ("token_type_hint", hint)];
        let basic = secret
            .as_ref()
            .map(|secret| (tokens.client_id.as_str(), secret));
        if basic.is_none() {
            form.push(("client_id", tokens.client_id.as_str()));
        }
        let kept = "the token file was left as it is";
        let answer = tokio::select! {
            answer = http.post_form(REVOKE_PATH, &form, basic) => answer,
            stopped = stop.requested() => return Err(stopped),
        };
        let reply = answer.map_err(|fault| {
            Error::new(Kind::Unavailable, format!("cannot revoke: {}", fault.what))
                .safe(kept)
                .next("aweber-sync revoke, when AWeber answers again")
        })?;
        let secrets: Vec<_> = [&tokens.refresh_token, &tokens.access_token]
            .into_iter()
            .chain(&secret)
            .collect();
        let problem = Problem::read(&reply.body, &secrets);
        let answered = format!(
            "cannot revoke: AWeber answered {}{}",
            reply.status,
            problem.in_brackets()
        );
        match reply.status {
            200..=299 => {}
            // Revoking the refresh token took the access token along.
            400..=499 if hint == "access_token" => {}
            500..=599 | 300..=399 | 403 | 429 => {
                return Err(Error::new(Kind::Unavailable, answered)
                    .safe(kept)
                    .next("aweber-sync revoke, later"));
            }
            _ => {
                return Err(Error::config(answered).safe(kept).next(format!(
                    "check client id and secret; or disconnect the app in your AWeber account and remove {}",
                    locks.store.path().display()
                )));
            }
        }
    }
    locks.store.remove()?;
    locks.store.candidate().remove()?;
    let begun = locks.store.beside(".authorizing");
    atomic::remove_if_there(&begun).map_err(|e| Error::disk("cannot remove", &begun, &e))?;
    print(&format!(
        "Revoked: AWeber accepts these tokens no more, and {} is removed.\n\
         Ledger and exports stay in {}.\n\
         If the app is used nowhere else, delete it at labs.aweber.com/apps.\n",
        locks.store.path().display(),
        base.paths.state_dir.display()
    ))
}
