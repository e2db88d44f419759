//! What to do after a failed attempt, for every request: renew the credential, wait and repeat, or give up. Pure: time
//! and randomness come in as arguments.

use crate::error::{Error, Kind};
use std::time::Duration;

/// How often a request is repeated after failures, rate limits not counted. AWeber's help says 2 to 3 times; with the
/// default first wait of 1 s, four bridge a restart of 15 s.
const RETRIES: u32 = 4;

/// How often a 'Rate Limit Error' is waited out for one request, 60 s each by default.
const RATE_LIMIT_WAITS: u32 = 3;

/// No repetition begins after this long.
const LONGEST: Duration = Duration::from_secs(300);

/// The longest single wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How an attempt failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The credential was rejected; renewing it may help. The error to end with if it does not.
    Unauthorized(Error),
    /// 'Rate Limit Error'.
    RateLimited(String),
    /// The same request may succeed later.
    Transient(String),
    /// Repeating is of no use.
    Permanent(Error),
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Renew the credential, then repeat.
    Renew,
    /// Wait out the rate limit, then repeat.
    WaitForRateLimit(Duration),
    /// Wait because of that, then repeat.
    Wait(Duration, String),
    /// End with this error.
    GiveUp(Error),
}

/// The attempts at one request so far.
#[derive(Debug)]
pub(crate) struct Attempts {
    waits: Waits,
    renewed: bool,
    retries: u32,
    rate_limit_waits: u32,
}

/// The configured waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// Before the first repetition; doubles.
    pub(crate) retry: Duration,
    /// After a 'Rate Limit Error'.
    pub(crate) rate_limit: Duration,
}

impl Attempts {
    /// Before the first attempt.
    pub(crate) fn new(waits: Waits) -> Attempts {
        Attempts {
            waits,
            renewed: false,
            retries: 0,
            rate_limit_waits: 0,
        }
    }

    /// Decides what follows a failure, `elapsed` after the first attempt began. `random` is for the jitter.
    pub(crate) fn after(&mut self, failed: Failed, elapsed: Duration, random: u8) -> Step {
        match failed {
            Failed::Permanent(error) => Step::GiveUp(error),
            Failed::Unauthorized(error) if self.renewed => Step::GiveUp(error),
            Failed::Unauthorized(_) => {
                self.renewed = true;
                Step::Renew
            }
            Failed::RateLimited(what) if self.rate_limit_waits == RATE_LIMIT_WAITS => {
                Step::GiveUp(rate_limited(&what))
            }
            Failed::RateLimited(_) => {
                self.rate_limit_waits += 1;
                Step::WaitForRateLimit(self.waits.rate_limit)
            }
            Failed::Transient(what) if self.retries == RETRIES || elapsed > LONGEST => {
                let what = format!("{what}, {} times", self.retries + 1);
                Step::GiveUp(Error::new(Kind::Unavailable, what))
            }
            Failed::Transient(what) => {
                let wait = backoff(self.waits.retry, self.retries, random);
                self.retries += 1;
                Step::Wait(wait, what)
            }
        }
    }
}

/// The wait before repetition number `n` (from 0): `first` doubled each time, at most a minute. The upper half of it is
/// random (0..=255), so that many jobs do not come back in step.
fn backoff(first: Duration, n: u32, random: u8) -> Duration {
    let whole = first
        .saturating_mul(1 << n.min(16))
        .min(LONGEST_WAIT.max(first));
    whole / 2 + whole / 2 * u32::from(random) / 255
}

/// 75: the rate limit outlasted every wait.
fn rate_limited(answered: &str) -> Error {
    Error::new(
        Kind::RateLimited,
        format!("{answered}, and again after every wait"),
    )
    .safe("nothing is lost: the next run resumes here")
    .next("nothing, or a lower --requests-per-minute: other integrations of the account share the limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        retry: Duration::from_secs(1),
        rate_limit: Duration::from_secs(60),
    };

    fn error(kind: Kind) -> Error {
        Error::new(kind, "x")
    }

    /// The steps as letters: Renew, rate Limit, Wait, or the kind of the error.
    fn story(failures: impl IntoIterator<Item = Failed>) -> String {
        let mut attempts = Attempts::new(WAITS);
        let steps =
            failures
                .into_iter()
                .map(|failed| match attempts.after(failed, Duration::ZERO, 255) {
                    Step::Renew => "R".to_owned(),
                    Step::WaitForRateLimit(wait) => format!("L{}", wait.as_secs()),
                    Step::Wait(wait, _) => format!("W{}", wait.as_secs()),
                    Step::GiveUp(error) => format!("{:?}", error.kind()),
                });
        steps.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_sequence_of_failures_has_its_steps() {
        use Failed::{Permanent, RateLimited, Transient, Unauthorized};
        let unauthorized = || Unauthorized(error(Kind::NeedsHuman));
        let (limited, transient) = (|| RateLimited("x".into()), || Transient("x".into()));
        for (failures, steps) in [
            (vec![unauthorized(), unauthorized()], "R NeedsHuman"),
            (
                vec![unauthorized(), transient(), unauthorized()],
                "R W1 NeedsHuman",
            ),
            (vec![Permanent(error(Kind::Config))], "Config"),
            (
                vec![
                    transient(),
                    transient(),
                    transient(),
                    transient(),
                    transient(),
                ],
                "W1 W2 W4 W8 Unavailable",
            ),
            (
                vec![limited(), limited(), limited(), limited()],
                "L60 L60 L60 RateLimited",
            ),
            (
                vec![transient(), limited(), transient(), unauthorized()],
                "W1 L60 W2 R",
            ),
        ] {
            assert_eq!(story(failures), steps);
        }
    }

    #[test]
    fn nothing_is_repeated_after_five_minutes() {
        let mut attempts = Attempts::new(WAITS);
        let step = attempts.after(Failed::Transient("x".into()), Duration::from_secs(301), 0);
        assert!(matches!(step, Step::GiveUp(_)));
    }

    #[test]
    fn waits_grow_with_jitter_up_to_a_minute() {
        let first = Duration::from_secs(1);
        for (n, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (40, 60)] {
            let whole = Duration::from_secs(seconds);
            assert_eq!(backoff(first, n, 255), whole);
            assert_eq!(backoff(first, n, 0), whole / 2);
        }
        assert_eq!(backoff(Duration::ZERO, 9, 77), Duration::ZERO);
    }
}
