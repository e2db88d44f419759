//! A subscriber: its data, and its JSON in three views.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::eastern;
use crate::fields::{ObjectWriter, Overrides, quoted};
use crate::settings::Settings;

/// The state of a subscription. AWeber may send values that it does not document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// On the list.
    Subscribed,
    /// Off the list.
    Unsubscribed,
    /// Has not confirmed the address yet.
    Unconfirmed,
    /// A state the documentation does not name.
    Other(&'static str),
}

impl Status {
    /// The value in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Subscribed => "subscribed",
            Status::Unsubscribed => "unsubscribed",
            Status::Unconfirmed => "unconfirmed",
            Status::Other(word) => word,
        }
    }

    /// Parses one of the three documented values.
    pub(crate) fn parse(word: &str) -> Option<Status> {
        [
            Status::Subscribed,
            Status::Unsubscribed,
            Status::Unconfirmed,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

/// The effect of resubscribing on `subscribed_at` and on the position in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resubscribe {
    /// Both stay the same.
    KeepTime,
    /// The time becomes now, and the subscriber moves to the end.
    NewTime,
}

/// The fields that depend on the location; null unless a test sets them.
const LOCATION: [&str; 8] = [
    "country",
    "region",
    "city",
    "postal_code",
    "area_code",
    "dma_code",
    "latitude",
    "longitude",
];

/// A subscriber of one list.
///
/// Order and filters use these fields. Overrides of the JSON (`NewSubscriber::with`) also affect filters on text and
/// numbers, but not filters on days.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The record id, which differs between lists.
    pub id: u64,
    /// The address.
    pub email: String,
    /// The name, if any.
    pub name: Option<String>,
    /// The state.
    pub status: Status,
    /// When the record was created.
    pub subscribed_at: DateTime<Utc>,
    /// When it was confirmed.
    pub verified_at: Option<DateTime<Utc>>,
    /// When it was unsubscribed.
    pub unsubscribed_at: Option<DateTime<Utc>>,
    /// How it was unsubscribed.
    pub unsubscribe_method: Option<String>,
    /// How it was added to the list.
    pub subscription_method: String,
    /// When the last follow-up message was sent.
    pub last_followup_sent_at: Option<DateTime<Utc>>,
    /// The tags.
    pub tags: Vec<String>,
    /// The custom fields, name and value, in order.
    pub custom_fields: Vec<(String, Value)>,
    /// The number of its addition, counted over all lists: the order of the account-wide find.
    pub(crate) added: u64,
    pub(crate) overrides: Overrides,
}

/// The resource that a subscriber is rendered for.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    /// The plain collection.
    Collection,
    /// A single subscriber, which has a `uuid`.
    Single,
    /// The results of a find, which have list link and list name.
    Find {
        /// The list's name.
        list_name: &'a str,
    },
}

impl Subscriber {
    /// Replaces a field of the JSON.
    pub fn set_field(&mut self, key: &str, value: &Value) {
        self.overrides.set(key, &value.to_string());
    }

    /// Replaces a field of the JSON by JSON text, which preserves digits.
    pub fn set_raw_field(&mut self, key: &str, json: &str) {
        self.overrides.set(key, json);
    }

    /// Removes a field from the JSON.
    pub fn remove_field(&mut self, key: &str) {
        self.overrides.remove(key);
    }

    /// The value of a field for a filter; null if it is absent.
    pub(crate) fn field(&self, key: &str) -> Value {
        if let Some(own) = self.overrides.value(key) {
            return own;
        }
        match key {
            "email" => Value::from(self.email.as_str()),
            "name" => self.name.as_deref().map_or(Value::Null, Value::from),
            "status" => Value::from(self.status.as_str()),
            "subscription_method" => Value::from(self.subscription_method.as_str()),
            "unsubscribe_method" => self
                .unsubscribe_method
                .as_deref()
                .map_or(Value::Null, Value::from),
            "misc_notes" => Value::from(""),
            "last_followup_message_number_sent" => Value::from(0),
            _ => Value::Null,
        }
    }

    /// Renders the subscriber as JSON; `list_link` is the link of its list.
    pub(crate) fn render(&self, list_link: &str, view: View<'_>, settings: &Settings) -> Vec<u8> {
        let mut object =
            ObjectWriter::new(&self.overrides).sending_missing_as(settings.missing_values);
        let verified_at = self.verified_at.map(|instant| {
            if settings.verified_at_in_utc {
                eastern::utc_wall_clock(instant)
            } else {
                eastern::wall_clock(instant)
            }
        });
        let in_form = |instant| eastern::in_form(instant, settings.time_form);
        object.number("id", self.id);
        if let View::Single = view {
            object.text("uuid", &format!("7d0e6a52-3c1b-4f7e-8a90-{:012x}", self.id));
        }
        if settings.personal_fields {
            object.text("email", &self.email);
            object.optional("name", self.name.as_deref());
            object.text("ip_address", &format!("192.0.2.{}", self.id % 254 + 1));
            object.text("misc_notes", "");
        }
        object.text("status", self.status.as_str());
        object.text("subscribed_at", &in_form(self.subscribed_at));
        object.optional("verified_at", verified_at.as_deref());
        let unsubscribed_at = self.unsubscribed_at.map(in_form);
        object.optional("unsubscribed_at", unsubscribed_at.as_deref());
        object.boolean("is_verified", self.verified_at.is_some());
        object.text("subscription_method", &self.subscription_method);
        object.raw("subscription_url", "null");
        object.optional("unsubscribe_method", self.unsubscribe_method.as_deref());
        object.raw("ad_tracking", "null");
        object.raw("tags", &string_array(&self.tags));
        object.raw("custom_fields", &self.custom_fields_json());
        for key in LOCATION {
            object.raw(key, "null");
        }
        object.raw("last_followup_message_number_sent", "0");
        let followup_at = self.last_followup_sent_at.map(in_form);
        object.optional("last_followup_sent_at", followup_at.as_deref());
        object.raw("last_followup_sent_link", "null");
        object.text("self_link", &format!("{list_link}/subscribers/{}", self.id));
        object.text(
            "resource_type_link",
            "https://api.aweber.com/1.0/#subscriber",
        );
        if let View::Find { list_name } = view {
            object.text("list_link", list_link);
            object.text("list_name", list_name);
        }
        object.finish()
    }

    fn custom_fields_json(&self) -> String {
        let pairs: Vec<String> = self
            .custom_fields
            .iter()
            .map(|(name, value)| format!("{}:{value}", quoted(name)))
            .collect();
        format!("{{{}}}", pairs.join(","))
    }
}

/// A JSON array of strings.
pub(crate) fn string_array(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(","))
}
