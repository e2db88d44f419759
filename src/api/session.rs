//! A session with AWeber's API: requests with a credential, through every failure that can pass.

use super::attempts::{Failed, Step};
use super::client::{Client, random_byte};
use super::credential::Credential;
use super::lookahead::{self, Answer, Lookahead};
use super::reaction::{Reaction, reaction};
use super::transport::{Fault, Reply};
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::model::TokenFile;
use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// The advice for failures that most likely pass.
const IF_IT_PASSES: &str =
    "nothing if the failure is temporary: the next run resumes here; see status.aweber.com";

/// The answer to a request for one thing.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// It exists.
    There(T),
    /// AWeber answered that it does not exist (404).
    NotThere,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    credential: Credential,
    /// The page asked for before its turn.
    lookahead: Option<Lookahead>,
    /// How long the latest answer of the API took.
    latency: Duration,
    unreachable: bool,
    /// The last request was refused (401) for its path alone.
    path_refused: bool,
    /// A path was refused alone before: the next 401 is judged before a token is spent on it.
    suspects_path: bool,
    /// The last 401 spoke of a scope: then it concerns more than its path.
    names_scope: bool,
}

/// Answered to every token that AWeber accepts.
const CONTROL: &str = "/1.0/accounts";

/// How one attempt ended.
type Attempt = std::result::Result<Reply, Failed>;

impl Session {
    /// A session that has asked nothing yet.
    pub(crate) fn new(client: Client, credential: Credential) -> Session {
        Session {
            client,
            credential,
            lookahead: None,
            latency: Duration::ZERO,
            unreachable: false,
            path_refused: false,
            suspects_path: false,
            names_scope: false,
        }
    }

    /// Refresh on start: renews what can be renewed. The new tokens are durable before they are used.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        self.drop_lookahead();
        self.credential.renew_early(&mut self.client).await
    }

    /// Asks for a path of the API, through every failure that can pass. `read` parses the body; a body that it rejects
    /// counts as a transient failure: a maintenance page is not an empty list.
    ///
    /// Errors: 69 for what concerns this path only; every other code concerns the whole run.
    pub(crate) async fn get<T>(
        &mut self,
        path: &str,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        self.get_with_next(path, None, read).await
    }

    /// As [`Session::get`], where `next` will most likely be asked for after it: see [`lookahead`].
    pub(crate) async fn get_with_next<T>(
        &mut self,
        path: &str,
        next: Option<&str>,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        let began = Instant::now();
        let mut attempts = self.client.attempts();
        self.path_refused = false;
        loop {
            if self.credential.is_due() {
                self.refresh().await?;
            }
            let failed = match self.attempt(path, next).await? {
                Ok(reply) if reply.status == 404 => return Ok(Found::NotThere),
                Ok(reply) => match read(reply.body) {
                    Ok(value) => return Ok(Found::There(value)),
                    Err(why) => Failed::Transient(format!("AWeber's answer cannot be used: {why}")),
                },
                Err(failed) => failed,
            };
            let is_unauthorized = matches!(failed, Failed::Unauthorized(_));
            let step = attempts.after(failed, began.elapsed(), random_byte());
            let is_judged = match &step {
                Step::Renew => self.suspects_path,
                Step::GiveUp(_) => is_unauthorized && !self.names_scope,
                _ => false,
            };
            let is_control = path.split('?').next() == Some(CONTROL);
            if is_judged && !is_control && self.control_succeeds().await? {
                (self.path_refused, self.suspects_path) = (true, true);
                return Err(refused_alone(path, self.credential.permissions()));
            }
            if matches!(step, Step::Renew) {
                // It was sent with the access token that dies with this.
                self.drop_lookahead();
                self.credential.renew(&mut self.client).await?;
            }
            self.client
                .wait_before_repeating(step)
                .await
                .map_err(|error| error.or_next(IF_IT_PASSES))?;
        }
    }

    /// Whether AWeber accepts the token for another path. Errors: as [`Session::get`].
    async fn control_succeeds(&mut self) -> Result<bool> {
        let began = Instant::now();
        let mut attempts = self.client.attempts();
        loop {
            let failed = match self.attempt(CONTROL, None).await? {
                Ok(reply) => return Ok(reply.status < 300),
                Err(Failed::Unauthorized(_)) => return Ok(false),
                Err(failed) => failed,
            };
            let step = attempts.after(failed, began.elapsed(), random_byte());
            self.client
                .wait_before_repeating(step)
                .await
                .map_err(|error| error.or_next(IF_IT_PASSES))?;
        }
    }

    /// One attempt: a success or a 404, or how it failed.
    async fn attempt(&mut self, path: &str, next: Option<&str>) -> Result<Attempt> {
        let reply = match self.ask(path, next).await? {
            Ok(reply) => reply,
            Err(fault) => {
                self.unreachable = true;
                return Ok(Err(match fault.untrusted_certificate() {
                    Some(error) => Failed::Permanent(error),
                    None => Failed::Transient(fault.what),
                }));
            }
        };
        self.unreachable = false;
        if reply.status >= 300 {
            // The reason concerns the page after it too.
            self.drop_lookahead();
        }
        let problem = match reply.status {
            200..=299 => Problem::default(),
            _ => Problem::read(&reply.body, &self.credential.secrets()),
        };
        let answered = format!("AWeber answered {}{}", reply.status, problem.in_brackets());
        Ok(match reaction(reply.status, &problem) {
            Reaction::Read | Reaction::NotFound => Ok(reply),
            Reaction::Unauthorized => {
                self.names_scope = problem.says("scope");
                let clock = &mut self.client.clock;
                Err(self
                    .credential
                    .unauthorized(answered, &problem, reply.date, clock))
            }
            Reaction::WaitForRateLimit => Err(Failed::RateLimited(answered)),
            Reaction::Repeat => Err(Failed::Transient(answered)),
            Reaction::GiveUp(kind, advice) => {
                let scopes = if reply.status == 403 && kind == Kind::NeedsHuman {
                    format!("; the app needs {}", self.credential.permissions())
                } else {
                    String::new()
                };
                Err(Failed::Permanent(
                    Error::new(kind, answered + &scopes).next(advice),
                ))
            }
        })
    }

    /// One GET, within the rate limit, or the answer to the one that was sent ahead; cancelled when a stop is requested.
    async fn ask(
        &mut self,
        path: &str,
        next: Option<&str>,
    ) -> Result<std::result::Result<Reply, Fault>> {
        let sent = self.lookahead.take_if(|ahead| ahead.is_for(path));
        let is_next = |ahead: &Lookahead| next.is_some_and(|next| ahead.is_for(next));
        if !self.lookahead.as_ref().is_some_and(is_next) {
            self.drop_lookahead();
        }
        let slot = match &sent {
            Some(sent) => sent.slot(),
            None => {
                self.client.wait_for_turn().await?;
                self.client.begin_request()
            }
        };
        if let (Some(next), None) = (next, &self.lookahead) {
            self.send_ahead(next);
        }
        let transport = self.client.transport.clone();
        let authorization = self.authorization(path);
        let mut stop = self.client.stop.clone();
        let answer = async {
            if let Some(mut sent) = sent
                && let Ok(answer) = sent.answer().await
            {
                return answer;
            }
            lookahead::ask(&transport, path, &authorization).await
        };
        let answer = tokio::select! {
            answer = answer => answer,
            stopped = stop.requested() => {
                // AWeber may have counted it.
                self.client.end_request(slot, Instant::now());
                self.drop_lookahead();
                return Err(stopped);
            }
        };
        let Answer {
            outcome,
            began,
            ended,
        } = answer;
        self.client.end_request(slot, ended);
        self.latency = ended - began;
        if let Ok(reply) = &outcome {
            self.client.clock.note(reply);
        }
        tracing::trace!(
            event = "request",
            path,
            status = outcome.as_ref().map_or(0, |reply| reply.status),
            milliseconds = self.latency.as_millis() as u64,
            "asked"
        );
        Ok(outcome)
    }

    /// The Authorization header for a GET of that path.
    fn authorization(&mut self, path: &str) -> SecretString {
        match self.client.transport.api_url(path) {
            Ok(url) => self.credential.authorize(&url, &self.client.clock),
            // Not sent anywhere: the request fails for the same reason.
            Err(_) => SecretString::default(),
        }
    }

    /// Sends the request for `path` before its turn, if one at a time could not use the rate limit and it has room.
    fn send_ahead(&mut self, path: &str) {
        let has_room = self.client.wait_ahead().is_zero();
        if has_room && self.client.is_too_slow_one_at_a_time(self.latency) {
            let transport = self.client.transport.clone();
            let authorization = self.authorization(path);
            let slot = self.client.begin_request();
            let path = path.to_owned();
            self.lookahead = Some(Lookahead::send(transport, path, authorization, slot));
        }
    }

    /// Cancels what was sent ahead. AWeber has counted it nevertheless.
    fn drop_lookahead(&mut self) {
        if let Some(ahead) = self.lookahead.take() {
            self.client.end_request(ahead.slot(), Instant::now());
        }
    }

    /// How long the next request has to wait for its turn.
    pub(crate) fn wait_ahead(&mut self) -> Duration {
        self.client.wait_ahead()
    }

    /// Requests of all kinds so far, repetitions included.
    pub(crate) fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// How often new tokens were issued.
    pub(crate) fn refreshes(&self) -> u64 {
        self.credential.renewals()
    }

    /// The tokens in force.
    pub(crate) fn tokens(&self) -> &TokenFile {
        self.credential.tokens()
    }

    /// Takes over tokens that the caller stored: the same ones with more known about them.
    pub(crate) fn set_tokens(&mut self, tokens: TokenFile) {
        self.credential.set_tokens(tokens);
    }

    /// Takes over the latest time that an earlier run knew from AWeber.
    pub(crate) fn remember_time(&mut self, earlier: Option<DateTime<Utc>>) {
        self.client.clock.remember(earlier);
    }

    /// The time by AWeber's clock, as last known.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.client.clock.aweber()
    }

    /// The error that the run must end with although it went on: a dead refresh token.
    pub(crate) fn take_deferred_error(&mut self) -> Option<Error> {
        self.credential.take_deferred_error()
    }

    /// The request to stop, for others who wait.
    pub(crate) fn stop(&self) -> Stop {
        self.client.stop.clone()
    }

    /// The API's origin, which every link must stay on.
    pub(crate) fn origin(&self) -> &url::Url {
        self.client.transport.api_origin()
    }

    /// Whether a refresh that was needed failed: then nothing else can be asked either.
    pub(crate) fn cannot_refresh(&self) -> bool {
        self.credential.is_lost()
    }

    /// Whether the last request was refused (401) although AWeber accepts the token for another path.
    pub(crate) fn is_path_refused(&self) -> bool {
        self.path_refused
    }

    /// Whether the last request reached nothing.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.unreachable
    }
}

/// 69: a 401 for this path alone.
fn refused_alone(path: &str, permissions: &str) -> Error {
    let path = path.split('?').next().unwrap_or(path);
    Error::new(
        Kind::Unavailable,
        format!("AWeber answers 401 for {path}, but accepts the token for {CONTROL}"),
    )
    .next(format!(
        "nothing, if the next run succeeds; if it does not: aweber-sync authorize (the app may lack one of {permissions})"
    ))
}
