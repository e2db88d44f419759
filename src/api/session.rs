//! A session with AWeber's API: requests with a credential, through every failure that can pass.

use super::attempts::{Failed, Step};
use super::client::{Client, random_byte};
use super::credential::Credential;
use super::reaction::{Reaction, reaction};
use super::requests::{Requests, Upcoming};
use super::transport::Reply;
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use crate::token::answer::RefreshAnswer;
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
    requests: Requests,
    credential: Credential,
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
            requests: Requests::new(client),
            credential,
            unreachable: false,
            path_refused: false,
            suspects_path: false,
            names_scope: false,
        }
    }

    /// Refresh on start: renews what can be renewed. The new tokens are durable before they are used.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        self.requests.drop_ahead();
        self.credential.renew_early(&mut self.requests.client).await
    }

    /// Sets the paths that will most likely be asked for after those of the present walk. Where one request at a time is
    /// fast enough, they are not even computed.
    pub(crate) fn expect(&mut self, later: impl Iterator<Item = String>) {
        self.requests.later.clear();
        if self.requests.is_slow() {
            self.requests.later.extend(later);
        }
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
        self.get_with_next(path, &|_| None, read).await
    }

    /// As [`Session::get`], where `next` gives the paths that will most likely be asked for after it: see
    /// [`requests`](super::requests).
    pub(crate) async fn get_with_next<T>(
        &mut self,
        path: &str,
        next: Upcoming<'_>,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        let began = Instant::now();
        let mut attempts = self.requests.client.attempts();
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
                return Err(refused_alone(path, &self.credential.permissions()));
            }
            if matches!(step, Step::Renew) {
                // It was sent with the access token that dies with this.
                self.requests.drop_ahead();
                self.credential.renew(&mut self.requests.client).await?;
            }
            self.requests
                .client
                .wait_before_repeating(step)
                .await
                .map_err(|error| error.or_next(IF_IT_PASSES))?;
        }
    }

    /// One GET, neither repeated nor renewed: the answer, whatever its status.
    ///
    /// Errors: 69 no answer.
    pub(crate) async fn look(&mut self, path: &str) -> Result<Reply> {
        self.requests
            .get(path, &|_| None, &mut self.credential)
            .await?
            .map_err(|fault| {
                fault
                    .untrusted_certificate()
                    .unwrap_or_else(|| Error::new(Kind::Unavailable, fault.what).next(IF_IT_PASSES))
            })
    }

    /// The error with which a run would end after an answer other than a success.
    pub(crate) fn refusal(&self, reply: &Reply) -> (Problem, Error) {
        let problem = Problem::read(&reply.body, &self.credential.secrets());
        let answered = format!("AWeber answered {}{}", reply.status, problem.in_brackets());
        let (kind, advice) = match reaction(reply.status, &problem) {
            Reaction::GiveUp(kind, advice) => (kind, advice),
            Reaction::Unauthorized => (Kind::NeedsHuman, "aweber-sync authorize"),
            Reaction::WaitForRateLimit => (Kind::RateLimited, "the same command in a minute"),
            _ => (Kind::Unavailable, IF_IT_PASSES),
        };
        (problem, Error::new(kind, answered).next(advice))
    }

    /// Sends at most that many requests in all.
    pub(crate) fn limit_requests(&mut self, most: u64) {
        self.requests.client.limit(most);
    }

    /// Whether AWeber accepts the token for another path. Errors: as [`Session::get`].
    async fn control_succeeds(&mut self) -> Result<bool> {
        let began = Instant::now();
        let mut attempts = self.requests.client.attempts();
        loop {
            let failed = match self.attempt(CONTROL, &|_| None).await? {
                Ok(reply) => return Ok(reply.status < 300),
                Err(Failed::Unauthorized(_)) => return Ok(false),
                Err(failed) => failed,
            };
            let step = attempts.after(failed, began.elapsed(), random_byte());
            self.requests
                .client
                .wait_before_repeating(step)
                .await
                .map_err(|error| error.or_next(IF_IT_PASSES))?;
        }
    }

    /// One attempt: a success or a 404, or how it failed.
    async fn attempt(&mut self, path: &str, next: Upcoming<'_>) -> Result<Attempt> {
        let reply = match self.requests.get(path, next, &mut self.credential).await? {
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
            // The reason may concern what comes after it too.
            self.requests.drop_ahead();
            self.requests.later.clear();
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
                let clock = &mut self.requests.client.clock;
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

    /// How long the next request has to wait for its turn.
    pub(crate) fn wait_ahead(&mut self) -> Duration {
        self.requests.client.wait_ahead()
    }

    /// Requests of all kinds so far, repetitions included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.client.requests()
    }

    /// The most requests a minute, if others who share AWeber's limit have lowered it.
    pub(crate) fn lowered_pace(&self) -> Option<usize> {
        self.requests.client.lowered_pace()
    }

    /// How often new tokens were issued.
    pub(crate) fn refreshes(&self) -> u64 {
        self.credential.renewals()
    }

    /// What the answer to the latest refresh showed of AWeber.
    pub(crate) fn refresh_answer(&self) -> Option<RefreshAnswer> {
        self.credential.refresh_answer()
    }

    /// The current tokens.
    pub(crate) fn tokens(&self) -> &TokenFile {
        self.credential.tokens()
    }

    /// Takes over tokens that the caller stored: the same ones with more known about them.
    pub(crate) fn set_tokens(&mut self, tokens: TokenFile) {
        self.credential.set_tokens(tokens);
    }

    /// Takes over the latest time that an earlier run knew from AWeber.
    pub(crate) fn remember_time(&mut self, earlier: Option<DateTime<Utc>>) {
        self.requests.client.clock.remember(earlier);
    }

    /// The time by AWeber's clock, as last known.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.requests.client.clock.aweber()
    }

    /// The error that the run must end with although it went on: a dead refresh token.
    pub(crate) fn take_deferred_error(&mut self) -> Option<Error> {
        self.credential.take_deferred_error()
    }

    /// The request to stop, for others who wait.
    pub(crate) fn stop(&self) -> Stop {
        self.requests.client.stop.clone()
    }

    /// The API's origin, which every link must stay on.
    pub(crate) fn origin(&self) -> &url::Url {
        self.requests.client.transport.api_origin()
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
