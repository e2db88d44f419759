//! `check --probe-rotation`: which of the four behaviours (AWeber API, section 1 'Rotation') the server has. Each token
//! request takes the path of every refresh, so that the newest tokens are stored whatever happens.

use crate::api::client::Client;
use crate::api::exchange::exchange;
use crate::commands::print;
use crate::config::Base;
use crate::connect::{request_log, session};
use crate::error::{Error, Kind, Result};
use crate::locks::Locks;
use crate::secret::{ExposeSecret, SecretString};
use crate::stop::Stop;
use crate::token::grant::Grant;
use crate::token::model::{TokenFile, TokenKind};
use std::io::{BufRead, IsTerminal};

/// The most token requests of one probe; the longest path below takes five.
const MOST_REQUESTS: u64 = 6;

/// What a server does with the refresh token that was sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// It answers with the same one.
    Kept,
    /// It is dead at once.
    DeadAtOnce,
    /// It lives on.
    LivesOn,
    /// It lives until a newer one is used.
    UntilUsed,
    /// It is dead, and its second use has ended the authorization.
    EndsAuthorization,
}

impl Behaviour {
    fn word(self) -> &'static str {
        match self {
            Behaviour::Kept => "kept",
            Behaviour::DeadAtOnce => "dead_at_once",
            Behaviour::LivesOn => "lives_on",
            Behaviour::UntilUsed => "until_newer_is_used",
            Behaviour::EndsAuthorization => "ends_authorization",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Behaviour::Kept => "a refresh returns the same refresh token",
            Behaviour::DeadAtOnce => "the old refresh token is dead at once",
            Behaviour::LivesOn => "the old refresh token lives on",
            Behaviour::UntilUsed => "the old refresh token lives until a newer one is used",
            Behaviour::EndsAuthorization => {
                "the old refresh token is dead, and using it again ends the whole authorization"
            }
        }
    }
}

/// Probes it, after a warning. Errors: 2 without consent; 77 the authorization is over; as a refresh.
pub(super) async fn probe(base: &Base, without_asking: bool, json: bool) -> Result<()> {
    let mut stop = Stop::listen(None)?;
    if !without_asking {
        ask_for_consent(&mut stop).await?;
    }
    let locks = Locks::take(&base.paths, base.lock_wait, &mut stop).await?;
    let tokens = locks.load_tokens(base.client.id.as_deref())?;
    if !tokens.kind.is_refreshed() {
        return Err(Error::new(
            Kind::Usage,
            "tokens of OAuth 1.0a are never refreshed: there is nothing to probe",
        )
        .safe("nothing was changed"));
    }
    let mut client = Client::new(&base.network, request_log(base)?, stop.clone())?;
    client.limit(MOST_REQUESTS);
    let secret = base
        .client
        .secret()
        .or_else(|| tokens.client_secret.clone());
    let mut trial = Trial {
        base,
        locks: &locks,
        client,
        secret,
        newest: tokens,
        stop,
    };
    let behaviour = trial.run().await?;
    let requests = trial.client.requests();
    let is_over = behaviour == Behaviour::EndsAuthorization;
    let text = match json {
        true => format!(
            "{:#}\n",
            serde_json::json!({
                "version": 1,
                "behaviour": behaviour.word(),
                "token_requests": requests,
                "authorize_again": is_over,
            })
        ),
        false => format!(
            "{} (token requests: {requests})\nThis program is right with each of the behaviours; please add this line to \
             a report.\n",
            behaviour.sentence()
        ),
    };
    drop(locks);
    print(&text)?;
    match is_over {
        false => Ok(()),
        true => Err(Error::new(
            Kind::NeedsHuman,
            "the probe has ended the authorization, as it warned",
        )
        .safe("ledger and exports are untouched")
        .next("aweber-sync authorize")),
    }
}

/// Errors: 2 without a yes.
async fn ask_for_consent(stop: &mut Stop) -> Result<()> {
    let refused = |what: &str| {
        Error::new(Kind::Usage, what.to_owned())
            .safe("nothing was changed and no token was spent")
            .next("aweber-sync check --probe-rotation --yes, if it may cost a new authorize")
    };
    if !std::io::stdin().is_terminal() {
        return Err(refused("--probe-rotation needs --yes without a terminal"));
    }
    print(
        "This uses a refresh token a second time on purpose. If AWeber ends an authorization\n\
         for that, you have to run aweber-sync authorize again. Type yes to go on: ",
    )?;
    // On another thread: our handlers catch Ctrl-C, and a blocked read would not notice.
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = reading => line.ok().and_then(std::result::Result::ok).unwrap_or_default(),
        stopped = stop.requested() => return Err(stopped.safe("nothing was changed")),
    };
    match line.trim() {
        "yes" => Ok(()),
        _ => Err(refused("the probe was declined")),
    }
}

/// The probe under way.
struct Trial<'a> {
    base: &'a Base,
    locks: &'a Locks,
    client: Client,
    secret: Option<SecretString>,
    /// The newest tokens, which are stored.
    newest: TokenFile,
    stop: Stop,
}

impl Trial<'_> {
    async fn run(&mut self) -> Result<Behaviour> {
        let first = self.newest.lasting_secret().clone();
        let grant = Grant::Refresh(self.newest.clone());
        let issued = exchange(
            &mut self.client,
            &self.locks.store,
            &grant,
            self.secret.as_ref(),
        )
        .await?;
        self.newest = issued.tokens;
        if self.newest.lasting_secret().expose_secret() == first.expose_secret() {
            return Ok(Behaviour::Kept);
        }
        if !self.is_granted(&first).await? {
            return self.still_works(Behaviour::DeadAtOnce).await;
        }
        // Both are newer than the first one: an access token, and a refresh token.
        self.use_access_token().await?;
        let newest = self.newest.lasting_secret().clone();
        if !self.is_granted(&newest).await? {
            return Ok(Behaviour::EndsAuthorization);
        }
        if self.is_granted(&first).await? {
            return Ok(Behaviour::LivesOn);
        }
        self.still_works(Behaviour::UntilUsed).await
    }

    /// After a refusal: whether the newest tokens still work.
    async fn still_works(&mut self, behaviour: Behaviour) -> Result<Behaviour> {
        let newest = self.newest.lasting_secret().clone();
        Ok(match self.is_granted(&newest).await? {
            true => behaviour,
            false => Behaviour::EndsAuthorization,
        })
    }

    /// Trades a refresh token; what is granted is stored as the newest tokens.
    async fn is_granted(&mut self, refresh_token: &SecretString) -> Result<bool> {
        let grant = Grant::Refresh(TokenFile {
            kind: TokenKind::OAuth2 {
                refresh_token: refresh_token.clone(),
            },
            ..self.newest.clone()
        });
        let secret = self.secret.as_ref();
        match exchange(&mut self.client, &self.locks.store, &grant, secret).await {
            Ok(issued) => {
                self.newest = issued.tokens;
                Ok(true)
            }
            Err(error) if error.kind() == Kind::NeedsHuman => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn use_access_token(&mut self) -> Result<()> {
        let (tokens, stop) = (self.newest.clone(), self.stop.clone());
        let mut session = session(
            self.base,
            &self.locks.store,
            tokens,
            self.secret.clone(),
            stop,
        )?;
        session.look("/1.0/accounts").await.map(drop)
    }
}
