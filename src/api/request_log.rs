//! When the latest requests were sent, for the rate limit of the next process. The file `token.json.requests` is beside
//! the tokens, since all commands and state directories that use them share AWeber's limit. A request is noted before it
//! is sent and again when it is over, so that a kill loses none. Written in place, without a sync: a minute after a
//! power cut it says nothing any more.

use crate::disk::atomic;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// How many requests are kept; more than AWeber allows a minute.
pub(super) const SLOTS: usize = 1000;

/// A request of a killed process was over this long after it was sent: four times the default `--timeout`.
const LONGEST_MS: i64 = 120_000;

/// Bytes of a slot: a sign, Unix milliseconds, a line feed.
const SLOT: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct RequestLog {
    path: PathBuf,
    /// Opened by the first request.
    file: Option<File>,
    is_usable: bool,
    next: usize,
}

/// The slot of a request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(usize);

impl RequestLog {
    /// The log at `path`, which the first request creates, and the times in it, Unix milliseconds. Requests that never
    /// ended, of a killed process, may have been under way until `now_ms`.
    pub(super) fn open(path: PathBuf, now_ms: i64) -> (RequestLog, Vec<i64>) {
        let content = atomic::read_own(&path, (SLOTS * SLOT) as u64).unwrap_or_default();
        let slots = parse(&content);
        let latest = slots.iter().max_by_key(|(_, at)| at.abs());
        let log = RequestLog {
            next: latest.map_or(0, |(slot, _)| (slot + 1) % SLOTS),
            file: None,
            is_usable: true,
            path,
        };
        let times = slots.iter().map(|(_, at)| match *at {
            began if began < 0 => now_ms.min(LONGEST_MS - began),
            ended => ended,
        });
        (log, times.collect())
    }

    /// Notes a request that is about to be sent.
    pub(super) fn begin(&mut self, now_ms: i64) -> Slot {
        let slot = Slot(self.next);
        self.next = (self.next + 1) % SLOTS;
        self.write(slot, -now_ms);
        slot
    }

    /// Notes that it is over.
    pub(super) fn end(&mut self, slot: Slot, ended_ms: i64) {
        self.write(slot, ended_ms);
    }

    /// If it fails, the rate limit holds within this process only.
    fn write(&mut self, slot: Slot, ms: i64) {
        if !self.is_usable {
            return;
        }
        let text = format!("{ms:>+width$}\n", width = SLOT - 1);
        if let Err(e) = self.try_write(&text, (slot.0 * SLOT) as u64) {
            self.is_usable = false;
            tracing::debug!(
                event = "request_log_failed",
                "cannot keep the times of requests in {}: {e}",
                self.path.display()
            );
        }
    }

    fn try_write(&mut self, text: &str, offset: u64) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => atomic::open_own(&self.path)?,
        };
        self.file.insert(file).write_all_at(text.as_bytes(), offset)
    }
}

/// Slots and their times; damaged ones are left out.
fn parse(content: &[u8]) -> Vec<(usize, i64)> {
    let slots = content.chunks(SLOT).enumerate();
    slots
        .filter_map(|(slot, bytes)| {
            let text = std::str::from_utf8(bytes).ok()?;
            let at: i64 = text.trim().parse().ok()?;
            (at != 0).then_some((slot, at))
        })
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "writes what another process might have left"
)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_process_and_one_that_never_ended_counts_as_now() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("requests");
        let (mut log, times) = RequestLog::open(path.clone(), 5_000);
        assert_eq!(times, Vec::<i64>::new());
        let first = log.begin(1_000);
        log.begin(2_000);
        log.end(first, 1_500);
        let (mut log, times) = RequestLog::open(path.clone(), 9_000);
        assert_eq!(times, [1_500, 9_000]);
        for ms in 0..SLOTS as i64 {
            let slot = log.begin(10_000 + ms);
            log.end(slot, 10_000 + ms);
        }
        let (_, times) = RequestLog::open(path, 0);
        assert_eq!(times.len(), SLOTS);
        assert!(times.iter().all(|at| *at >= 10_000));
    }

    #[test]
    fn a_damaged_log_costs_its_damaged_slots_only() {
        assert_eq!(
            parse(b"+00000000001500\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0garbage garbage\n"),
            [(0, 1500)]
        );
        assert_eq!(parse(b""), []);
    }

    #[test]
    fn no_content_blocks_the_next_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("requests");
        let example = b"  -1790000000123\n  +1790000000456\n+1790000000789\n";
        crate::fuzz::fuzz("requests", &[example], 10, |bytes| {
            std::fs::write(&path, bytes).unwrap();
            set_private(&path);
            let now_ms = 1_790_000_001_000;
            let (log, times) = RequestLog::open(path.clone(), now_ms);
            assert!(log.next < SLOTS && times.len() <= SLOTS);
            let minute = std::time::Duration::from_secs(60);
            let mut limiter = super::super::pacing::Limiter::new(110, minute, times);
            assert!(limiter.wait(now_ms) <= minute);
        });
    }

    fn set_private(path: &std::path::Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
