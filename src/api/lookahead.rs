//! A request sent before the one ahead of it is answered: the page that will most likely be asked for next. Only where
//! the latency is so high that one request at a time could not use `--requests-per-minute`.

use super::request_log::Slot;
use super::transport::{Fault, Reply, Transport};
use crate::secret::SecretString;
use std::time::Instant;
use tokio::task::{JoinError, JoinHandle};

/// The answer to a request, and when it was sent and answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Result<Reply, Fault>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

/// A request under way in a task; cancelled when dropped.
#[derive(Debug)]
pub(super) struct Lookahead {
    path: String,
    slot: Slot,
    task: JoinHandle<Answer>,
}

impl Lookahead {
    /// Sends it; `slot` is where it is counted.
    pub(super) fn send(
        transport: Transport,
        path: String,
        authorization: SecretString,
        slot: Slot,
    ) -> Self {
        let asked = path.clone();
        let task = tokio::spawn(async move { ask(&transport, &asked, &authorization).await });
        Lookahead { path, slot, task }
    }

    /// Where it is counted.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// Whether it asks for that path.
    pub(super) fn is_for(&self, path: &str) -> bool {
        self.path == path
    }

    /// Its answer; fails if the task was aborted.
    pub(super) async fn answer(&mut self) -> Result<Answer, JoinError> {
        (&mut self.task).await
    }
}

impl Drop for Lookahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One GET.
pub(super) async fn ask(transport: &Transport, path: &str, authorization: &SecretString) -> Answer {
    let began = Instant::now();
    let outcome = match transport.api_url(path) {
        Ok(url) => transport.get(url, authorization).await,
        Err(fault) => Err(fault),
    };
    Answer {
        outcome,
        began,
        ended: Instant::now(),
    }
}
