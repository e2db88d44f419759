//! A paced client: the transport behind the rate limit, with the clocks, the wish to stop and the count of requests. It
//! knows nothing of tokens.

use super::attempts::{Attempts, Step, Waits};
use super::clock::Clock;
use super::pacing::Limiter;
use super::transport::Transport;
use crate::config::Network;
use crate::error::Result;
use crate::stop::Stop;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) transport: Transport,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    limiter: Limiter,
    requests_per_minute: u32,
    waits: Waits,
    requests: u64,
}

impl Client {
    /// A client that has asked nothing yet. Errors: 78 without CA certificates.
    pub(crate) fn new(network: &Network, stop: Stop) -> Result<Client> {
        Ok(Client {
            transport: Transport::new(network)?,
            clock: Clock::start(),
            stop,
            limiter: Limiter::new(network.requests_per_minute, []),
            requests_per_minute: network.requests_per_minute,
            waits: Waits {
                retry: network.retry_wait,
                rate_limit: network.rate_limit_wait,
            },
            requests: 0,
        })
    }

    /// Takes over when earlier runs sent requests (Unix milliseconds), for the rate limit.
    pub(crate) fn remember_requests(&mut self, earlier: Vec<i64>) {
        let own: Vec<i64> = self.limiter.recent().collect();
        let all = earlier.into_iter().chain(own);
        self.limiter = Limiter::new(self.requests_per_minute, all);
    }

    /// When the latest requests were over, for the next run.
    pub(crate) fn recent_requests(&self) -> Vec<i64> {
        self.limiter.recent().collect()
    }

    /// Requests so far, of all kinds, repetitions included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// How long the next request has to wait for its turn, with `under_way` others not answered yet.
    pub(crate) fn wait_ahead(&mut self, under_way: usize) -> Duration {
        self.limiter.wait(self.clock.now_ms(), under_way)
    }

    /// Whether requests that take that long, one at a time, cannot use the rate limit.
    pub(super) fn is_too_slow_one_at_a_time(&self, latency: Duration) -> bool {
        self.limiter.is_out_of_reach(latency)
    }

    /// Waits until the rate limit lets the next request leave.
    pub(super) async fn wait_for_turn(&mut self, under_way: usize) -> Result<()> {
        loop {
            self.stop.check()?;
            let wait = self.wait_ahead(under_way);
            if wait.is_zero() {
                return Ok(());
            }
            tracing::debug!(
                event = "rate_wait",
                seconds = wait.as_secs_f32(),
                "waiting for --requests-per-minute"
            );
            self.stop.sleep(wait).await?;
        }
    }

    /// Counts a request that was over then.
    pub(super) fn note_request(&mut self, ended: Instant) {
        self.requests += 1;
        self.limiter.note(self.clock.ms_at(ended));
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
                tracing::info!(
                    event = "rate_limit",
                    "AWeber's rate limit is reached (shared with the account's other integrations); waiting {wait:?}"
                );
                self.stop.sleep(wait).await
            }
            Step::Wait(wait, what) => {
                tracing::info!(event = "retry", "{what}; asking again");
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
