//! The rate limit: so many requests in a window, and whoever goes over it is shut out for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many requests are let through, and what going over costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in the window.
    pub limit: usize,
    /// The window, sliding.
    pub window: Duration,
    /// Time for which nothing gets through after the limit was passed. Counting begins anew after it.
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
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    seen: VecDeque<Instant>,
    shut_until: Option<Instant>,
}

impl RateMeter {
    /// Counts a request; false when it must be refused. Refused requests do not make the wait longer.
    pub(crate) fn admit(&mut self, rule: &RateLimit, now: Instant) -> bool {
        if let Some(until) = self.shut_until {
            if now < until {
                return false;
            }
            self.shut_until = None;
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
            self.shut_until = Some(now + rule.shut_out);
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
    fn over_the_limit_nothing_gets_through_until_the_shut_out_ends() {
        let rule = RateLimit::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut meter = RateMeter::default();
        assert!((0..120).all(|_| meter.admit(&rule, at(0))));
        assert!(!meter.admit(&rule, at(30)));
        assert!(
            !meter.admit(&rule, at(61)),
            "the window is over, the shut-out is not"
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
