//! A request sent before the one ahead of it is answered: the page that will most likely be asked for next. Only where
//! the way to AWeber is so long that one request at a time could not use `--requests-per-minute`.

use super::transport::{Fault, Reply, Transport};
use crate::secret::SecretString;
use std::time::Instant;
use tokio::task::{JoinError, JoinHandle};

/// What came of a request, and when.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Result<Reply, Fault>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

/// A request under way on its own; given up when dropped.
#[derive(Debug)]
pub(super) struct Lookahead {
    path: String,
    task: JoinHandle<Answer>,
}

impl Lookahead {
    /// Sends it, with that access token.
    pub(super) fn send(http: Transport, path: String, token: SecretString) -> Lookahead {
        let asked = path.clone();
        let task = tokio::spawn(async move { ask(&http, &asked, &token).await });
        Lookahead { path, task }
    }

    /// Whether it asks for that.
    pub(super) fn is_for(&self, path: &str) -> bool {
        self.path == path
    }

    /// Its answer. The error: it came to nothing, and says not why.
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
pub(super) async fn ask(http: &Transport, path: &str, token: &SecretString) -> Answer {
    let began = Instant::now();
    let outcome = http.get(path, token).await;
    Answer {
        outcome,
        began,
        ended: Instant::now(),
    }
}
