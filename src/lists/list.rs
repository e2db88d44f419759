//! A list of the account, as data.

use crate::rows::ListRef;
use crate::subscriber::Status;

/// A list as described by the API.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// Id and name.
    pub(crate) this: ListRef,
    /// AWeber's other name for it, such as `awlist456`.
    pub(crate) unique_list_id: String,
    /// AWeber's total, as the two below; not always right.
    pub(crate) subscribed: u64,
    /// See `subscribed`.
    pub(crate) unconfirmed: u64,
    /// See `subscribed`.
    pub(crate) unsubscribed: u64,
}

impl List {
    /// AWeber's total of one status or of all.
    pub(crate) fn count(&self, status: Option<Status>) -> u64 {
        match status {
            Some(Status::Subscribed) => self.subscribed,
            Some(Status::Unconfirmed) => self.unconfirmed,
            Some(Status::Unsubscribed) => self.unsubscribed,
            None => {
                let confirmed_once = self.subscribed.saturating_add(self.unsubscribed);
                confirmed_once.saturating_add(self.unconfirmed)
            }
        }
    }
}
