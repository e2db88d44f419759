//! Healthchecks-style pings: `/start`, the plain URL for success, `/fail`. The URL is a secret, since anyone who knows
//! it can report success.

use crate::api::transport::ping;
use crate::error::Kind;
use crate::secret::{ExposeSecret, SecretString};
use crate::stop::Stop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use url::Url;

/// Attempts per ping.
const ATTEMPTS: u32 = 2;

/// Time limit of the final ping after a signal, so that the program still exits within a second.
const LIMIT_AFTER_SIGNAL: Duration = Duration::from_millis(500);

/// Sends pings to one check.
#[derive(Debug)]
pub(super) struct Pinger {
    url: SecretString,
    /// An unreachable service is one line in the log of a run.
    warned: AtomicBool,
}

/// The event to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    Start,
    Success,
    Fail,
}

impl Ping {
    /// What is appended to the path of the check.
    fn suffix(self) -> &'static str {
        match self {
            Ping::Start => "/start",
            Ping::Success => "",
            Ping::Fail => "/fail",
        }
    }
}

impl Pinger {
    /// A pinger for the check at `url`.
    pub(super) fn new(url: SecretString) -> Pinger {
        Pinger {
            url,
            warned: AtomicBool::new(false),
        }
    }

    /// Sends a ping, with one retry. A signal interrupts it; after a signal only the end of the run is reported, within
    /// half a second.
    pub(super) async fn send(&self, event: Ping, body: &str, mut stop: Stop) {
        let signalled = stop
            .check()
            .is_err_and(|error| matches!(error.kind(), Kind::Signal(_)));
        match (signalled, event) {
            (true, Ping::Start) => {}
            (true, _) => {
                // A ping that is cut off here is lost, like any other that fails.
                let _ = tokio::time::timeout(LIMIT_AFTER_SIGNAL, self.attempt(event, body)).await;
            }
            (false, _) => tokio::select! {
                () = self.attempt(event, body) => {}
                _ = stop.signalled() => {}
            },
        }
    }

    async fn attempt(&self, event: Ping, body: &str) {
        let Ok(mut url) = Url::parse(self.url.expose_secret()) else {
            return;
        };
        let path = format!("{}{}", url.path().trim_end_matches('/'), event.suffix());
        url.set_path(&path);
        let mut problem = String::new();
        for _ in 0..ATTEMPTS {
            problem = match ping(url.clone(), body.to_owned()).await {
                Ok(200..=299) => return,
                Ok(status) => format!("the ping was answered with {status}"),
                Err(cause) => format!("the ping failed: {cause}"),
            };
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(event = "ping_failed", "{problem}");
        }
    }
}
