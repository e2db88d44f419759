//! A list of the account, as data.

use crate::json::{Pairs, raw_text};
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
    /// Reads only the fields in use, so that an odd value elsewhere cannot hide the name.
    pub(crate) fn read(json: &str, id: i64) -> List {
        let Pairs(pairs) = serde_json::from_str(json).unwrap_or(Pairs(Vec::new()));
        let text = |key: &str| {
            let mut last_first = pairs.iter().rev();
            match last_first.find(|(known, _)| known == key) {
                Some((_, raw)) if !raw.get().starts_with(['{', '[']) => {
                    raw_text(raw.get()).into_owned()
                }
                _ => String::new(),
            }
        };
        let number = |key: &str| text(key).parse().unwrap_or(0);
        List {
            this: ListRef {
                id,
                name: text("name"),
            },
            unique_list_id: text("unique_list_id"),
            subscribed: number("total_subscribed_subscribers"),
            unconfirmed: number("total_unconfirmed_subscribers"),
            unsubscribed: number("total_unsubscribed_subscribers"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_field_does_not_hide_the_others() {
        let odd = [
            r#"{"name":"News","total_subscribed_subscribers":"12"}"#,
            r#"{"name":"News","total_subscribed_subscribers":12,"unique_list_id":{"a":1}}"#,
            r#"{"name":"Old","name":"News","total_subscribed_subscribers":12}"#,
            r#"{"name":"News","total_subscribed_subscribers":12,"total_unconfirmed_subscribers":-1.5}"#,
        ];
        for json in odd {
            let list = List::read(json, 7);
            assert_eq!(
                (list.this.name.as_str(), list.subscribed),
                ("News", 12),
                "{json}"
            );
        }
    }
}
