//! For tests with dates: a sandbox with a fixed clock, sign-ups at given times, the pending ones in the ledger, and
//! the requests of a run.

use super::{Row, Site, sorted};
use aweber_sandbox::{
    ClientKind, Clock, NewSubscriber, Recorded, Settings, Status, Subscriber, World,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Noon of an ordinary day.
pub(crate) fn noon() -> DateTime<Utc> {
    at("2026-03-10T12:00:00Z")
}

/// A list with one subscriber on each of the nine days until [`noon`].
pub(crate) fn site_with_nine_days() -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 9, noon(), TimeDelta::days(1)));
    (site, list)
}

/// A subscribed subscriber.
pub(crate) fn reader(email: &str, instant: DateTime<Utc>) -> NewSubscriber {
    NewSubscriber::new(email).subscribed_at(instant)
}

/// An unconfirmed subscriber.
pub(crate) fn sign_up(email: &str, instant: DateTime<Utc>) -> NewSubscriber {
    reader(email, instant).status(Status::Unconfirmed)
}

/// Adds `count` subscribed readers at intervals of `apart`, the last one at `last`; returns their ids in order.
pub(crate) fn add_readers(
    world: &mut World,
    list: u64,
    count: i32,
    last: DateTime<Utc>,
    apart: TimeDelta,
) -> Vec<u64> {
    let known = world.subscribers(list).count();
    (0..count)
        .zip(known..)
        .map(|(i, n)| {
            let instant = last - apart * (count - 1 - i);
            let email = format!("reader{n}-{list}@example.com");
            world.add_subscriber(list, reader(&email, instant))
        })
        .collect()
}

impl Site {
    /// A public client, authorized, with the clock fixed at `now`.
    pub(crate) fn on(now: DateTime<Utc>) -> Site {
        Site::with(
            ClientKind::Public,
            Settings {
                clock: Clock::Fixed(now),
                ..Settings::default()
            },
        )
    }

    /// Sets AWeber's clock.
    pub(crate) fn set_now(&self, now: DateTime<Utc>) {
        self.sandbox.with(|world| world.set_now(now));
    }

    /// Adds a list.
    pub(crate) fn list(&self, name: &str) -> u64 {
        self.sandbox.with(|world| world.add_list(name))
    }

    /// Adds a subscriber to a list.
    pub(crate) fn add(&self, list: u64, new: NewSubscriber) -> u64 {
        self.sandbox.with(|world| world.add_subscriber(list, new))
    }

    /// The ids of a list that the ledger has as awaiting confirmation, in order.
    pub(crate) fn pending(&self, list: u64) -> Vec<u64> {
        let ledger = self.ledger();
        let mut ids = ledger
            .prepare("SELECT subscriber FROM pending WHERE list = ?1 ORDER BY subscriber")
            .unwrap();
        let ids = ids.query_map([list as i64], |row| row.get::<_, i64>(0));
        ids.unwrap().map(|id| id.unwrap() as u64).collect()
    }

    /// The addresses in the newest published file, sorted.
    pub(crate) fn newest_emails(&self) -> Vec<String> {
        let newest = self.files().pop().expect("a published file");
        let rows = super::read_csv(&newest);
        sorted(rows.into_iter().map(|row| row["email"].clone()))
    }

    /// Runs with exit code 0 and exports exactly these addresses; without any, no file.
    pub(crate) fn run_exports(&self, arguments: &[&str], emails: &[&str]) {
        let before = self.files();
        let done = self.run_ok(arguments);
        let new: Vec<_> = self
            .files()
            .into_iter()
            .filter(|file| !before.contains(file))
            .collect();
        let rows = new.iter().flat_map(|file| super::read_csv(file));
        let got = sorted(rows.map(|row| row["email"].clone()));
        let wanted = sorted(emails.iter().map(|&email| email.to_owned()));
        assert_eq!(got, wanted, "{done}");
        assert_eq!(new.len(), usize::from(!emails.is_empty()));
    }

    /// The requests since the last [`Site::forget_requests`], in words: `token`, `lists`, `LIST recent`, `LIST
    /// count`, `LIST one`, `LIST` with a status; `+` marks pages after the first.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.sandbox
            .with(|world| world.requests.iter().map(in_words).collect())
    }

    /// Asserts that the default output has no duplicate and contains all `wanted` addresses.
    pub(crate) fn assert_once_and_all(&self, wanted: &[String]) {
        let rows = self.rows();
        let key = |row: &Row| ["list_id", "id", "subscribed_at"].map(|name| row[name].clone());
        let different: BTreeSet<_> = rows.iter().map(key).collect();
        assert_eq!(
            rows.len(),
            different.len(),
            "a subscription was exported twice"
        );
        let got: BTreeSet<_> = rows.iter().map(|row| &row["email"]).collect();
        let missing: Vec<_> = wanted.iter().filter(|email| !got.contains(email)).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
    }
}

fn in_words(request: &Recorded) -> String {
    let parts: Vec<&str> = request.path.split('/').collect();
    let page = match request.param("ws.start") {
        None | Some("0") => "",
        Some(_) => "+",
    };
    match parts[..] {
        ["", "oauth2", "token"] => "token".to_owned(),
        [_, _, _, _, "lists"] => format!("lists{page}"),
        [_, _, _, _, "lists", list, "subscribers"] => {
            let what = match (request.param("ws.show"), request.param("status")) {
                (Some(_), _) => "count",
                (_, Some(status)) => status,
                _ => "recent",
            };
            format!("{list} {what}{page}")
        }
        [_, _, _, _, "lists", list, "subscribers", _] => format!("{list} one"),
        _ => request.path.clone(),
    }
}

/// The record in default columns of a subscriber that the sandbox made without extras.
pub(crate) fn plain_row(list: u64, list_name: &str, subscriber: &Subscriber) -> Row {
    let empty = [
        "verified_at",
        "subscription_url",
        "ad_tracking",
        "country",
        "region",
        "city",
        "postal_code",
        "area_code",
        "dma_code",
        "latitude",
        "longitude",
        "tags",
        "custom_fields",
        "misc_notes",
        "last_followup_sent_at",
        "unsubscribed_at",
        "unsubscribe_method",
    ];
    let mut row: Row = empty.map(|name| (name.to_owned(), String::new())).into();
    let own = [
        ("list_id", list.to_string()),
        ("list_name", list_name.to_owned()),
        ("id", subscriber.id.to_string()),
        ("email", subscriber.email.clone()),
        ("name", subscriber.name.clone().unwrap_or_default()),
        ("status", subscriber.status.as_str().to_owned()),
        (
            "subscribed_at",
            subscriber
                .subscribed_at
                .format("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
        ),
        ("is_verified", "false".to_owned()),
        ("subscription_method", "webform".to_owned()),
        ("ip_address", format!("192.0.2.{}", subscriber.id % 254 + 1)),
        ("last_followup_message_number_sent", "0".to_owned()),
    ];
    row.extend(own.map(|(name, value)| (name.to_owned(), value)));
    row
}
