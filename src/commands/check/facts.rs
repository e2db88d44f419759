//! What the requests of a check showed, for the judgements.

use super::listing::{Listing, Total};
use crate::token::answer::RefreshAnswer;
use chrono::NaiveDate;

/// The answers; what could not be asked is missing.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The rows of the list, by the last page that holds any, else as AWeber counts.
    pub(super) real: Option<u64>,
    /// As `total_size` or the list's own counts claim.
    pub(super) claimed: Option<u64>,
    /// The first page of the plain collection, with `ws.size=100`.
    pub(super) plain: Option<Listing>,
    /// Status and rows of `ws.size=101`.
    pub(super) larger: Option<(u16, u64)>,
    /// The page that begins with the last row by AWeber's count.
    pub(super) last: Option<Listing>,
    /// The first and the last full page of the find that runs use.
    pub(super) oldest: Option<Listing>,
    pub(super) newest: Option<Listing>,
    /// The answer to `ws.show=total_size`, whether a bare number.
    pub(super) count: Option<(Total, bool)>,
    pub(super) subscribed_days: Days,
    /// The unsubscribed, by the time of that.
    pub(super) unsubscribed: Option<Listing>,
    pub(super) unsubscribed_days: Days,
    /// The status for an id that does not exist.
    pub(super) vanished: Option<u16>,
    pub(super) has_limit_headers: bool,
    pub(super) refresh: Option<RefreshAnswer>,
}

/// The answers about a filter by day.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// The times of known rows, newest first, Unix seconds.
    pub(super) window: Vec<i64>,
    /// The rows of a full page.
    pub(super) page_size: u64,
    /// Rows found after a day in the future.
    pub(super) future: Option<u64>,
    /// Rows found after these days.
    pub(super) asked: Vec<(NaiveDate, u64)>,
}
