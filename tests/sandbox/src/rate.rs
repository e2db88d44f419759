//! The rate limit: a number of requests in a sliding window. A client that exceeds it is blocked for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A rate limit and the penalty for exceeding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of requests allowed in the window.
    pub limit: usize,
    /// The sliding window.
    pub window: Duration,
    /// How long all requests are rejected once the limit is exceeded. Counting then restarts at zero.
    pub shut_out: Duration,
}

impl Default for RateLimit {
    fn default() -> RateLimit {
        RateLimit {
            limit: 120,
            window: Duration::from_secs(60),
            shut_out: Duration::from_secs(60),
        }
    }
}

/// The requests of the last window.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateMeter {
    seen: VecDeque<Instant>,
    blocked_until: Option<Instant>,
}

impl RateMeter {
    /// Counts a request; returns false if it is to be rejected. Rejected requests do not prolong the block.
    pub(crate) fn admit(&mut self, rule: &RateLimit, now: Instant) -> bool {
        if let Some(until) = self.blocked_until {
            if now < until {
                return false;
            }
            self.blocked_until = None;
            self.seen.clear();
        }
        while self
            .seen
            .front()
            .is_some_and(|first| now.duration_since(*first) >= rule.window)
        {
            self.seen.pop_front();
        }
        if self.seen.len() >= rule.limit {
            self.blocked_until = Some(now + rule.shut_out);
            return false;
        }
        self.seen.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_limit_all_requests_are_rejected_until_the_block_ends() {
        let rule = RateLimit::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut meter = RateMeter::default();
        assert!((0..120).all(|_| meter.admit(&rule, at(0))));
        assert!(!meter.admit(&rule, at(30)));
        assert!(
            !meter.admit(&rule, at(61)),
            "the window has passed, the block has not"
        );
        assert!(meter.admit(&rule, at(90)));
    }

    #[test]
    fn the_window_slides() {
        let rule = RateLimit {
            limit: 2,
            ..RateLimit::default()
        };
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut meter = RateMeter::default();
        assert!(meter.admit(&rule, at(0)));
        assert!(meter.admit(&rule, at(40)));
        assert!(meter.admit(&rule, at(60)));
        assert!(!meter.admit(&rule, at(99)));
    }
}
