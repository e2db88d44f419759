//! `aweber-sync authorize`: connect an account. The new tokens are durable before anything is decided about them.

use super::run::{Account, whose};
use super::say;
use crate::api::http::Http;
use crate::api::retry::{RATE_LIMIT_WAITS, REPEATS, wait};
use crate::api::session::{Session, random_byte, rate_limited};
use crate::api::token_request::{TokenOutcome, TokenRequest, Trouble};
use crate::authorization::{Begun, read_pasted};
use crate::cli;
use crate::config::{Env, Network, Paths};
use crate::disk::atomic;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::json::OwnPairs;
use crate::secret::{self, ClientSecret, ExposeSecret, SecretString};
use crate::stop::Stop;
use crate::token::import::parse_credentials;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use crate::workplace::{Workplace, make_directory};
use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A run may be at work while somebody holds a code that lives for minutes: wait a little for it by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest credentials file of another program that we read.
const LARGEST_IMPORT: u64 = 1024 * 1024;

/// Connects an account.
pub(crate) async fn authorize(
    common: &cli::Common,
    args: &cli::Authorize,
    env: Env<'_>,
) -> Result<()> {
    let setting = Setting::new(common, args, env)?;
    if let Some(file) = &args.import {
        return setting.import(file).await;
    }
    if args.print_url {
        return setting.print_url();
    }
    if let Some(code) = &args.code {
        return setting.finish_begun(code).await;
    }
    if setting.store.has_candidate() && setting.finish_candidate().await? {
        return Ok(());
    }
    let begun = setting.begin()?;
    let url = begun.url(&setting.network.auth);
    let pasted = ask_for_code(&url)?;
    let code = read_pasted(&pasted, Some(&begun.state))?;
    setting.trade(&begun, &code).await
}

/// What all ways to tokens need.
struct Setting<'a> {
    args: &'a cli::Authorize,
    paths: Paths,
    network: Network,
    store: TokenStore,
    client_id: Option<String>,
    /// The client secret as configured outside the token file.
    configured: Option<ClientSecret>,
    /// What stands in the token file, whether or not `run` would use it.
    present: Option<TokenFile>,
}

impl<'a> Setting<'a> {
    fn new(common: &cli::Common, args: &'a cli::Authorize, env: Env<'_>) -> Result<Setting<'a>> {
        let paths = Paths::new(common, env)?;
        let store = TokenStore::at(&paths.token_file)?;
        // Authorizing anew, after a 77 say: the token file knows its client, whatever else is wrong with it.
        let present = store.peek()?.and_then(std::result::Result::ok);
        Ok(Setting {
            network: Network::new(common, &args.network)?,
            client_id: common.client_id.clone(),
            configured: secret::client_secret(env)?,
            present,
            args,
            paths,
            store,
        })
    }

    /// The client to authorize: as configured, else the one of the token file.
    fn client_id(&self) -> Option<String> {
        let known = || {
            self.present
                .as_ref()
                .map(|present| present.client_id.clone())
        };
        self.client_id.clone().or_else(known)
    }

    /// The secret of a client: as configured, else as the token file kept it for that very client.
    fn secret_of(&self, client_id: &str) -> Option<SecretString> {
        let configured = self.configured.as_ref().map(|secret| secret.value.clone());
        let kept = || {
            let present = self
                .present
                .as_ref()
                .filter(|present| present.client_id == client_id);
            present.and_then(|present| present.client_secret.clone())
        };
        configured.or_else(kept)
    }

    fn begin(&self) -> Result<Begun> {
        let Some(client_id) = self.client_id() else {
            return Err(Error::config("which app? AWeber needs the client id of yours")
                .safe("nothing was changed")
                .next("register one at labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, then aweber-sync authorize --client-id ID"));
        };
        {
            let public = self.secret_of(&client_id).is_none();
            Begun::new(client_id, self.args.redirect_uri.clone(), public)
        }
    }

    /// First half in a process of its own.
    fn print_url(&self) -> Result<()> {
        let begun = self.begin()?;
        let file = self.begun_file();
        make_directory(self.store.directory())?;
        atomic::replace_file(&file, &begun.to_bytes(), atomic::PRIVATE)
            .map_err(|e| Error::disk("cannot write", &file, &e).safe("nothing was changed"))?;
        say(&format!("{}\n", begun.url(&self.network.auth)))
    }

    /// Second half.
    async fn finish_begun(&self, pasted: &str) -> Result<()> {
        let begun = std::fs::read(self.begun_file())
            .ok()
            .and_then(|content| Begun::parse(&content));
        let Some(begun) = begun else {
            return Err(Error::config("no authorization was begun here, so the code cannot be traded")
                .safe("nothing was changed")
                .next("aweber-sync authorize --print-url, with the same --state-dir, and then the code that it leads to"));
        };
        if begun.verifier.is_some() == self.secret_of(&begun.client_id).is_some() {
            return Err(Error::config(
                "the authorization was begun with a client secret and is continued without, or the other way round",
            )
            .safe("nothing was changed")
            .next("set AWEBER_CLIENT_SECRET (or its _FILE) as it was for --print-url"));
        }
        let code = read_pasted(pasted, Some(&begun.state))?;
        self.trade(&begun, &code).await
    }

    /// Trades the code for tokens and puts them in force.
    async fn trade(&self, begun: &Begun, code: &SecretString) -> Result<()> {
        let mut stop = Stop::listen(None)?;
        let workplace = self.enter(&mut stop).await?;
        let http = Http::new(&self.network)?;
        let mut form = vec![
            ("grant_type", "authorization_code".into()),
            ("code", code.clone()),
            ("redirect_uri", begun.redirect_uri.as_str().into()),
        ];
        form.extend(
            begun
                .verifier
                .clone()
                .map(|verifier| ("code_verifier", verifier)),
        );
        let mut reservation = workplace.store.candidate().prepare()?;
        let (mut repeats, mut rate_limits) = (0, 0);
        loop {
            stop.check()?;
            let request = TokenRequest {
                http: http.clone(),
                form: form.clone(),
                client_secret: self.secret_of(&begun.client_id),
                tokens: self.blank(begun.client_id.clone(), SecretString::default()),
                reservation,
            };
            let trouble = match request.send().await? {
                TokenOutcome::Stored(..) => break,
                TokenOutcome::Nothing(trouble, kept) => {
                    reservation = kept;
                    trouble
                }
            };
            match trouble {
                Trouble::NotUnderstood(what, answer) => {
                    let kept = reservation.rescue(&answer)?;
                    return Err(Error::new(Exit::Unavailable, what)
                        .safe(format!("AWeber's answer is kept in {}", kept.display()))
                        .next("aweber-sync authorize"));
                }
                Trouble::RateLimited if rate_limits == RATE_LIMIT_WAITS => {
                    return Err(rate_limited(
                        "AWeber answered 'Rate Limit Error' to the code",
                    ));
                }
                Trouble::RateLimited => {
                    rate_limits += 1;
                    pause(self.network.rate_limit_wait, &mut stop).await?;
                }
                Trouble::Refused(error) => return Err(refused_code(error)),
                Trouble::Passing(what) if repeats == REPEATS => {
                    return Err(Error::new(
                        Exit::Unavailable,
                        format!("cannot trade the code for tokens: {what}"),
                    )
                    .safe("nothing was changed")
                    .next(
                        "aweber-sync authorize, when AWeber answers again; see status.aweber.com",
                    ));
                }
                Trouble::Passing(what) => {
                    tracing::info!("cannot trade the code yet: {what}; trying again");
                    pause(
                        wait(self.network.retry_wait, repeats, random_byte()),
                        &mut stop,
                    )
                    .await?;
                    repeats += 1;
                }
            }
        }
        self.adopt(&workplace, self.secret_of(&begun.client_id), stop)
            .await
    }

    /// Finishes an authorization whose process died after it had got tokens. `false`: they are of no use any more.
    async fn finish_candidate(&self) -> Result<bool> {
        let mut stop = Stop::listen(None)?;
        let workplace = self.enter(&mut stop).await?;
        let candidate = workplace.store.candidate();
        candidate.recover()?;
        if !candidate.exists() {
            return Ok(false);
        }
        tracing::info!("finishing an authorization that was interrupted");
        let secret = match candidate.load() {
            Ok(tokens) => self.secret_of(&tokens.client_id).or(tokens.client_secret),
            Err(_) => None,
        };
        match self.adopt(&workplace, secret, stop).await {
            Ok(()) => Ok(true),
            Err(error) if error.exit() == Exit::NeedsHuman => {
                // Most likely dead; should they live after all, they are not lost.
                tracing::warn!("{error}");
                candidate.set_aside(&workplace.store)?;
                Ok(false)
            }
            Err(error) if error.exit() == Exit::Config => {
                // Not the tokens' fault: they stay until new ones have arrived.
                tracing::warn!("{error}");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn import(&self, file: &Path) -> Result<()> {
        let shown = file.display();
        let unusable = |why: String| {
            Error::config(format!("cannot take over {shown}: {why}"))
                .safe("nothing was changed, here or there")
        };
        let length = std::fs::metadata(file)
            .map_err(|e| unusable(e.to_string()).next("look at the path"))?
            .len();
        if length > LARGEST_IMPORT {
            return Err(unusable(format!("it has {length} bytes"))
                .next("give the other program's credentials file"));
        }
        let content = std::fs::read(file)
            .map_err(|e| unusable(e.to_string()).next("make it readable for this user"))?;
        let found = parse_credentials(&content).map_err(|e| {
            unusable(e.to_string())
                .next("give a credentials file of AWeber's samples or the aweber CLI")
        })?;
        let Some(client_id) = found.client_id.or_else(|| self.client_id()) else {
            return Err(
                unusable("it does not say which client its tokens belong to".to_owned()).next(
                    format!("aweber-sync authorize --import '{shown}' --client-id ID"),
                ),
            );
        };
        let mut stop = Stop::listen(None)?;
        let workplace = self.enter(&mut stop).await?;
        let candidate = workplace.store.candidate();
        let mut tokens = self.blank(client_id, found.refresh_token);
        tokens.generation += 1;
        // The file's own secret first: another client's would make AWeber refuse its tokens.
        let secret = found
            .client_secret
            .clone()
            .or_else(|| self.secret_of(&tokens.client_id));
        tokens.client_secret = found.client_secret.or(tokens.client_secret);
        tokens.access_token = found.access_token.unwrap_or_default();
        tokens.token_type = found.token_type;
        tokens.account_id = found.account_id;
        tokens.expires_at = found.expires_at.unwrap_or(0);
        candidate.install(&tokens)?;
        tracing::warn!(
            "read {}; from our first refresh on that program's token is dead: stop using it",
            found.format
        );
        self.adopt(&workplace, secret, stop).await
    }

    /// Looks up whose the candidate tokens are and, if they may replace the present ones, puts them in force.
    async fn adopt(
        &self,
        workplace: &Workplace,
        secret: Option<SecretString>,
        stop: Stop,
    ) -> Result<()> {
        let store = &workplace.store;
        let candidate = store.candidate();
        candidate.recover()?;
        let tokens = candidate.load()?;
        let mut session = Session::new(
            self.network.clone(),
            candidate.clone(),
            tokens,
            secret,
            stop,
        )?;
        let account = self.look_up(&mut session).await.map_err(|error| {
            let kept = format!("the new tokens are kept in {}", candidate.path().display());
            match error.exit() {
                // Their own advice is right; ours is for what passes.
                Exit::NeedsHuman | Exit::Config => error.or_safe(kept),
                _ => error
                    .safe(kept)
                    .next("aweber-sync authorize, which finishes it"),
            }
        })?;
        let present = self.check_present(store)?;
        let other = present
            .as_ref()
            .and_then(|present| present.account_id.clone())
            .filter(|id| *id != account.id);
        if let Some(other) = &other
            && !self.args.force
        {
            let aside = candidate.set_aside(store)?;
            return Err(Error::config(format!(
                "these tokens are for the account {}, but {} holds those of the account {other}",
                named(&account),
                store.path().display()
            ))
            .safe(format!(
                "the token file was left as it is; the new tokens are kept in {}",
                aside.display()
            ))
            .next(format!(
                "for a second account: aweber-sync authorize --state-dir DIR --import '{0}'; to replace the first: \
                 aweber-sync authorize --force --import '{0}'",
                aside.display()
            )));
        }
        let new = session.tokens().clone();
        let generation = present.as_ref().map_or(0, |present| present.generation);
        let kept = present
            .filter(|_| other.is_none())
            .map(|present| present.other);
        let tokens = TokenFile {
            generation: new.generation.max(generation) + 1,
            account_id: Some(account.id.clone()),
            other: kept.unwrap_or_default(),
            ..new
        };
        store.adopt(&candidate, &tokens)?;
        atomic::remove_if_there(&self.begun_file())
            .map_err(|e| Error::disk("cannot remove", &self.begun_file(), &e))?;
        say(&format!(
            "Connected: {}\nThe tokens are in {}\nNext: aweber-sync run\n",
            named(&account),
            store.path().display()
        ))
    }

    async fn look_up(&self, session: &mut Session) -> Result<Account> {
        if session.tokens().access_token.expose_secret().is_empty() {
            session.refresh().await?;
        }
        whose(session).await
    }

    /// The tokens that would be replaced. What cannot be read might be another account's: only `--force` replaces it.
    fn check_present(&self, store: &TokenStore) -> Result<Option<TokenFile>> {
        match store.peek()? {
            None => Ok(None),
            Some(Ok(present)) => Ok(Some(present)),
            Some(Err(_)) if self.args.force => Ok(None),
            Some(Err(why)) => {
                let shown = store.path().display();
                Err(Error::config(format!(
                    "{shown} is there already and cannot be read as a token file: {why}"
                ))
                .safe(format!(
                    "it was left as it is; the new tokens are kept in {}",
                    store.candidate().path().display()
                ))
                .next(format!(
                    "mv '{shown}' '{shown}.old', then aweber-sync authorize, which finishes it"
                )))
            }
        }
    }

    /// A token file without tokens of its own yet, of the generation in force.
    fn blank(&self, client_id: String, refresh_token: SecretString) -> TokenFile {
        let kept = match &self.configured {
            Some(secret) => Some(secret.value.clone()).filter(|_| !secret.from_file),
            None => self.secret_of(&client_id),
        };
        TokenFile {
            generation: self
                .present
                .as_ref()
                .map_or(0, |present| present.generation),
            client_id,
            client_secret: kept,
            account_id: None,
            access_token: SecretString::default(),
            refresh_token,
            token_type: None,
            expires_at: 0,
            other: OwnPairs::default(),
        }
    }

    async fn enter(&self, stop: &mut Stop) -> Result<Workplace> {
        make_directory(self.store.directory())?;
        Workplace::enter(&self.paths, self.args.network.lock_wait.max(PATIENCE), stop).await
    }

    /// Verifier and state between `--print-url` and `--code`.
    fn begun_file(&self) -> std::path::PathBuf {
        self.store.beside(".authorizing")
    }
}

async fn pause(duration: Duration, stop: &mut Stop) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(duration) => Ok(()),
        stopped = stop.wished() => Err(stopped.safe("nothing was changed").next("aweber-sync authorize")),
    }
}

fn named(account: &Account) -> String {
    match &account.company {
        Some(company) => format!("{company} ({})", account.id),
        None => account.id.clone(),
    }
}

/// Says for a refused code what a person can do about it; AWeber's own words are in the error already.
fn refused_code(error: Error) -> Error {
    let said = error.to_string();
    // The one place where AWeber's wording is looked at: kinds alone do not tell these apart.
    let advice = [
        (
            "Public Client MUST Use PKCE",
            "the app is registered as a public client: unset AWEBER_CLIENT_SECRET, then aweber-sync authorize",
        ),
        (
            "MUST NOT include secrets",
            "the app is registered as a public client: unset AWEBER_CLIENT_SECRET, then aweber-sync authorize",
        ),
        (
            "MUST NOT Use PKCE",
            "the app is registered as a confidential client: set AWEBER_CLIENT_SECRET or AWEBER_CLIENT_SECRET_FILE, then aweber-sync authorize",
        ),
        (
            "redirect",
            "give the --redirect-uri that the app is registered with at labs.aweber.com/apps",
        ),
    ];
    let found = advice
        .iter()
        .find(|(words, _)| said.to_lowercase().contains(&words.to_lowercase()));
    let error = match (error.exit(), found) {
        (_, Some((_, advice))) => error.next(*advice),
        (Exit::NeedsHuman, None) => Error::new(
            Exit::NeedsHuman,
            "AWeber does not accept the code: it was used already, is older than some minutes, or belongs to another client (invalid_grant)",
        )
        .next("aweber-sync authorize, and paste the new code at once"),
        (_, None) => error,
    };
    error.safe("nothing was changed")
}

/// Shows the URL and reads the code: from a prompt on a terminal, else one line of standard input.
fn ask_for_code(url: &url::Url) -> Result<String> {
    let terminal = io::stdin().is_terminal();
    say(&format!(
        "Open this page in a browser, log in to AWeber and allow access:\n\n  {url}\n\n"
    ))?;
    if terminal {
        open_browser(url.as_str());
        say("Paste the code that AWeber shows (or the whole address of the page you end on): ")?;
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| {
        Error::new(
            Exit::Config,
            format!("cannot read the code from standard input: {e}"),
        )
    })?;
    if line.trim().is_empty() && !terminal {
        return Err(Error::config(
            "there is no terminal to ask for the code on, and standard input is empty",
        )
        .safe("nothing was changed")
        .next("aweber-sync authorize --print-url, and then aweber-sync authorize --code CODE"));
    }
    Ok(line)
}

/// On a desktop only. A browser that does not open is no error: the URL is on the screen.
fn open_browser(url: &str) {
    if !["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
    {
        return;
    }
    let mut browser = Command::new("xdg-open");
    browser
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        // A browser keeps its environment for days, where any other program of the user can read it.
        let name_text = name.to_string_lossy();
        if name_text.starts_with("AWEBER_") || name_text == "CREDENTIALS_DIRECTORY" {
            browser.env_remove(&name);
        }
    }
    let _ = browser.spawn();
}
