//! The sandbox's clock: for the `Date` header, the expiry of tokens and codes, and the times of new subscribers. The
//! rate limit uses the monotonic clock instead, because clients wait in real time.

use chrono::{DateTime, SubsecRound, Utc};

/// The source of the current time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The machine's clock, to the microsecond.
    #[default]
    Real,
    /// Stopped until it is set again (`World::set_now`).
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::Real => Utc::now().trunc_subsecs(6),
            Clock::Fixed(instant) => *instant,
        }
    }
}

/// An instant as the `Date` header writes it.
pub(crate) fn http_date(instant: DateTime<Utc>) -> String {
    instant.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
