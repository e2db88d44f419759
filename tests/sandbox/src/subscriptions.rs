//! Lists and their subscribers, as tests change them: sign-ups, confirmations, moves, deletions.

use chrono::DateTime;

use crate::list::{CustomField, List};
use crate::new_subscriber::NewSubscriber;
use crate::subscriber::{Resubscribe, Status, Subscriber};
use crate::world::World;

/// Lists.
impl World {
    /// Adds a list with the next free id; returns the id.
    pub fn add_list(&mut self, name: &str) -> u64 {
        let id = self.next_list_id;
        self.add_list_with(id, name, &format!("awlist{id}"))
    }

    /// Adds a list with this id; returns the id.
    pub fn add_list_with(&mut self, id: u64, name: &str, unique_list_id: &str) -> u64 {
        let position = self.lists.partition_point(|list| list.id < id);
        assert!(
            self.lists.get(position).is_none_or(|list| list.id != id),
            "list {id} exists"
        );
        self.lists
            .insert(position, List::new(id, name, unique_list_id));
        self.next_list_id = self.next_list_id.max(id + 1);
        id
    }

    /// Removes a list and its subscribers.
    pub fn remove_list(&mut self, list: u64) {
        self.lists.retain(|own| own.id != list);
    }

    /// Renames a list.
    pub fn rename_list(&mut self, list: u64, name: &str) {
        self.expect_list(list).name = name.to_owned();
    }

    /// The lists, by id.
    pub fn lists(&self) -> impl Iterator<Item = &List> {
        self.lists.iter()
    }

    /// A list.
    pub fn list(&self, list: u64) -> Option<&List> {
        self.lists.iter().find(|own| own.id == list)
    }

    /// A list, for a change.
    pub fn list_mut(&mut self, list: u64) -> Option<&mut List> {
        self.lists.iter_mut().find(|own| own.id == list)
    }

    /// Adds a custom field to a list; returns its id. `add_subscriber` does this for the fields of a subscriber.
    pub fn add_custom_field(&mut self, list: u64, name: &str) -> u64 {
        let id = self.next_custom_field_id;
        self.next_custom_field_id += 1;
        let field = CustomField {
            id,
            name: Some(name.to_owned()),
            is_subscriber_updateable: true,
        };
        self.expect_list(list).custom_fields.push(field);
        id
    }

    fn expect_list(&mut self, list: u64) -> &mut List {
        self.list_mut(list)
            .unwrap_or_else(|| panic!("no list {list}"))
    }
}

/// Subscribers.
impl World {
    /// Adds a subscriber at the end of a list; returns the id.
    pub fn add_subscriber(&mut self, list: u64, new: NewSubscriber) -> u64 {
        let id = new.requested_id().unwrap_or(self.next_subscriber_id);
        self.next_subscriber_id = self.next_subscriber_id.max(id.saturating_add(1));
        let mut subscriber = new.build(id, self.now());
        subscriber.added = self.next_addition();
        for (name, _) in &subscriber.custom_fields {
            let known = self
                .expect_list(list)
                .custom_fields
                .iter()
                .any(|field| field.name.as_ref() == Some(name));
            if !known {
                self.add_custom_field(list, name);
            }
        }
        self.expect_list(list).subscribers_mut().push(subscriber);
        id
    }

    /// Adds many subscribers to a list, a minute apart, the last one a minute ago. Returns their ids in order.
    pub fn add_subscribers(&mut self, list: u64, count: usize) -> Vec<u64> {
        let end = self.now().timestamp();
        let first = self.next_subscriber_id;
        let ids: Vec<u64> = (first..).take(count).collect();
        let begin = end - 60 * i64::try_from(count).expect("a count that fits");
        let at = |minute: i64| {
            DateTime::from_timestamp(begin + 60 * minute, 0).expect("an instant of our time")
        };
        for (id, minute) in ids.iter().zip(0..) {
            let new =
                NewSubscriber::new(format!("reader{id}@example.com")).name(format!("Reader {id}"));
            self.add_subscriber(list, new.subscribed_at(at(minute)));
        }
        ids
    }

    /// Confirms a subscriber's address.
    pub fn confirm(&mut self, list: u64, id: u64) {
        let now = self.now();
        let moves = self.settings.confirm_moves_subscribed_at;
        let subscriber = self.expect_subscriber(list, id);
        subscriber.status = Status::Subscribed;
        subscriber.verified_at = Some(now);
        if moves {
            subscriber.subscribed_at = now;
        }
    }

    /// Unsubscribes a subscriber; the record stays.
    pub fn unsubscribe(&mut self, list: u64, id: u64) {
        self.unsubscribe_as(list, id, "unsubscribe link");
    }

    /// Resubscribes an unsubscribed subscriber under the same id.
    pub fn resubscribe(&mut self, list: u64, id: u64, how: Resubscribe) {
        let now = self.now();
        let subscriber = self.expect_subscriber(list, id);
        subscriber.status = Status::Subscribed;
        subscriber.unsubscribed_at = None;
        subscriber.unsubscribe_method = None;
        if how == Resubscribe::NewTime {
            let added = self.next_addition();
            let subscriber = self.expect_subscriber(list, id);
            subscriber.subscribed_at = now;
            subscriber.added = added;
            let at = self.expect_position(list, id);
            let subscribers = self.expect_list(list).subscribers_mut();
            let subscriber = subscribers.remove(at);
            subscribers.push(subscriber);
        }
    }

    /// Moves a subscriber to another list: the old record becomes `unsubscribed` by `api: move`. Returns the id of the new one.
    pub fn move_to(&mut self, list: u64, id: u64, other_list: u64, keep_time: bool) -> u64 {
        self.unsubscribe_as(list, id, "api: move");
        let mut copy = self.expect_subscriber(list, id).clone();
        copy.id = self.next_subscriber_id;
        copy.status = Status::Subscribed;
        copy.unsubscribed_at = None;
        copy.unsubscribe_method = None;
        copy.added = self.next_addition();
        if !keep_time {
            copy.subscribed_at = self.now();
        }
        let new_id = copy.id;
        self.next_subscriber_id += 1;
        self.expect_list(other_list).subscribers_mut().push(copy);
        new_id
    }

    /// Deletes a record; the rows behind it move up.
    pub fn delete(&mut self, list: u64, id: u64) {
        let at = self.expect_position(list, id);
        self.expect_list(list).subscribers_mut().remove(at);
    }

    /// The subscribers of a list, in the order of addition.
    pub fn subscribers(&self, list: u64) -> impl Iterator<Item = &Subscriber> {
        self.list(list).map_or(&[][..], List::subscribers).iter()
    }

    /// A subscriber of a list.
    pub fn subscriber(&self, list: u64, id: u64) -> Option<&Subscriber> {
        self.subscribers(list)
            .find(|subscriber| subscriber.id == id)
    }

    /// A subscriber of a list, for a change.
    pub fn subscriber_mut(&mut self, list: u64, id: u64) -> Option<&mut Subscriber> {
        let list = self.list_mut(list)?;
        let at = list.position(id)?;
        Some(&mut list.subscribers_mut()[at])
    }

    fn unsubscribe_as(&mut self, list: u64, id: u64, method: &str) {
        let now = self.now();
        let subscriber = self.expect_subscriber(list, id);
        subscriber.status = Status::Unsubscribed;
        subscriber.unsubscribed_at = Some(now);
        subscriber.unsubscribe_method = Some(method.to_owned());
    }

    fn expect_subscriber(&mut self, list: u64, id: u64) -> &mut Subscriber {
        self.subscriber_mut(list, id)
            .unwrap_or_else(|| panic!("no subscriber {id} on list {list}"))
    }

    fn expect_position(&mut self, list: u64, id: u64) -> usize {
        self.expect_list(list)
            .position(id)
            .unwrap_or_else(|| panic!("no subscriber {id} on list {list}"))
    }
}
