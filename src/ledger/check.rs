//! Looking for damage before a run spends a token. Reading all events takes 0.1 s for a million, so that is done only if
//! anything but a run that ended in order has changed the file since then (a kill, a restored copy, another program), and
//! once a week. The other tables are read by every run: they are written after a batch is published. A damaged page of
//! events is met before that, or does not matter to the run.

use super::Ledger;
use super::errors::damaged;
use crate::disk::{atomic, beside};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How long the events may go unchecked, in seconds.
const WEEK: i64 = 7 * 86_400;

/// The tables that grow with the lists and the batches, not with the subscribers.
const SMALL_TABLES: [&str; 8] = [
    "batch",
    "batch_feed",
    "feed",
    "meta",
    "output",
    "pending",
    "run",
    "version_1",
];

/// The ledger as a run has left it. Written without a sync: where it is lost, the next run checks everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// When everything was checked, Unix seconds by AWeber's clock.
    checked_at: i64,
    #[serde(flatten)]
    file: FileState,
}

/// What every change of a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct FileState {
    length: u64,
    /// The time of the last change of content, mode or name: seconds and nanoseconds.
    changed: (i64, i64),
}

impl FileState {
    fn of(path: &Path) -> io::Result<FileState> {
        let found = path.metadata()?;
        Ok(FileState {
            length: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Whether the events have to be checked. `now`: the later of the two clocks, since an early check only costs time.
fn is_due(mark: &Mark, file: FileState, now: i64) -> bool {
    let is_fresh = (0..WEEK).contains(&now.saturating_sub(mark.checked_at));
    mark.file != file || !is_fresh
}

impl Ledger {
    /// Checks the small tables, and the events if they are due. `now`: Unix seconds by the local clock. Returns when the
    /// events were checked; `None`: by this call.
    pub(crate) fn check(&self, now: i64) -> Result<Option<i64>> {
        let Some((mark, file)) = self.mark().zip(FileState::of(self.path()).ok()) else {
            return self.check_whole().map(|()| None);
        };
        let now = now.max(self.aweber_time()?.unwrap_or(now));
        if is_due(&mark, file, now) {
            return self.check_whole().map(|()| None);
        }
        for table in SMALL_TABLES {
            self.quick_check(&format!("PRAGMA quick_check({table})"))?;
        }
        Ok(Some(mark.checked_at))
    }

    /// Reads the whole file once.
    pub(crate) fn check_whole(&self) -> Result<()> {
        self.quick_check("PRAGMA quick_check(1)")
    }

    fn quick_check(&self, sql: &str) -> Result<()> {
        let found: Option<String> = self.first(sql, [], |row| row.get(0))?;
        match found.as_deref() {
            Some("ok") => Ok(()),
            other => Err(damaged(
                self.path(),
                other.unwrap_or("it cannot be checked"),
            )),
        }
    }

    /// Notes, after the last commit of a run that ended in order, what the ledger is like.
    pub(crate) fn note_order(&self, checked_at: i64) {
        let write = || {
            let file = FileState::of(self.path())?;
            let mark = serde_json::to_string(&Mark { checked_at, file })?;
            let mut noted = atomic::open_own(&self.mark_path())?;
            noted.set_len(0)?;
            noted.write_all(mark.as_bytes())
        };
        if let Err(e) = write() {
            tracing::debug!(
                event = "ledger_not_noted",
                "the next run checks the whole ledger: cannot write {}: {e}",
                self.mark_path().display()
            );
        }
    }

    fn mark(&self) -> Option<Mark> {
        let content = atomic::read_own(&self.mark_path(), 1024).ok()?;
        serde_json::from_slice(&content).ok()
    }

    fn mark_path(&self) -> PathBuf {
        beside(self.path(), ".checked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_checked_after_any_other_change_and_once_a_week() {
        let file = FileState {
            length: 4096,
            changed: (1_800_000_000, 5),
        };
        let longer = FileState {
            length: 8192,
            ..file
        };
        let later = FileState {
            changed: (1_800_000_000, 6),
            ..file
        };
        let checked_at = 1_800_000_000;
        for (file_now, now, expected) in [
            (file, checked_at, false),
            (file, checked_at + 1, false),
            (file, checked_at + WEEK - 1, false),
            (file, checked_at + WEEK, true),
            // The clock ran ahead at that check, or was set back since.
            (file, checked_at - 1, true),
            (file, i64::MAX, true),
            (file, i64::MIN, true),
            // Killed, restored or edited.
            (longer, checked_at + 1, true),
            (later, checked_at + 1, true),
        ] {
            let mark = Mark { checked_at, file };
            assert_eq!(is_due(&mark, file_now, now), expected, "{file_now:?} {now}");
        }
    }

    #[test]
    fn a_mark_of_any_content_only_decides_whether_to_check() {
        let mark = br#"{"checked_at":1800000000,"length":4096,"changed":[1800000000,5]}"#;
        crate::fuzz::fuzz("mark", &[mark], 1, |bytes| {
            let Ok(mark) = serde_json::from_slice::<Mark>(bytes) else {
                return;
            };
            let is_old = mark.checked_at <= 1_800_000_000 - WEEK;
            for now in [i64::MIN, 1_800_000_000, i64::MAX] {
                let due = is_due(&mark, mark.file, now);
                assert!(due || now == 1_800_000_000 && !is_old, "{mark:?} {now}");
            }
        });
    }
}
