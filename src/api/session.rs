//! A session with AWeber: the current token, requests with it, and what becomes of each failure. Refreshing is in
//! [`refresh`](super::refresh); both the refresh on start and those during a run go through it.

use super::lookahead::{self, Answer, Lookahead};
use super::pacing::Limiter;
use super::reaction::{Reaction, SCOPES, reaction};
use super::retry::{self, RATE_LIMIT_WAITS, REPEATS};
use super::transport::{Fault, Reply, Transport};
use crate::config::Network;
use crate::envelope::Problem;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretString;
use crate::stop::Stop;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// However often a request may be repeated, no further repeat begins after this long.
const TOTAL: Duration = Duration::from_secs(300);

/// What a session has cost so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Requests of all kinds, repeats included.
    pub(crate) requests: u64,
    /// Refreshes that gave new tokens.
    pub(crate) refreshes: u64,
}

/// The answer to a question about one thing.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// It is there.
    There(T),
    /// AWeber says that it does not exist (404).
    NotThere,
}

/// The one place that holds the current tokens and spends requests.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) http: Transport,
    pub(super) network: Network,
    /// The secret in use: configured, or from the token file. None: a public client.
    pub(super) client_secret: Option<SecretString>,
    pub(super) store: TokenStore,
    pub(super) tokens: TokenFile,
    /// When to refresh ahead of the access token's end, by the monotonic clock.
    pub(super) refresh_at: Option<Instant>,
    /// When the access token dies, by the monotonic clock; None: an earlier process got it.
    pub(super) dies_at: Option<Instant>,
    /// The refresh token is dead; this error is owed at the end of the run that still lives on the access token.
    pub(super) deferred: Option<Error>,
    /// Tokens that were in force earlier in this session; no message may repeat them either.
    pub(super) spent: Vec<SecretString>,
    pub(super) limiter: Limiter,
    pub(super) stop: Stop,
    pub(super) counts: Counts,
    now: Option<DateTime<Utc>>,
    unreachable: bool,
    pub(super) refresh_failed: bool,
    /// The page asked for before its turn.
    ahead: Option<Lookahead>,
    /// How long the latest answer of the API took.
    took: Duration,
    /// The local clock when the session began, and the monotonic one: from there on only that one counts.
    began: (i64, Instant),
}

impl Session {
    /// A session that has asked nothing yet.
    pub(crate) fn new(
        network: Network,
        store: TokenStore,
        tokens: TokenFile,
        client_secret: Option<SecretString>,
        stop: Stop,
    ) -> Result<Session> {
        let client_secret = client_secret.or_else(|| tokens.client_secret.clone());
        Ok(Session {
            http: Transport::new(&network)?,
            limiter: Limiter::new(network.requests_per_minute, []),
            network,
            client_secret,
            store,
            tokens,
            refresh_at: None,
            dies_at: None,
            deferred: None,
            spent: Vec::new(),
            stop,
            counts: Counts::default(),
            now: None,
            unreachable: false,
            refresh_failed: false,
            ahead: None,
            took: Duration::ZERO,
            began: (Utc::now().timestamp_millis(), Instant::now()),
        })
    }

    /// Takes over when earlier runs asked (milliseconds since 1970), for the rate limit.
    pub(crate) fn remember_requests(&mut self, earlier: Vec<i64>) {
        let own: Vec<i64> = self.limiter.recent().collect();
        let all = earlier.into_iter().chain(own);
        self.limiter = Limiter::new(self.network.requests_per_minute, all);
    }

    /// How long the next request has to wait for its turn.
    pub(crate) fn wait_ahead(&mut self) -> Duration {
        let now = self.now_ms();
        self.limiter.wait(now, 0)
    }

    /// When the last requests were over, for the next run.
    pub(crate) fn recent_requests(&self) -> Vec<i64> {
        self.limiter.recent().collect()
    }

    /// The tokens in force.
    pub(crate) fn tokens(&self) -> &TokenFile {
        &self.tokens
    }

    /// Takes over tokens that the caller has stored: the same ones with more known about them.
    pub(crate) fn replace_tokens(&mut self, tokens: TokenFile) {
        self.tokens = tokens;
    }

    /// Requests and refreshes so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes over the latest time that an earlier run knew from AWeber.
    pub(crate) fn remember_time(&mut self, earlier: Option<DateTime<Utc>>) {
        self.now = self.now.or(earlier);
    }

    /// The time by AWeber's clock, from the `Date` of its latest answer, else the latest known from it.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.now
    }

    /// What the run has to end with although it went on: a refresh token that is dead.
    pub(crate) fn take_deferred_error(&mut self) -> Option<Error> {
        self.deferred.take()
    }

    /// The wish to stop, for others who wait.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The API's origin, which every link must stay on.
    pub(crate) fn origin(&self) -> &url::Url {
        self.http.api_origin()
    }

    /// Asks for a path of the API, through every failure that can pass. `read` makes sense of the body; a body that
    /// it refuses counts as a passing fault: a maintenance page is no empty list.
    ///
    /// Errors: 69 for what concerns this path only; every other code concerns the whole run.
    pub(crate) async fn get<T>(
        &mut self,
        path: &str,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        self.get_with_next(path, None, read).await
    }

    /// As [`Session::get`], where `next` is what will most likely be asked for after it. On a long way to AWeber that
    /// is sent at the same time; see [`lookahead`].
    pub(crate) async fn get_with_next<T>(
        &mut self,
        path: &str,
        next: Option<&str>,
        read: impl Fn(Vec<u8>) -> std::result::Result<T, String>,
    ) -> Result<Found<T>> {
        let began = Instant::now();
        let (mut refreshed, mut repeats, mut rate_limits) = (false, 0, 0);
        loop {
            if self.refresh_at.is_some_and(|at| Instant::now() >= at) {
                self.refresh().await?;
            }
            let trouble = match self.ask(path, next).await? {
                Err(fault) => {
                    self.unreachable = true;
                    if let Some(error) = fault.distrust() {
                        return Err(error);
                    }
                    fault.what
                }
                Ok(reply) => {
                    self.unreachable = false;
                    let problem = match reply.status {
                        200..=299 => Problem::default(),
                        _ => Problem::read(&reply.body, &self.secrets()),
                    };
                    let answered =
                        format!("AWeber answered {}{}", reply.status, problem.in_brackets());
                    if reply.status >= 300 {
                        // What this one was refused for, the one after it would be too, or it is of no use any more.
                        self.drop_ahead();
                    }
                    match reaction(reply.status, &problem) {
                        Reaction::Read => match read(reply.body) {
                            Ok(value) => return Ok(Found::There(value)),
                            Err(why) => format!("AWeber's answer cannot be used: {why}"),
                        },
                        Reaction::NotFound => return Ok(Found::NotThere),
                        Reaction::Refresh if refreshed => {
                            return Err(Error::new(Kind::NeedsHuman, format!("{answered} to a token that it had just issued"))
                                .safe("the newest tokens are stored")
                                .next(format!("aweber-sync authorize (the app was disconnected, or lacks one of the scopes {SCOPES})")));
                        }
                        Reaction::Refresh => {
                            if let Some(error) = self.deferred.take() {
                                return Err(error);
                            }
                            self.refresh_refused().await?;
                            refreshed = true;
                            continue;
                        }
                        Reaction::WaitForRateLimit => {
                            if rate_limits == RATE_LIMIT_WAITS {
                                return Err(rate_limited(&answered));
                            }
                            rate_limits += 1;
                            self.wait_for_rate_limit().await?;
                            continue;
                        }
                        Reaction::Repeat => answered,
                        Reaction::GiveUp(exit, advice) => {
                            let scopes = if reply.status == 403 && exit == Kind::NeedsHuman {
                                format!("; the app needs the scopes {SCOPES}")
                            } else {
                                String::new()
                            };
                            return Err(Error::new(exit, answered + &scopes).next(advice));
                        }
                    }
                }
            };
            if repeats == REPEATS || began.elapsed() > TOTAL {
                return Err(Error::new(
                    Kind::Unavailable,
                    format!("{trouble}, {} times", repeats + 1),
                )
                .next(
                    "nothing, if it passes: the next run goes on from here; see status.aweber.com",
                ));
            }
            tracing::info!(event = "retry", "{trouble}; asking again");
            self.pause(retry::wait(self.network.retry_wait, repeats, random_byte()))
                .await?;
            repeats += 1;
        }
    }

    /// What no message may repeat.
    fn secrets(&self) -> Vec<&SecretString> {
        let tokens = [&self.tokens.access_token, &self.tokens.refresh_token];
        tokens
            .into_iter()
            .chain(&self.client_secret)
            .chain(&self.spent)
            .collect()
    }

    /// Whether a refresh that was needed could not be done: then nothing else can be asked either.
    pub(crate) fn cannot_refresh(&self) -> bool {
        self.refresh_failed
    }

    /// Whether the last request found nobody at the other end.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.unreachable
    }

    /// One GET, within the rate limit, or the answer to the one that was sent ahead; given up when a stop is wished for.
    async fn ask(
        &mut self,
        path: &str,
        next: Option<&str>,
    ) -> Result<std::result::Result<Reply, Fault>> {
        let sent = self.ahead.take_if(|ahead| ahead.is_for(path));
        let is_next = |ahead: &Lookahead| next.is_some_and(|next| ahead.is_for(next));
        if !self.ahead.as_ref().is_some_and(is_next) {
            self.drop_ahead();
        }
        if sent.is_none() {
            self.wait_for_turn().await?;
        }
        if let (Some(next), None) = (next, &self.ahead) {
            self.send_ahead(next);
        }
        let mut stop = self.stop.clone();
        let answer = async {
            if let Some(mut sent) = sent
                && let Ok(answer) = sent.answer().await
            {
                return answer;
            }
            lookahead::ask(&self.http, path, &self.tokens.access_token).await
        };
        let Answer {
            outcome,
            began,
            ended,
        } = tokio::select! {
            answer = answer => answer,
            stopped = stop.requested() => return Err(stopped),
        };
        self.took = ended - began;
        self.note_request(ended);
        if let Ok(reply) = &outcome {
            self.note_date(reply);
        }
        tracing::trace!(
            event = "request",
            path,
            status = outcome.as_ref().map_or(0, |reply| reply.status),
            milliseconds = self.took.as_millis() as u64,
            "asked"
        );
        Ok(outcome)
    }

    /// Sends the request for `path` before its turn, if one at a time could not use the rate limit and there is room.
    fn send_ahead(&mut self, path: &str) {
        // The one just being asked is under way too.
        let wait = self.limiter.wait(self.now_ms(), 1);
        if self.limiter.is_out_of_reach(self.took) && wait.is_zero() {
            let token = self.tokens.access_token.clone();
            self.ahead = Some(Lookahead::send(self.http.clone(), path.to_owned(), token));
        }
    }

    /// Gives up what was sent ahead. AWeber has counted it all the same.
    pub(super) fn drop_ahead(&mut self) {
        if self.ahead.take().is_some() {
            self.note_request(Instant::now());
        }
    }

    /// Waits until the rate limit lets the next request leave.
    pub(super) async fn wait_for_turn(&mut self) -> Result<()> {
        loop {
            self.stop.check()?;
            let under_way = usize::from(self.ahead.is_some());
            let wait = self.limiter.wait(self.now_ms(), under_way);
            if wait.is_zero() {
                return Ok(());
            }
            tracing::debug!(
                event = "rate_wait",
                seconds = wait.as_secs_f32(),
                "waiting for --requests-per-minute"
            );
            self.pause(wait).await?;
        }
    }

    pub(super) async fn wait_for_rate_limit(&mut self) -> Result<()> {
        let wait = self.network.rate_limit_wait;
        tracing::info!(
            event = "rate_limit",
            "AWeber's rate limit is reached (shared with the account's other integrations); waiting {wait:?}"
        );
        self.pause(wait).await
    }

    /// Counts a request that was over then.
    pub(super) fn note_request(&mut self, ended: Instant) {
        self.counts.requests += 1;
        let ended = self.ms_at(ended);
        self.limiter.note(ended);
    }

    fn now_ms(&self) -> i64 {
        self.ms_at(Instant::now())
    }

    /// Unix milliseconds; a local clock that jumps during the run does not open the window.
    fn ms_at(&self, at: Instant) -> i64 {
        let (wall, monotonic) = self.began;
        wall + at.saturating_duration_since(monotonic).as_millis() as i64
    }

    /// Only of a success: a gateway that answers in AWeber's place has a clock of its own.
    fn note_date(&mut self, reply: &Reply) {
        if let (200..=299, Some(date)) = (reply.status, reply.date) {
            self.now = Some(date);
        }
    }

    /// Sleeps, unless a stop is wished for.
    pub(super) async fn pause(&mut self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => self.stop.check(),
            stopped = self.stop.requested() => Err(stopped),
        }
    }
}

/// 75: the rate limit outlasted every wait.
pub(crate) fn rate_limited(answered: &str) -> Error {
    Error::new(Kind::RateLimited, format!("{answered}, and again after every wait"))
        .safe("nothing is lost: the next run goes on from here")
        .next("nothing, or a lower --requests-per-minute: other integrations of the account share the limit")
}

/// For jitter; a generator that fails costs the jitter only.
pub(crate) fn random_byte() -> u8 {
    use ring::rand::SecureRandom;
    let mut byte = [128];
    let _ = ring::rand::SystemRandom::new().fill(&mut byte);
    byte[0]
}
