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
    secret: Option<ClientSecret>,
}

impl<'a> Setting<'a> {
    fn new(common: &cli::Common, args: &'a cli::Authorize, env: Env<'_>) -> Result<Setting<'a>> {
        let paths = Paths::new(common, env)?;
        let store = TokenStore::at(&paths.token_file)?;
        let mut setting = Setting {
            network: Network::new(common, &args.network)?,
            client_id: common.client_id.clone(),
            secret: secret::client_secret(env)?,
            args,
            paths,
            store,
        };
        // Authorizing anew, after a 77 say: the token file knows its client.
        if let Ok(present) = setting.store.load() {
            let same = setting
                .client_id
                .as_ref()
                .is_none_or(|id| *id == present.client_id);
            if same && setting.secret.is_none() {
                setting.secret = present.client_secret.map(|value| ClientSecret {
                    value,
                    from_file: false,
                });
            }
            setting.client_id.get_or_insert(present.client_id);
        }
        Ok(setting)
    }

    fn begin(&self) -> Result<Begun> {
        let Some(client_id) = self.client_id.clone() else {
            return Err(Error::config("which app? AWeber needs the client id of yours")
                .safe("nothing was changed")
                .next("register one at labs.aweber.com/apps with the redirect URI urn:ietf:wg:oauth:2.0:oob, then aweber-sync authorize --client-id ID"));
        };
        Begun::new(
            client_id,
            self.args.redirect_uri.clone(),
            self.secret.is_none(),
        )
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
        if begun.verifier.is_some() == self.secret.is_some() {
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
                client_secret: self.secret.as_ref().map(|secret| secret.value.clone()),
                tokens: self.blank(&workplace, begun.client_id.clone(), SecretString::default()),
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
                    tokio::time::sleep(self.network.rate_limit_wait).await;
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
                    tokio::time::sleep(wait(self.network.retry_wait, repeats, random_byte())).await;
                    repeats += 1;
                }
            }
        }
        self.adopt(&workplace, stop).await
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
        match self.adopt(&workplace, stop).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.exit(), Exit::NeedsHuman | Exit::Config) => {
                tracing::warn!("{error}");
                candidate.remove()?;
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
        let Some(client_id) = found.client_id.or_else(|| self.client_id.clone()) else {
            return Err(
                unusable("it does not say which client its tokens belong to".to_owned()).next(
                    format!("aweber-sync authorize --import '{shown}' --client-id ID"),
                ),
            );
        };
        let mut stop = Stop::listen(None)?;
        let workplace = self.enter(&mut stop).await?;
        let candidate = workplace.store.candidate();
        let mut tokens = self.blank(&workplace, client_id, found.refresh_token);
        tokens.generation += 1;
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
        self.adopt(&workplace, stop).await
    }

    /// Looks up whose the candidate tokens are and, if they may replace the present ones, puts them in force.
    async fn adopt(&self, workplace: &Workplace, stop: Stop) -> Result<()> {
        let candidate = workplace.store.candidate();
        candidate.recover()?;
        let tokens = candidate.load()?;
        let secret = self.secret.as_ref().map(|secret| secret.value.clone());
        let mut session = Session::new(
            self.network.clone(),
            candidate.clone(),
            tokens,
            secret,
            stop,
        )?;
        if session.tokens().access_token.expose_secret().is_empty() {
            session.refresh().await?;
        }
        let account = whose(&mut session).await.map_err(|e| {
            e.or_safe(format!(
                "the new tokens are kept in {}",
                candidate.path().display()
            ))
            .or_next("aweber-sync authorize finishes it")
        })?;
        let present = workplace.store.load().ok();
        let other = present
            .as_ref()
            .and_then(|present| present.account_id.as_ref())
            .filter(|id| **id != account.id);
        if let Some(other) = other
            && !self.args.force
        {
            candidate.remove()?;
            return Err(Error::config(format!(
                "these tokens are for the account {}, but {} holds those of the account {other}",
                named(&account),
                workplace.store.path().display()
            ))
            .safe("the token file was left as it is; the new tokens were thrown away")
            .next("another --state-dir for the second account; or, to replace the first: aweber-sync authorize --force"));
        }
        let new = session.tokens().clone();
        let kept = present
            .as_ref()
            .filter(|_| other.is_none())
            .map(|present| present.other.clone());
        let tokens = TokenFile {
            generation: new
                .generation
                .max(present.as_ref().map_or(0, |present| present.generation))
                + 1,
            account_id: Some(account.id.clone()),
            other: kept.unwrap_or_default(),
            ..new
        };
        workplace.store.install(&tokens)?;
        candidate.remove()?;
        atomic::remove_if_there(&self.begun_file())
            .map_err(|e| Error::disk("cannot remove", &self.begun_file(), &e))?;
        say(&format!(
            "Connected: {}\nThe tokens are in {}\nNext: aweber-sync run\n",
            named(&account),
            workplace.store.path().display()
        ))
    }

    /// A token file without tokens of its own yet, of the generation in force: what is merged into it is newer.
    fn blank(
        &self,
        workplace: &Workplace,
        client_id: String,
        refresh_token: SecretString,
    ) -> TokenFile {
        let kept = self.secret.as_ref().filter(|secret| !secret.from_file);
        TokenFile {
            generation: workplace
                .store
                .load()
                .map_or(0, |present| present.generation),
            client_id,
            client_secret: kept.map(|secret| secret.value.clone()),
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
