//! The sliding window behind `--requests-per-minute`: never more than N requests in any 60 s, over several runs.
//! Pure; times are milliseconds of the local clock, since they outlive the process.

use std::collections::VecDeque;
use std::time::Duration;

/// The window AWeber counts in.
const WINDOW_MS: i64 = 60_000;

/// What AWeber allows in a window.
const AWEBERS_LIMIT: usize = 120;

/// When the latest requests were over, and how many are under way.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    ended: VecDeque<i64>,
    under_way: usize,
}

impl Limiter {
    /// A limiter that remembers the requests of earlier runs.
    pub(crate) fn new(limit: u32, earlier: impl IntoIterator<Item = i64>) -> Limiter {
        let mut ended: Vec<i64> = earlier.into_iter().collect();
        ended.sort_unstable();
        Limiter {
            limit: limit as usize,
            ended: ended.into(),
            under_way: 0,
        }
    }

    /// How long to wait before the next request may leave. Those under way are taken as if they ended now.
    pub(crate) fn wait(&mut self, now_ms: i64) -> Duration {
        if self.ended.back().is_some_and(|last| *last > now_ms) {
            // A time in the future is a clock that was set back: it says nothing.
            self.ended.retain(|at| *at <= now_ms);
        }
        while self
            .ended
            .front()
            .is_some_and(|first| *first <= now_ms - WINDOW_MS)
        {
            self.ended.pop_front();
        }
        let all = self.ended.len() + self.under_way;
        if all < self.limit {
            return Duration::ZERO;
        }
        let in_the_way = self.ended.get(all - self.limit).unwrap_or(&now_ms);
        Duration::from_millis((in_the_way + WINDOW_MS - now_ms).max(1) as u64)
    }

    /// Whether requests that take that long, one at a time, cannot use the limit; a higher one than AWeber's is none.
    pub(crate) fn is_out_of_reach(&self, took: Duration) -> bool {
        let limit = self.limit.min(AWEBERS_LIMIT);
        took.as_millis() * limit as u128 > WINDOW_MS as u128
    }

    /// Notes that a request is sent.
    pub(crate) fn begin(&mut self) {
        self.under_way += 1;
    }

    /// Notes that it is over. Its end counts, not its start: the server saw it no later than that, so a window measured
    /// from there holds on the server's side too, whatever the network did.
    pub(crate) fn end(&mut self, ended_ms: i64) {
        self.under_way = self.under_way.saturating_sub(1);
        // One that was sent ahead may have ended before the one that is noted first.
        let position = self.ended.partition_point(|at| *at <= ended_ms);
        self.ended.insert(position, ended_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_of_60_s_holds_more_than_the_limit() {
        let mut limiter = Limiter::new(5, []);
        let (mut now, mut sent) = (1_000_000_i64, Vec::new());
        for i in 0..200 {
            now += limiter.wait(now).as_millis() as i64;
            assert_eq!(limiter.wait(now), Duration::ZERO);
            sent.push(now);
            limiter.begin();
            now += i % 7 * 100;
            limiter.end(now);
        }
        for window in sent.windows(6) {
            assert!(window[5] - window[0] >= WINDOW_MS, "{window:?}");
        }
    }

    #[test]
    fn earlier_runs_count_and_a_clock_set_back_does_not_block() {
        let mut limiter = Limiter::new(2, [9_000, 10_000]);
        assert_eq!(limiter.wait(20_000), Duration::from_millis(49_000));
        let mut limiter = Limiter::new(2, [9_000_000, 10_000_000]);
        assert_eq!(limiter.wait(20_000), Duration::ZERO);
    }

    #[test]
    fn a_request_under_way_takes_a_place() {
        let mut limiter = Limiter::new(3, [1_000, 2_000]);
        assert_eq!(limiter.wait(10_000), Duration::ZERO);
        limiter.begin();
        assert_eq!(limiter.wait(10_000), Duration::from_secs(51));
        let mut limiter = Limiter::new(1, []);
        limiter.begin();
        assert_eq!(limiter.wait(0), Duration::from_secs(60));
    }

    #[test]
    fn one_at_a_time_is_enough_up_to_half_a_second_an_answer() {
        for limit in [120, 1_000_000] {
            let limiter = Limiter::new(limit, []);
            assert!(!limiter.is_out_of_reach(Duration::from_millis(500)));
            assert!(limiter.is_out_of_reach(Duration::from_millis(501)));
        }
        assert!(!Limiter::new(10, []).is_out_of_reach(Duration::from_secs(6)));
    }
}
