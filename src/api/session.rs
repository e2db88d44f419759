//! A session with AWeber's API: requests with a credential, through every failure that can pass.

use super::attempts::{Failed, Step};
use super::client::{Client, random_byte};
use super::credential::Credential;
use super::reaction::{Reaction, reaction};
use super::sent::{Answer, Sent};
use super::transport::{Fault, Reply};
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::answer::RefreshAnswer;
use crate::token::model::TokenFile;
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::sync::Arc;
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
    /// Requests sent before their turn, in the order of their turns.
    ahead: VecDeque<Sent>,
    /// See [`Session::expect`].
    later: Arc<[String]>,
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

/// Answers that take this long are worth asking for two at a time, within the rate limit.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// Answered to every token that AWeber accepts.
const CONTROL: &str = "/1.0/accounts";

/// The paths that will most likely be asked for after the present one, by their number from 0.
pub(crate) type Upcoming<'a> = &'a (dyn Fn(usize) -> Option<String> + Sync);

/// How one attempt ended.
type Attempt = std::result::Result<Reply, Failed>;

impl Session {
    /// A session that has asked nothing yet.
    pub(crate) fn new(client: Client, credential: Credential) -> Session {
        Session {
            client,
            credential,
            ahead: VecDeque::new(),
            later: Arc::default(),
            latency: Duration::ZERO,
            unreachable: false,
            path_refused: false,
            suspects_path: false,
            names_scope: false,
        }
    }

    /// Refresh on start: renews what can be renewed. The new tokens are durable before they are used.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        self.drop_ahead();
        self.credential.renew_early(&mut self.client).await
    }

    /// Sets the paths that will most likely be asked for after those of the present walk.
    pub(crate) fn expect(&mut self, later: impl Iterator<Item = String>) {
        self.later = later.collect();
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
    /// [`sent`](super::sent).
    pub(crate) async fn get_with_next<T>(
        &mut self,
        path: &str,
        next: Upcoming<'_>,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        let began = Instant::now();
        let mut attempts = self.client.attempts();
        self.path_refused = false;
        loop {
            let later = self.later.clone();
            let next: Upcoming<'_> = &|i| {
                let own = (0..i).take_while(|j| next(*j).is_some()).count();
                next(i).or_else(|| later.get(i - own).cloned())
            };
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
                self.drop_ahead();
                self.credential.renew(&mut self.client).await?;
            }
            self.client
                .wait_before_repeating(step)
                .await
                .map_err(|error| error.or_next(IF_IT_PASSES))?;
        }
    }

    /// One GET, neither repeated nor renewed: the answer, whatever its status.
    ///
    /// Errors: 69 no answer.
    pub(crate) async fn look(&mut self, path: &str) -> Result<Reply> {
        self.ask(path, &|_| None).await?.map_err(|fault| {
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
        self.client.limit(most);
    }

    /// Whether AWeber accepts the token for another path. Errors: as [`Session::get`].
    async fn control_succeeds(&mut self) -> Result<bool> {
        let began = Instant::now();
        let mut attempts = self.client.attempts();
        loop {
            let failed = match self.attempt(CONTROL, &|_| None).await? {
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
    async fn attempt(&mut self, path: &str, next: Upcoming<'_>) -> Result<Attempt> {
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
            // The reason may concern what comes after it too.
            self.drop_ahead();
            self.later = Arc::default();
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

    /// One GET, within the rate limit, or the answer to the one that was sent ahead; sends others ahead at the same time.
    /// Cancelled when a stop is requested.
    async fn ask(
        &mut self,
        path: &str,
        next: Upcoming<'_>,
    ) -> Result<std::result::Result<Reply, Fault>> {
        let mut sent = match self.take_sent(path, next) {
            Some(sent) => sent,
            None => {
                self.client.wait_for_turn().await?;
                self.send(path)
            }
        };
        let mut stop = self.client.stop.clone();
        let answer = loop {
            let room = self.send_ahead(next);
            tokio::select! {
                answer = sent.answer() => break answer,
                () = tokio::time::sleep(room.unwrap_or_default()), if room.is_some() => {}
                stopped = stop.requested() => {
                    // AWeber may have counted it.
                    self.client.end_request(sent.slot(), Instant::now());
                    self.drop_ahead();
                    return Err(stopped);
                }
            }
        };
        let answer = answer.map_err(|error| {
            Error::new(Kind::Unavailable, format!("cannot ask AWeber: {error}"))
        })?;
        let Answer {
            outcome,
            began,
            ended,
        } = answer;
        self.client.end_request(sent.slot(), ended);
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

    /// Sends the request for `path`.
    fn send(&mut self, path: &str) -> Sent {
        let authorization = self.authorization(path);
        let slot = self.client.begin_request();
        let transport = self.client.transport.clone();
        Sent::new(transport, path.to_owned(), authorization, slot)
    }

    /// The request for `path` if it was sent ahead. Those behind it are cancelled unless they are the next ones.
    fn take_sent(&mut self, path: &str, next: Upcoming<'_>) -> Option<Sent> {
        let is_first = self.ahead.front().is_some_and(|sent| sent.path() == path);
        let sent = if is_first {
            self.ahead.pop_front()
        } else {
            None
        };
        let mut ahead = self.ahead.iter().enumerate();
        if !ahead.all(|(i, sent)| next(i).is_some_and(|path| sent.path() == path)) {
            self.drop_ahead();
        }
        sent
    }

    /// Sends requests before their turn, as many as the rate limit needs at this latency, or two. Returns how long it takes until
    /// another one has room, if one more would be useful.
    fn send_ahead(&mut self, next: Upcoming<'_>) -> Option<Duration> {
        let for_the_limit = self.client.useful_under_way(self.latency);
        let useful = match !self.later.is_empty() && self.latency >= NOTICEABLE {
            true => for_the_limit.max(2),
            false => for_the_limit,
        };
        while self.ahead.len() + 1 < useful {
            let path = next(self.ahead.len())?;
            let room = self.client.wait_ahead();
            if !room.is_zero() {
                return Some(room);
            }
            let sent = self.send(&path);
            self.ahead.push_back(sent);
        }
        None
    }

    /// Cancels what was sent ahead. AWeber has counted it nevertheless.
    fn drop_ahead(&mut self) {
        for sent in self.ahead.drain(..) {
            self.client.end_request(sent.slot(), Instant::now());
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

    /// The most requests a minute, if others who share AWeber's limit have lowered it.
    pub(crate) fn lowered_pace(&self) -> Option<usize> {
        self.client.lowered_pace()
    }

    /// How often new tokens were issued.
    pub(crate) fn refreshes(&self) -> u64 {
        self.credential.renewals()
    }

    /// What the answer to the latest refresh showed of AWeber.
    pub(crate) fn refresh_answer(&self) -> Option<RefreshAnswer> {
        self.credential.refresh_answer()
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
