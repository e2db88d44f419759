//! A GET under way, perhaps in a task, so that others can be awaited before its answer.

use super::request_log::Slot;
use super::transport::{Fault, Reply};
use std::fmt;
use std::pin::Pin;
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
    answer: Pending,
}

enum Pending {
    /// Makes progress while its answer is awaited: spares a wake-up of the runtime per page.
    Awaited(Pin<Box<dyn Future<Output = Answer> + Send>>),
    /// Makes progress while others are awaited.
    Task(JoinHandle<Answer>),
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// When a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// In its turn: its answer is awaited at once.
    Now,
    /// Before its turn.
    Later,
}

impl Sent {
    /// Sends a request, which ends with `outcome`; `slot` is where it is counted.
    pub(super) fn new(
        path: String,
        slot: Slot,
        turn: Turn,
        outcome: impl Future<Output = Result<Reply, Fault>> + Send + 'static,
    ) -> Sent {
        let answer = timed(outcome);
        let answer = match turn {
            Turn::Now => Pending::Awaited(Box::pin(answer)),
            Turn::Later => Pending::Task(tokio::spawn(answer)),
        };
        Sent { path, slot, answer }
    }

    /// Where it is counted.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// The path asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Its answer; fails only if the task panicked.
    pub(super) async fn answer(&mut self) -> Result<Answer, JoinError> {
        match &mut self.answer {
            Pending::Awaited(answer) => Ok(answer.await),
            Pending::Task(task) => task.await,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Pending::Task(task) = self {
            task.abort();
        }
    }
}

async fn timed(outcome: impl Future<Output = Result<Reply, Fault>>) -> Answer {
    let began = Instant::now();
    Answer {
        outcome: outcome.await,
        began,
        ended: Instant::now(),
    }
}
