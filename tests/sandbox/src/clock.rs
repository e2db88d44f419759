//! The sandbox's idea of now: it drives the `Date` header, the life of tokens and codes, and the times of new
//! subscribers. The rate limit does not use it: that runs on the monotonic clock, as a real wait does.

use chrono::{DateTime, SubsecRound, Utc};

/// Where "now" comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The machine's clock, to the microsecond.
    #[default]
    Real,
    /// Stands still until it is set again (`World::set_now`).
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The present instant.
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
