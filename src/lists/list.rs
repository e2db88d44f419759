//! A list of the account, as data.

use crate::json::raw_text;
use crate::rows::ListRef;
use crate::subscriber::Status;
use serde::Deserialize;
use serde_json::value::RawValue;

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

/// The fields in use, of any type: an odd value in one of them cannot hide the others.
#[derive(Default, Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    unique_list_id: Option<&'a RawValue>,
    total_subscribed_subscribers: Option<&'a RawValue>,
    total_unconfirmed_subscribers: Option<&'a RawValue>,
    total_unsubscribed_subscribers: Option<&'a RawValue>,
}

impl List {
    /// Reads only the fields in use, so that an odd value elsewhere cannot hide the name.
    pub(crate) fn read(json: &str, id: i64) -> List {
        let fields: Fields = serde_json::from_str(json).unwrap_or_default();
        let text = |field: Option<&RawValue>| match field.map(RawValue::get) {
            Some(raw) if !raw.starts_with(['{', '[']) => raw_text(raw).into_owned(),
            _ => String::new(),
        };
        let number = |field| text(field).parse().unwrap_or(0);
        List {
            this: ListRef {
                id,
                name: text(fields.name),
            },
            unique_list_id: text(fields.unique_list_id),
            subscribed: number(fields.total_subscribed_subscribers),
            unconfirmed: number(fields.total_unconfirmed_subscribers),
            unsubscribed: number(fields.total_unsubscribed_subscribers),
        }
    }

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
