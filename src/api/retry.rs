//! How long to wait before asking again. Pure: the random part comes in as an argument.

use std::time::Duration;

/// How often a request is repeated after failures, rate limits not counted. AWeber's help says 2 to 3 times; with
/// the default first wait of 1 s, four bridge a restart of 15 s.
pub(crate) const REPEATS: u32 = 4;

/// How often a 'Rate Limit Error' is waited out for one request, 60 s each by default.
pub(crate) const RATE_LIMIT_WAITS: u32 = 3;

/// The longest single wait.
const LONGEST: Duration = Duration::from_secs(60);

/// The wait before repeat number `repeat` (from 0): `first` doubled each time, at most a minute, of which the upper
/// half is left to chance (`random` in 0..=255), so that many jobs do not come back in step.
pub(crate) fn wait(first: Duration, repeat: u32, random: u8) -> Duration {
    let whole = first
        .saturating_mul(1 << repeat.min(16))
        .min(LONGEST.max(first));
    whole / 2 + whole / 2 * u32::from(random) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_jitter_up_to_a_limit() {
        let first = Duration::from_secs(1);
        for (repeat, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (40, 60)] {
            let whole = Duration::from_secs(seconds);
            assert_eq!(wait(first, repeat, 255), whole);
            assert_eq!(wait(first, repeat, 0), whole / 2);
        }
        assert_eq!(wait(Duration::ZERO, 9, 77), Duration::ZERO);
    }
}
