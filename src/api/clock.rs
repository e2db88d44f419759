//! The two clocks of a session: this machine's, which must not open the rate limit's window when it jumps, and AWeber's,
//! by which marks and confirmations are judged.

use super::transport::Reply;
use chrono::{DateTime, Utc};
use std::time::Instant;

/// See the module.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Unix milliseconds and the monotonic clock when the session began; from then on only the latter counts.
    began: (i64, Instant),
    aweber: Option<DateTime<Utc>>,
    /// By how many seconds AWeber's clock was ahead of this machine's at its latest answer.
    ahead: Option<i64>,
}

impl Clock {
    /// Starts it.
    pub(crate) fn start() -> Clock {
        Clock {
            began: (Utc::now().timestamp_millis(), Instant::now()),
            aweber: None,
            ahead: None,
        }
    }

    /// Unix milliseconds at that instant.
    pub(crate) fn ms_at(&self, at: Instant) -> i64 {
        let (wall, monotonic) = self.began;
        wall + at.saturating_duration_since(monotonic).as_millis() as i64
    }

    /// Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.ms_at(Instant::now())
    }

    /// Takes over the `Date` of a success. A gateway that answers in AWeber's place has a clock of its own.
    pub(crate) fn note(&mut self, reply: &Reply) {
        if let (200..=299, Some(date)) = (reply.status, reply.date) {
            self.aweber = Some(date);
            self.compare(date);
        }
    }

    /// Compares the clocks by the `Date` of an answer; returns by how many seconds AWeber's is ahead.
    pub(super) fn compare(&mut self, date: DateTime<Utc>) -> i64 {
        let ahead = date.timestamp() - self.now_ms().div_euclid(1000);
        self.ahead = Some(ahead);
        ahead
    }

    /// Unix seconds by AWeber's clock, or by this machine's before the first answer: for signatures.
    pub(super) fn signing_time(&self) -> i64 {
        self.now_ms().div_euclid(1000) + self.ahead.unwrap_or(0)
    }

    /// Takes over the latest time that an earlier run knew from AWeber.
    pub(crate) fn remember(&mut self, earlier: Option<DateTime<Utc>>) {
        self.aweber = self.aweber.or(earlier);
    }

    /// The time by AWeber's clock, as last known.
    pub(crate) fn aweber(&self) -> Option<DateTime<Utc>> {
        self.aweber
    }
}
