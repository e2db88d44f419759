//! A list: its subscribers in the order of addition, and indexes that are built on first use, so that a page of a list
//! of 200,000 subscribers costs no more than one of a list of 200.

use std::collections::HashMap;

use serde_json::Value;

use crate::fields::{ObjectWriter, Overrides};
use crate::find::{Filter, SortKey};
use crate::subscriber::{Status, Subscriber};

/// The links of a list, relative to the list.
const LINKS: [(&str, &str); 10] = [
    ("subscribers_collection_link", "subscribers"),
    ("custom_fields_collection_link", "custom_fields"),
    ("campaigns_collection_link", "campaigns"),
    ("segments_collection_link", "segments"),
    ("landing_pages_collection_link", "landing_pages"),
    ("web_forms_collection_link", "web_forms"),
    (
        "web_form_split_tests_collection_link",
        "web_form_split_tests",
    ),
    ("draft_broadcasts_link", "broadcasts?status=draft"),
    ("scheduled_broadcasts_link", "broadcasts?status=scheduled"),
    ("sent_broadcasts_link", "broadcasts?status=sent"),
];

/// A custom field of a list.
#[derive(Debug, Clone)]
pub struct CustomField {
    /// The id.
    pub id: u64,
    /// The name. AWeber has sent null.
    pub name: Option<String>,
    /// True if subscribers may change it.
    pub is_subscriber_updateable: bool,
}

/// A list.
#[derive(Debug, Clone)]
pub struct List {
    /// The id.
    pub id: u64,
    /// The uuid.
    pub uuid: String,
    /// The name, which the customer may change.
    pub name: String,
    /// `awlist456`
    pub unique_list_id: String,
    /// The custom fields, by id.
    pub custom_fields: Vec<CustomField>,
    overrides: Overrides,
    subscribers: Vec<Subscriber>,
    by_id: Option<HashMap<u64, usize>>,
    /// Filter and order of the last find and the positions found: the next page repeats the same find.
    found: Option<(String, Vec<u32>)>,
}

impl List {
    pub(crate) fn new(id: u64, name: &str, unique_list_id: &str) -> List {
        List {
            id,
            uuid: format!("2b9c4e17-6f3a-4d58-b1c0-{id:012x}"),
            name: name.to_owned(),
            unique_list_id: unique_list_id.to_owned(),
            custom_fields: Vec::new(),
            overrides: Overrides::default(),
            subscribers: Vec::new(),
            by_id: None,
            found: None,
        }
    }

    /// Replaces a field of the list's JSON, such as a wrong count.
    pub fn set_field(&mut self, key: &str, value: &Value) {
        self.overrides.set(key, &value.to_string());
    }

    /// Removes a field from the list's JSON.
    pub fn remove_field(&mut self, key: &str) {
        self.overrides.remove(key);
    }

    /// The subscribers, in the order of addition.
    pub fn subscribers(&self) -> &[Subscriber] {
        &self.subscribers
    }

    /// The subscribers, for a change. Drops all indexes.
    pub(crate) fn subscribers_mut(&mut self) -> &mut Vec<Subscriber> {
        self.by_id = None;
        self.found = None;
        &mut self.subscribers
    }

    pub(crate) fn position(&mut self, id: u64) -> Option<usize> {
        let subscribers = &self.subscribers;
        let index = self.by_id.get_or_insert_with(|| {
            subscribers
                .iter()
                .enumerate()
                .map(|(at, subscriber)| (subscriber.id, at))
                .collect()
        });
        index.get(&id).copied()
    }

    /// The positions of the subscribers that pass a filter, in the requested order.
    pub(crate) fn find(&mut self, filter: &Filter, sort: SortKey, descending: bool) -> &[u32] {
        let key = format!("{sort:?} {descending} {filter:?}");
        if self.found.as_ref().is_none_or(|(last, _)| *last != key) {
            let positions = self.search(filter, sort, descending);
            self.found = Some((key, positions));
        }
        self.found.as_ref().map_or(&[], |(_, positions)| positions)
    }

    fn search(&mut self, filter: &Filter, sort: SortKey, descending: bool) -> Vec<u32> {
        let subscribers = &self.subscribers;
        let passes = |at: &u32| filter.matches(&subscribers[*at as usize]);
        let mut positions: Vec<u32> = (0u32..).take(subscribers.len()).filter(passes).collect();
        match sort {
            SortKey::Added => {}
            SortKey::SubscribedAt => {
                positions.sort_by_key(|at| subscribers[*at as usize].subscribed_at);
            }
            // Subscribers that never unsubscribed come last.
            SortKey::UnsubscribedAt => positions.sort_by_key(|at| {
                let instant = subscribers[*at as usize].unsubscribed_at;
                (instant.is_none(), instant)
            }),
        }
        if descending {
            positions.reverse();
        }
        positions
    }

    /// The tags of all subscribers, most used first.
    pub(crate) fn tags(&self) -> Vec<String> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for tag in self
            .subscribers
            .iter()
            .flat_map(|subscriber| &subscriber.tags)
        {
            *uses.entry(tag).or_default() += 1;
        }
        let mut tags: Vec<(&str, usize)> = uses.into_iter().collect();
        tags.sort_by(|(name, uses), (other, others)| others.cmp(uses).then(name.cmp(other)));
        tags.into_iter()
            .take(500)
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Renders the list as JSON; `base` is the link to the collection of lists.
    pub(crate) fn render(&self, base: &str, today: chrono::NaiveDate) -> Vec<u8> {
        let count = |status| {
            self.subscribers
                .iter()
                .filter(|subscriber| subscriber.status == status)
                .count() as u64
        };
        let came_on = |day| {
            let came = |subscriber: &&Subscriber| {
                subscriber.status == Status::Subscribed
                    && subscriber.subscribed_at.date_naive() == day
            };
            self.subscribers.iter().filter(came).count() as u64
        };
        let link = format!("{base}/{}", self.id);
        let mut object = ObjectWriter::new(&self.overrides);
        object.number("id", self.id);
        object.text("uuid", &self.uuid);
        object.text("name", &self.name);
        object.text("unique_list_id", &self.unique_list_id);
        object.number("total_subscribers", self.subscribers.len() as u64);
        object.number("total_subscribed_subscribers", count(Status::Subscribed));
        object.number("total_unconfirmed_subscribers", count(Status::Unconfirmed));
        object.number(
            "total_unsubscribed_subscribers",
            count(Status::Unsubscribed),
        );
        object.number("total_subscribers_subscribed_today", came_on(today));
        object.number(
            "total_subscribers_subscribed_yesterday",
            today.pred_opt().map_or(0, came_on),
        );
        object.text("vapid_public_key", "");
        object.text("http_etag", &format!("\"{:x}\"", self.id));
        object.text("self_link", &link);
        object.text("resource_type_link", "https://api.aweber.com/1.0/#list");
        for (key, path) in LINKS {
            object.text(key, &format!("{link}/{path}"));
        }
        object.finish()
    }
}

impl CustomField {
    /// Renders the custom field as JSON; `base` is the link to the list's custom fields.
    pub(crate) fn render(&self, base: &str) -> Vec<u8> {
        let overrides = Overrides::default();
        let mut object = ObjectWriter::new(&overrides);
        object.number("id", self.id);
        object.optional("name", self.name.as_deref());
        object.boolean("is_subscriber_updateable", self.is_subscriber_updateable);
        object.text("self_link", &format!("{base}/{}", self.id));
        object.text(
            "resource_type_link",
            "https://api.aweber.com/1.0/#custom_field",
        );
        object.text("http_etag", &format!("\"{:x}\"", self.id));
        object.finish()
    }
}
