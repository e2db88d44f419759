//! Pings in the manner of Healthchecks: `/start`, the plain URL, `/fail`. The URL is a secret: whoever knows it can
//! say that all is well. A ping never fails the run.

use crate::api::transport::ping;
use crate::error::Kind;
use crate::secret::{ExposeSecret, SecretString};
use crate::stop::Stop;
use std::time::Duration;

/// How often a ping is tried.
const TRIES: u32 = 2;

/// What is left for a ping after a signal.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Where to ping.
#[derive(Debug)]
pub(crate) struct Pinger {
    pub(crate) url: SecretString,
}

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ping {
    /// The run has begun.
    Start,
    /// It succeeded.
    Success,
    /// It failed.
    Fail,
}

impl Pinger {
    /// Pings, twice if need be. A signal cuts that short: half a second is left to say so, none to begin.
    pub(crate) async fn send(&self, what: Ping, body: &str, mut stop: Stop) {
        let signalled = stop
            .check()
            .is_err_and(|error| matches!(error.kind(), Kind::Signal(_)));
        match (signalled, what) {
            (true, Ping::Start) => {}
            (true, _) => {
                let _ = tokio::time::timeout(LAST_WORD, self.try_send(what, body)).await;
            }
            (false, _) => tokio::select! {
                () = self.try_send(what, body) => {}
                _ = stop.signalled() => {}
            },
        }
    }

    async fn try_send(&self, what: Ping, body: &str) {
        let Ok(mut url) = url::Url::parse(self.url.expose_secret()) else {
            return;
        };
        let end = match what {
            Ping::Start => "/start",
            Ping::Success => "",
            Ping::Fail => "/fail",
        };
        let path = format!("{}{end}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        for _ in 0..TRIES {
            match ping(url.clone(), body.to_owned()).await {
                Ok(200..=299) => return,
                Ok(status) => {
                    tracing::warn!(event = "ping_failed", "the ping was answered with {status}")
                }
                Err(what) => tracing::warn!(event = "ping_failed", "the ping failed: {what}"),
            }
        }
    }
}
