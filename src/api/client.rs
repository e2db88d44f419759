//! A paced client: the transport behind the rate limit, with the clocks, the wish to stop and the count of requests. It
//! knows nothing of tokens.

use super::attempts::{Attempts, Step, Waits};
use super::clock::Clock;
use super::pacing::Limiter;
use super::request_log::{RequestLog, Slot};
use super::transport::{Fault, Reply, Transport};
use crate::config::Network;
use crate::error::{Error, Kind, Result};
use crate::progress;
use crate::secret::SecretString;
use crate::stop::Stop;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The progress bar shows waits of at least this length.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) transport: Transport,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    limiter: Limiter,
    log: RequestLog,
    waits: Waits,
    requests: u64,
    /// No more than this are sent.
    most: Option<u64>,
}

impl Client {
    /// A client that has asked nothing yet; `log` is where earlier processes noted their requests. Errors: 78 without CA
    /// certificates.
    pub(crate) fn new(network: &Network, log: PathBuf, stop: Stop) -> Result<Client> {
        let transport = Transport::new(network)?;
        let clock = Clock::start();
        let (log, earlier) = RequestLog::open(log, clock.now_ms());
        progress::pace(network.requests_per_minute as usize);
        Ok(Client {
            transport,
            limiter: Limiter::new(
                network.requests_per_minute,
                network.rate_limit_wait,
                earlier,
            ),
            log,
            clock,
            stop,
            waits: Waits {
                retry: network.retry_wait,
                rate_limit: network.rate_limit_wait,
            },
            requests: 0,
            most: None,
        })
    }

    /// Requests so far, of all kinds, repetitions included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// Sends at most that many requests in all.
    pub(crate) fn limit(&mut self, most: u64) {
        self.most = Some(most);
    }

    /// How long the next request has to wait for its turn.
    pub(crate) fn wait_ahead(&mut self) -> Duration {
        self.limiter.wait(self.clock.now_ms())
    }

    /// How many requests that take that long have to be under way at once to use the rate limit.
    pub(super) fn useful_under_way(&self, latency: Duration) -> usize {
        self.limiter.useful_under_way(latency, self.clock.now_ms())
    }

    /// Waits until the rate limit lets the next request leave.
    pub(super) async fn wait_for_turn(&mut self) -> Result<()> {
        loop {
            self.stop.check()?;
            if self.most.is_some_and(|most| self.requests >= most) {
                return Err(Error::new(
                    Kind::Unavailable,
                    format!("the {} requests of this check are used up", self.requests),
                )
                .next("nothing: what they showed is above"));
            }
            let wait = self.wait_ahead();
            if wait.is_zero() {
                return Ok(());
            }
            tracing::debug!(
                event = "rate_wait",
                milliseconds = wait.as_millis() as u64,
                "waiting for --requests-per-minute:"
            );
            self.sleep(wait).await?;
        }
    }

    /// Sleeps for the rate limit.
    async fn sleep(&mut self, wait: Duration) -> Result<()> {
        let is_lowered = self.lowered_pace().is_some();
        progress::waiting(wait > LONG_WAIT, is_lowered);
        let slept = self.stop.sleep(wait).await;
        progress::waiting(false, is_lowered);
        slept
    }

    /// The most requests a minute, if others who share AWeber's limit have lowered it.
    pub(crate) fn lowered_pace(&self) -> Option<usize> {
        self.limiter.lowered_pace(self.clock.now_ms())
    }

    /// Counts a request that is about to be sent.
    pub(super) fn begin_request(&mut self) -> Slot {
        self.requests += 1;
        let now_ms = self.clock.now_ms();
        self.limiter.begin(now_ms);
        self.log.begin(now_ms)
    }

    /// Notes that it was over then, answered or not.
    pub(super) fn end_request(&mut self, slot: Slot, ended: Instant) {
        let ended_ms = self.clock.ms_at(ended);
        self.limiter.end(ended_ms);
        self.log.end(slot, ended_ms);
    }

    /// POST of a form to the authorization server, in its turn; cancelled when a stop is requested.
    pub(crate) async fn post_form(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        authorization: Option<&SecretString>,
    ) -> Result<std::result::Result<Reply, Fault>> {
        self.wait_for_turn().await?;
        let slot = self.begin_request();
        let answer = tokio::select! {
            answer = self.transport.post_form(path, form, authorization) => Ok(answer),
            stopped = self.stop.requested() => Err(stopped),
        };
        self.end_request(slot, Instant::now());
        answer
    }

    /// The attempts at a new request.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts::new(self.waits)
    }

    /// Does what has to be done before a repetition, but for renewing the credential.
    pub(super) async fn wait_before_repeating(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Renew => Ok(()),
            Step::WaitForRateLimit(wait) => {
                let pace = self.limiter.lower(self.clock.now_ms());
                tracing::info!(
                    event = "rate_limit",
                    pace,
                    "AWeber's rate limit is reached (shared with the account's other integrations); waiting {wait:?}, then at most {pace} requests a minute"
                );
                progress::pace(pace);
                self.sleep(wait).await
            }
            Step::Wait(wait, what) => {
                let milliseconds = wait.as_millis() as u64;
                tracing::info!(event = "retry", milliseconds, "{what}; asking again in");
                self.stop.sleep(wait).await
            }
            Step::GiveUp(error) => Err(error),
        }
    }
}

/// For jitter; a generator that fails only costs the jitter.
pub(super) fn random_byte() -> u8 {
    use ring::rand::SecureRandom;
    let mut byte = [128];
    let _ = ring::rand::SystemRandom::new().fill(&mut byte);
    byte[0]
}
