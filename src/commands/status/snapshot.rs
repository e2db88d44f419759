//! The state of the job, read from token file and ledger.

use crate::config::Paths;
use crate::disk::lock::Lock;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::ledger::history::{ListHistory, PastRun};
use crate::token::store::TokenStore;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Number of days in a list's history.
pub(super) const DAYS: usize = 30;

/// How long a token command may take: monitoring waits for the answer.
const LONGEST: Duration = Duration::from_secs(5);

/// Number of runs to show.
const RUNS: u32 = 5;

/// The state of the job; times in Unix seconds.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// None: behind a command.
    pub(super) token_file: Option<PathBuf>,
    /// Where the tokens are.
    pub(super) token_location: String,
    /// Why the token file cannot be used.
    pub(super) token_problem: Option<String>,
    pub(super) account: Option<String>,
    pub(super) token_expires_at: Option<i64>,
    /// The tokens never expire.
    pub(super) oauth1: bool,
    pub(super) last_success: Option<i64>,
    /// The newest first.
    pub(super) runs: Vec<PastRun>,
    pub(super) lists: Vec<ListHistory>,
    pub(super) unpublished: Option<Unpublished>,
    /// A run holds the lock.
    pub(super) is_running: bool,
}

/// A batch that a stopped run left for the next one.
#[derive(Debug)]
pub(super) struct Unpublished {
    pub(super) rows: u64,
    pub(super) target: PathBuf,
}

impl Snapshot {
    /// Reads token file and ledger. An unusable token file is part of the state, an unusable ledger an error.
    pub(super) fn take(paths: &Paths, now: i64) -> Result<Snapshot> {
        let store = TokenStore::new(paths)?.with_limit(LONGEST);
        let mut snapshot = Snapshot {
            token_file: store.is_file().then(|| store.path().to_owned()),
            token_location: store.name().to_string(),
            ..Snapshot::default()
        };
        match store.load() {
            Ok(tokens) => {
                snapshot.oauth1 = tokens.kind.is_oauth1();
                snapshot.token_expires_at = Some(tokens.expires_at);
                snapshot.account = tokens.account_id;
            }
            Err(error) => snapshot.token_problem = Some(error.to_string()),
        }
        let path = match &snapshot.account {
            Some(account) => Some(paths.ledger(account)),
            // Without an account id, the history is still worth showing.
            None => only_ledger(&paths.state_dir),
        };
        if let Some(path) = path
            && let Some(ledger) = Ledger::look(&path)?
        {
            snapshot.read_ledger(&ledger, now)?;
        }
        // Asked only where a run has not ended: whoever asks holds the lock for a moment.
        let has_no_end = |run: &PastRun| run.ended_at.is_none();
        snapshot.is_running =
            snapshot.runs.first().is_some_and(has_no_end) && Lock::is_held(&paths.lock());
        Ok(snapshot)
    }

    fn read_ledger(&mut self, ledger: &Ledger, now: i64) -> Result<()> {
        self.last_success = ledger.last_success()?;
        self.runs = ledger.past_runs(RUNS)?;
        self.lists = ledger.list_histories(now, DAYS)?;
        let waiting = ledger.waiting_batch()?;
        self.unpublished = waiting.map(|(rows, target)| Unpublished { rows, target });
        Ok(())
    }

    /// Number of unconfirmed subscribers who may still confirm, on all lists.
    pub(super) fn pending(&self) -> u64 {
        self.lists.iter().map(|list| list.pending).sum()
    }
}

/// The ledger in the state directory, if there is exactly one.
fn only_ledger(state_dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(state_dir).ok()?;
    let mut ledgers = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_ledger(path));
    match (ledgers.next(), ledgers.next()) {
        (Some(ledger), None) => Some(ledger),
        _ => None,
    }
}

fn is_ledger(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("ledger-") && name.ends_with(".sqlite3")
}
