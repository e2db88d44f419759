//! The sliding window behind `--requests-per-minute`: never more than N requests in any 60 s, over several runs; and
//! fewer once AWeber says 'Rate Limit Error', since other integrations of the account share its limit and are shut out
//! with us. Pure; times are milliseconds of the local clock, since they outlive the process.

use std::collections::VecDeque;
use std::time::Duration;

/// The window AWeber counts in.
const WINDOW_MS: i64 = 60_000;

/// What AWeber allows in a window.
const AWEBERS_LIMIT: usize = 120;

/// The lowest pace, requests a minute, however little the others leave.
const LOWEST_PACE: usize = 10;

/// The most requests under way at once.
const MOST_UNDER_WAY: usize = 4;

/// After this long without a 'Rate Limit Error' a tenth of the pace is regained.
const REGAIN_MS: i64 = 600_000;

/// When the latest requests were over, and how many are under way.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// As configured.
    limit: usize,
    /// Below the limit after a 'Rate Limit Error', and since when.
    lowered: Option<(usize, i64)>,
    /// How long AWeber shuts out everyone who shares the limit: the window in which a lowered pace counts.
    shut_out_ms: i64,
    ended: VecDeque<i64>,
    under_way: usize,
    /// When the latest request of this process was sent.
    begun: i64,
}

impl Limiter {
    /// A limiter that remembers the requests of earlier runs.
    pub(crate) fn new(
        limit: u32,
        shut_out: Duration,
        earlier: impl IntoIterator<Item = i64>,
    ) -> Limiter {
        let mut ended: Vec<i64> = earlier.into_iter().collect();
        ended.sort_unstable();
        Limiter {
            limit: limit as usize,
            lowered: None,
            shut_out_ms: (shut_out.as_millis() as i64).clamp(1, WINDOW_MS),
            ended: ended.into(),
            under_way: 0,
            begun: i64::MIN,
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
        if all >= self.limit {
            let in_the_way = self.ended.get(all - self.limit).unwrap_or(&now_ms);
            return Duration::from_millis((in_the_way + WINDOW_MS - now_ms).max(1) as u64);
        }
        self.wait_for_lowered_pace(now_ms)
    }

    /// A lowered pace is kept evenly: a burst would fill AWeber's window for the others, and an error would come long after
    /// its cause.
    fn wait_for_lowered_pace(&self, now_ms: i64) -> Duration {
        match self.lowered {
            Some((_, since)) if self.begun > since => {
                let gap = self.shut_out_ms / self.pace(now_ms).max(1) as i64;
                Duration::from_millis((self.begun + gap - now_ms).max(0) as u64)
            }
            _ => Duration::ZERO,
        }
    }

    /// The most requests a minute, now.
    pub(crate) fn pace(&self, now_ms: i64) -> usize {
        let Some((mut pace, since)) = self.lowered else {
            return self.limit;
        };
        for _ in 0..(now_ms - since).max(0) / REGAIN_MS {
            if pace >= self.limit {
                break;
            }
            pace += (pace / 10).max(1);
        }
        pace.min(self.limit)
    }

    /// As [`Limiter::pace`], if it is below the limit.
    pub(crate) fn lowered_pace(&self, now_ms: i64) -> Option<usize> {
        Some(self.pace(now_ms)).filter(|pace| *pace < self.limit)
    }

    /// AWeber said 'Rate Limit Error': the pace becomes four fifths of what the account's other integrations leave, never
    /// more than before. Returns it, requests a minute.
    pub(crate) fn lower(&mut self, now_ms: i64) -> usize {
        let pace = (self.left_by_others(now_ms) * 4 / 5).max(LOWEST_PACE);
        let pace = pace.min(self.pace(now_ms));
        self.lowered = Some((pace, now_ms));
        pace
    }

    /// What AWeber's limit leaves to us, requests a minute. At the first error that is what we had in the 60 s before.
    /// Later ones come after a minute in which nothing got through, so that the limit was filled in the time since then:
    /// whatever was not ours gives the rate of the others.
    fn left_by_others(&self, now_ms: i64) -> usize {
        let since = self.lowered.map_or(i64::MIN, |(_, since)| since);
        let window = now_ms.saturating_sub(self.shut_out_ms);
        let first = self.ended.partition_point(|at| *at <= since.max(window));
        let ours = self.ended.len() - first + self.under_way;
        let Some(span) = self.ended.get(first).map(|first| now_ms - first) else {
            return ours;
        };
        if self.lowered.is_none() || span <= 0 {
            return ours;
        }
        let others = AWEBERS_LIMIT.saturating_sub(ours) as i64 * self.shut_out_ms / span;
        AWEBERS_LIMIT.saturating_sub(others as usize)
    }

    /// How many requests that take that long have to be under way at once to use the pace, within bounds; more than
    /// AWeber's limit is of no use.
    pub(crate) fn useful_under_way(&self, took: Duration, now_ms: i64) -> usize {
        let pace = self.pace(now_ms).min(AWEBERS_LIMIT) as u128;
        let needed = (took.as_millis() * pace).div_ceil(WINDOW_MS as u128);
        (needed as usize).clamp(1, MOST_UNDER_WAY)
    }

    /// Notes that a request is sent.
    pub(crate) fn begin(&mut self, now_ms: i64) {
        self.under_way += 1;
        self.begun = now_ms;
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

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn no_window_of_60_s_holds_more_than_the_limit() {
        let mut limiter = Limiter::new(5, MINUTE, []);
        let (mut now, mut sent) = (1_000_000_i64, Vec::new());
        for i in 0..200 {
            now += limiter.wait(now).as_millis() as i64;
            assert_eq!(limiter.wait(now), Duration::ZERO);
            sent.push(now);
            limiter.begin(now);
            now += i % 7 * 100;
            limiter.end(now);
        }
        for window in sent.windows(6) {
            assert!(window[5] - window[0] >= WINDOW_MS, "{window:?}");
        }
    }

    #[test]
    fn earlier_runs_count_and_a_clock_set_back_does_not_block() {
        let mut limiter = Limiter::new(2, MINUTE, [9_000, 10_000]);
        assert_eq!(limiter.wait(20_000), Duration::from_millis(49_000));
        let mut limiter = Limiter::new(2, MINUTE, [9_000_000, 10_000_000]);
        assert_eq!(limiter.wait(20_000), Duration::ZERO);
    }

    #[test]
    fn a_request_under_way_takes_a_place() {
        let mut limiter = Limiter::new(3, MINUTE, [1_000, 2_000]);
        assert_eq!(limiter.wait(10_000), Duration::ZERO);
        limiter.begin(10_000);
        assert_eq!(limiter.wait(10_000), Duration::from_secs(51));
        let mut limiter = Limiter::new(1, MINUTE, []);
        limiter.begin(0);
        assert_eq!(limiter.wait(0), Duration::from_secs(60));
    }

    #[test]
    fn as_many_requests_are_useful_at_once_as_the_pace_needs_but_at_most_four() {
        for (limit, milliseconds, at_once) in [
            (120, 0, 1),
            (120, 500, 1),
            (120, 501, 2),
            (110, 900, 2),
            (120, 1_500, 3),
            (110, 2_000, 4),
            (120, 9_000, 4),
            (1_000_000, 500, 1),
            (10, 6_000, 1),
        ] {
            let took = Duration::from_millis(milliseconds);
            let useful = Limiter::new(limit, MINUTE, []).useful_under_way(took, 0);
            assert_eq!(useful, at_once, "{limit} a minute, {milliseconds} ms");
        }
    }

    #[test]
    fn a_lowered_pace_is_kept_by_the_time_of_sending() {
        let mut limiter = Limiter::new(110, MINUTE, (0..75).map(|n| n * 100));
        assert_eq!(limiter.lower(10_000), 60);
        for now in [70_000, 71_000, 72_000] {
            assert_eq!(limiter.wait(now), Duration::ZERO);
            limiter.begin(now);
            // Two requests that take two seconds each do not slow the pace down.
            assert_eq!(limiter.wait(now), Duration::from_secs(1));
        }
    }

    #[test]
    fn the_pace_becomes_four_fifths_of_what_was_left_and_is_regained_by_tenths() {
        for (sent, pace) in [(100, 80), (60, 48), (20, 16), (12, 10), (0, 10)] {
            let mut limiter = Limiter::new(110, MINUTE, (0..sent).map(|n| n * 100));
            assert_eq!(limiter.lower(20_000), pace, "{sent}");
        }
        let mut limiter = Limiter::new(110, MINUTE, (0..100).map(|n| n * 100));
        limiter.lower(20_000);
        for (minutes, pace) in [
            (0, 80),
            (9, 80),
            (10, 88),
            (20, 96),
            (30, 105),
            (40, 110),
            (9_999, 110),
        ] {
            let now = 20_000 + minutes * 60_000;
            assert_eq!(limiter.pace(now), pace, "{minutes}");
            let lowered = (pace < 110).then_some(pace);
            assert_eq!(limiter.lowered_pace(now), lowered, "{minutes}");
        }
        // A second error in a row lowers it further, never raises it.
        let mut limiter = Limiter::new(20, MINUTE, (0..100).map(|n| n * 100));
        assert_eq!(limiter.lower(20_000), 20);
    }

    /// AWeber's rule: more than 120 requests in any 60 s, and nothing gets through for anybody for 60 s.
    struct Account {
        seen: VecDeque<i64>,
        shut_until: i64,
    }

    impl Account {
        fn is_refused(&mut self, now: i64) -> bool {
            if now < self.shut_until {
                return true;
            }
            self.seen.retain(|at| *at > now - WINDOW_MS);
            self.seen.push_back(now);
            if self.seen.len() > AWEBERS_LIMIT {
                self.shut_until = now + WINDOW_MS;
            }
            now < self.shut_until
        }
    }

    /// How often a neighbour with that many requests a minute, evenly or in bursts of a minute's worth, was shut out in
    /// ten minutes of an export that could use the whole limit, and how many requests the export got through in the
    /// last five minutes. `start_ms`: when the neighbour begins; the export begins at 0.
    fn beside(neighbour: i64, bursts: bool, start_ms: i64) -> (u32, u32) {
        let mut account = Account {
            seen: VecDeque::new(),
            shut_until: i64::MIN,
        };
        let mut limiter = Limiter::new(110, MINUTE, []);
        let (mut ours_next, mut shut_out, mut was_shut, mut ours) = (0, 0, false, 0);
        for now in (start_ms.min(0)..600_000).step_by(50) {
            let due = if bursts {
                now.rem_euclid(60_000) < neighbour * 50
            } else {
                now.rem_euclid((60_000 / neighbour / 50 * 50).max(50)) == 0
            };
            if due && now >= start_ms {
                let shut = account.is_refused(now);
                shut_out += u32::from(shut && !was_shut);
                was_shut = shut;
            }
            if now >= ours_next && limiter.wait(now).is_zero() {
                limiter.begin(now);
                limiter.end(now);
                if account.is_refused(now) {
                    limiter.lower(now);
                    ours_next = now + WINDOW_MS;
                } else {
                    ours += u32::from(now >= 300_000);
                    ours_next = now + 300;
                }
            }
        }
        (shut_out, ours)
    }

    #[test]
    fn a_neighbour_at_work_before_the_export_is_shut_out_at_most_once() {
        for neighbour in [10, 20, 30, 45, 60, 80, 100] {
            for bursts in [false, true] {
                let (shut_out, ours) = beside(neighbour, bursts, -90_000);
                let left = (AWEBERS_LIMIT as i64 - neighbour) as u32 * 5;
                assert!(shut_out <= 1, "{neighbour} {bursts}: {shut_out}");
                assert!(
                    ours * 4 >= left * 3,
                    "{neighbour} {bursts}: {ours} of {left}"
                );
            }
        }
    }

    /// What was left at the first error says less about a neighbour that has only begun.
    #[test]
    fn a_neighbour_that_begins_during_the_export_is_shut_out_at_most_twice() {
        for neighbour in [10, 20, 30, 45, 60, 80, 100] {
            for start_ms in [0, 20_000, 200_000] {
                for bursts in [false, true] {
                    let (shut_out, ours) = beside(neighbour, bursts, start_ms);
                    let case = format!("{neighbour} from {start_ms} {bursts}: {shut_out} {ours}");
                    assert!(shut_out <= 2, "{case}");
                    assert!(ours >= 50, "{case}");
                }
            }
        }
    }
}
