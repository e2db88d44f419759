//! A builder for subscribers.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::fields::Overrides;
use crate::subscriber::{Status, Subscriber};

/// A subscriber before it is added. By default it is subscribed, now, by a web form.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    subscriber: Subscriber,
    subscribed_at: Option<DateTime<Utc>>,
}

impl NewSubscriber {
    /// Starts with an address.
    pub fn new(email: impl Into<String>) -> NewSubscriber {
        NewSubscriber {
            subscriber: Subscriber {
                id: 0,
                email: email.into(),
                name: None,
                status: Status::Subscribed,
                subscribed_at: DateTime::UNIX_EPOCH,
                verified_at: None,
                unsubscribed_at: None,
                unsubscribe_method: None,
                subscription_method: "webform".to_owned(),
                last_followup_sent_at: None,
                tags: Vec::new(),
                custom_fields: Vec::new(),
                added: 0,
                overrides: Overrides::default(),
            },
            subscribed_at: None,
        }
    }

    /// Sets the id, instead of the next free one.
    pub fn id(mut self, id: u64) -> Self {
        self.subscriber.id = id;
        self
    }

    /// Sets the name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.subscriber.name = Some(name.into());
        self
    }

    /// Sets the status.
    pub fn status(mut self, status: Status) -> Self {
        self.subscriber.status = status;
        self
    }

    /// Sets the time of subscription, instead of now.
    pub fn subscribed_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscribed_at = Some(instant);
        self
    }

    /// Sets the time of confirmation.
    pub fn verified_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscriber.verified_at = Some(instant);
        self
    }

    /// Sets time and method of unsubscription, and the status.
    pub fn unsubscribed_at(mut self, instant: DateTime<Utc>, method: &str) -> Self {
        self.subscriber.status = Status::Unsubscribed;
        self.subscriber.unsubscribed_at = Some(instant);
        self.subscriber.unsubscribe_method = Some(method.to_owned());
        self
    }

    /// Sets the subscription method: `api`, `email`, `import`, `webform`, or an older value.
    pub fn method(mut self, method: &str) -> Self {
        self.subscriber.subscription_method = method.to_owned();
        self
    }

    /// Sets the time of the last follow-up message.
    pub fn last_followup_sent_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscriber.last_followup_sent_at = Some(instant);
        self
    }

    /// Adds tags.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.subscriber
            .tags
            .extend(tags.into_iter().map(Into::into));
        self
    }

    /// Adds a custom field. At AWeber its value is a string or null.
    pub fn custom(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.subscriber
            .custom_fields
            .push((name.to_owned(), value.into()));
        self
    }

    /// Sets a field of the JSON, a known or an additional one.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.subscriber.set_field(key, &value.into());
        self
    }

    /// Sets a field to JSON text, which preserves digits: `with_raw("latitude", "40.10")`.
    pub fn with_raw(mut self, key: &str, json: &str) -> Self {
        self.subscriber.set_raw_field(key, json);
        self
    }

    /// Removes a field from the JSON.
    pub fn without(mut self, key: &str) -> Self {
        self.subscriber.remove_field(key);
        self
    }

    pub(crate) fn requested_id(&self) -> Option<u64> {
        (self.subscriber.id != 0).then_some(self.subscriber.id)
    }

    pub(crate) fn build(self, id: u64, now: DateTime<Utc>) -> Subscriber {
        Subscriber {
            id,
            subscribed_at: self.subscribed_at.unwrap_or(now),
            ..self.subscriber
        }
    }
}
