//! GETs in their turn, and those sent before it: where the latency is so high that one request at a time could not use
//! `--requests-per-minute`, the paths that will most likely be asked for next are under way at the same time.

use super::client::Client;
use super::credential::Credential;
use super::sent::{Answer, Sent, Turn};
use super::transport::{Fault, Reply};
use crate::error::{Error, Kind, Result};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Answers that take this long are worth asking for two at a time, within the rate limit.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// The paths that will most likely be asked for after the present one, by their number from 0.
pub(crate) type Upcoming<'a> = &'a (dyn Fn(usize) -> Option<String> + Sync);

/// See the module.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) client: Client,
    /// Requests sent before their turn, in the order of their turns.
    ahead: VecDeque<Sent>,
    /// The paths that will most likely be asked for after the upcoming ones.
    pub(super) later: Vec<String>,
    /// How long the latest answer of the API took.
    latency: Duration,
}

impl Requests {
    /// Nothing is under way yet.
    pub(super) fn new(client: Client) -> Requests {
        Requests {
            client,
            ahead: VecDeque::new(),
            later: Vec::new(),
            latency: Duration::ZERO,
        }
    }

    /// One GET, within the rate limit, or the answer to the one that was sent ahead; sends others ahead at the same time.
    /// Cancelled when a stop is requested.
    pub(super) async fn get(
        &mut self,
        path: &str,
        next: Upcoming<'_>,
        credential: &mut Credential,
    ) -> Result<std::result::Result<Reply, Fault>> {
        let mut sent = match self.take_sent(path, next) {
            Some(sent) => sent,
            None => {
                self.client.wait_for_turn().await?;
                self.send(path, credential, Turn::Now)
            }
        };
        let mut stop = self.client.stop.clone();
        let answer = loop {
            let room = self.send_ahead(next, credential);
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
        let Answer {
            outcome,
            began,
            ended,
        } = answer.map_err(|error| {
            Error::new(Kind::Unavailable, format!("cannot ask AWeber: {error}"))
        })?;
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

    /// Whether answers take so long that two requests under way are of use.
    pub(super) fn is_slow(&self) -> bool {
        self.latency >= NOTICEABLE
    }

    /// Cancels what was sent ahead. AWeber has counted it nevertheless.
    pub(super) fn drop_ahead(&mut self) {
        for sent in self.ahead.drain(..) {
            self.client.end_request(sent.slot(), Instant::now());
        }
    }

    /// Sends the request for `path`.
    fn send(&mut self, path: &str, credential: &mut Credential, turn: Turn) -> Sent {
        let url = self.client.transport.api_url(path);
        let authorized = url.map(|url| {
            let authorization = credential.authorize(&url, &self.client.clock);
            (url, authorization)
        });
        let slot = self.client.begin_request();
        let transport = self.client.transport.clone();
        Sent::new(path.to_owned(), slot, turn, async move {
            let (url, authorization) = authorized?;
            transport.get(url, &authorization).await
        })
    }

    /// The path that will most likely be number `i` after the present one.
    fn expected(&self, i: usize, next: Upcoming<'_>) -> Option<String> {
        next(i).or_else(|| {
            let own = (0..i).take_while(|j| next(*j).is_some()).count();
            self.later.get(i - own).cloned()
        })
    }

    /// The request for `path` if it was sent ahead. Those behind it are cancelled unless they are the next ones.
    fn take_sent(&mut self, path: &str, next: Upcoming<'_>) -> Option<Sent> {
        let is_first = self.ahead.front().is_some_and(|sent| sent.path() == path);
        let sent = if is_first {
            self.ahead.pop_front()
        } else {
            None
        };
        let is_expected = |(i, sent): (usize, &Sent)| {
            let expected = self.expected(i, next);
            expected.is_some_and(|path| sent.path() == path)
        };
        if !self.ahead.iter().enumerate().all(is_expected) {
            self.drop_ahead();
        }
        sent
    }

    /// Sends requests before their turn, as many as the rate limit needs at this latency, or two if others are known to
    /// follow. Returns how long it takes until another one has room, if one more would be useful.
    fn send_ahead(&mut self, next: Upcoming<'_>, credential: &mut Credential) -> Option<Duration> {
        let for_the_limit = self.client.useful_under_way(self.latency);
        let useful = match !self.later.is_empty() && self.is_slow() {
            true => for_the_limit.max(2),
            false => for_the_limit,
        };
        while self.ahead.len() + 1 < useful {
            let path = self.expected(self.ahead.len(), next)?;
            let room = self.client.wait_ahead();
            if !room.is_zero() {
                return Some(room);
            }
            let sent = self.send(&path, credential, Turn::Later);
            self.ahead.push_back(sent);
        }
        None
    }
}
