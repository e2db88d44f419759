//! A subscriber to be added, in builder style.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::fields::Overrides;
use crate::subscriber::{Status, Subscriber};

/// A subscriber before it has an id. Subscribed, now, by a web form, unless something else is said.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    subscriber: Subscriber,
    subscribed_at: Option<DateTime<Utc>>,
}

impl NewSubscriber {
    /// A subscriber with this address.
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

    /// With an id of the test's choice instead of the next one.
    pub fn id(mut self, id: u64) -> Self {
        self.subscriber.id = id;
        self
    }

    /// With a name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.subscriber.name = Some(name.into());
        self
    }

    /// With a status.
    pub fn status(mut self, status: Status) -> Self {
        self.subscriber.status = status;
        self
    }

    /// Created at this instant instead of now.
    pub fn subscribed_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscribed_at = Some(instant);
        self
    }

    /// Confirmed at this instant.
    pub fn verified_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscriber.verified_at = Some(instant);
        self
    }

    /// Unsubscribed at this instant, in this way; the status too.
    pub fn unsubscribed_at(mut self, instant: DateTime<Utc>, method: &str) -> Self {
        self.subscriber.status = Status::Unsubscribed;
        self.subscriber.unsubscribed_at = Some(instant);
        self.subscriber.unsubscribe_method = Some(method.to_owned());
        self
    }

    /// `api`, `email`, `import`, `webform`, or one of the older words.
    pub fn method(mut self, method: &str) -> Self {
        self.subscriber.subscription_method = method.to_owned();
        self
    }

    /// The last follow-up was sent at this instant.
    pub fn last_followup_sent_at(mut self, instant: DateTime<Utc>) -> Self {
        self.subscriber.last_followup_sent_at = Some(instant);
        self
    }

    /// With tags.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.subscriber
            .tags
            .extend(tags.into_iter().map(Into::into));
        self
    }

    /// With a custom field: a string, or `Value::Null`.
    pub fn custom(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.subscriber
            .custom_fields
            .push((name.to_owned(), value.into()));
        self
    }

    /// With this value for a field of the JSON, known or new.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.subscriber.set_field(key, &value.into());
        self
    }

    /// With this JSON text for a field, so that digits survive: `with_raw("latitude", "40.10")`.
    pub fn with_raw(mut self, key: &str, json: &str) -> Self {
        self.subscriber.set_raw_field(key, json);
        self
    }

    /// Without a field of the JSON.
    pub fn without(mut self, key: &str) -> Self {
        self.subscriber.remove_field(key);
        self
    }

    /// The id asked for, if any.
    pub(crate) fn wanted_id(&self) -> Option<u64> {
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
