//! A GET under way in a task, so that others can be sent before its answer.

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

/// See the module; cancelled when dropped.
#[derive(Debug)]
pub(super) struct Sent {
    path: String,
    slot: Slot,
    task: JoinHandle<Answer>,
}

impl Sent {
    /// Sends it; `slot` is where it is counted.
    pub(super) fn new(
        transport: Transport,
        path: String,
        authorization: SecretString,
        slot: Slot,
    ) -> Self {
        let asked = path.clone();
        let task = tokio::spawn(async move { ask(&transport, &asked, &authorization).await });
        Sent { path, slot, task }
    }

    /// Where it is counted.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// The path asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Its answer; fails only if the task was aborted or panicked.
    pub(super) async fn answer(&mut self) -> Result<Answer, JoinError> {
        (&mut self.task).await
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One GET.
async fn ask(transport: &Transport, path: &str, authorization: &SecretString) -> Answer {
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
