//! The filters of finds.

use aweber_sandbox::{NewSubscriber, Sandbox, Status};
use serde_json::Value;

use crate::http::{Reader, query};

/// Two subscribers that differ in every field.
fn two_subscribers() -> (Sandbox, u64) {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        let at = |text: &str| text.parse().unwrap();
        world.add_subscriber(
            list,
            NewSubscriber::new("ann@x.example")
                .id(1)
                .name("Ann Lee")
                .method("api")
                .unsubscribed_at(at("2026-02-05T12:00:00Z"), "api: move")
                .subscribed_at(at("2026-01-05T12:00:00Z"))
                .verified_at(at("2026-01-06T12:00:00Z"))
                .last_followup_sent_at(at("2026-01-07T12:00:00Z"))
                .tags(["red", "Blue", "a,b"])
                .custom("Color", "blue")
                .custom("COLOR", Value::Null)
                .with("ad_tracking", "campaign")
                .with("area_code", "207")
                .with("dma_code", 511)
                .with("city", "Boston")
                .with("country", "United States")
                .with("region", "MA")
                .with("postal_code", "00501")
                .with("misc_notes", "note")
                .with("last_followup_message_number_sent", 1001)
                .with_raw("latitude", "40.10")
                .with_raw("longitude", "-75.00"),
        );
        let bob = NewSubscriber::new("bob@x.example")
            .id(2)
            .name("ann lee")
            .tags(["red"])
            .custom("Color", "Blue");
        world.add_subscriber(
            list,
            bob.status(Status::Unconfirmed)
                .subscribed_at(at("2026-01-10T00:00:00Z"))
                .with("city", "boston"),
        );
        list
    });
    (sandbox, list)
}

const ANN: &[u64] = &[1];
const BOB: &[u64] = &[2];
const BOTH: &[u64] = &[1, 2];
const NONE: &[u64] = &[];

/// Filter, value, and the subscribers that it finds.
const FILTERS: [(&str, &str, &[u64]); 59] = [
    ("ad_tracking", "campaign", ANN),
    ("area_code", "207", ANN),
    ("area_code", "20", NONE),
    ("dma_code", "511", ANN),
    ("city", "Boston", ANN),
    ("city", "Bosto", NONE),
    ("country", "United States", ANN),
    ("region", "MA", ANN),
    ("postal_code", "00501", ANN),
    ("postal_code", "501", NONE),
    ("misc_notes", "note", ANN),
    ("email", "ann@x.example", ANN),
    ("email", "Ann@x.example", NONE),
    ("email", "ann", NONE),
    ("name", "Ann Lee", ANN),
    ("name", "ann lee", BOB),
    ("name", "Ann", NONE),
    ("last_followup_message_number_sent", "1001", ANN),
    ("last_followup_message_number_sent", "0", BOB),
    ("last_followup_message_sent_at", "2026-01-07", ANN),
    ("last_followup_message_sent_at", "2026-01-06", NONE),
    ("latitude", "40.1", ANN),
    ("longitude", "-75", ANN),
    ("status", "unsubscribed", ANN),
    ("status", "unconfirmed", BOB),
    ("status", "subscribed", NONE),
    ("subscription_method", "api", ANN),
    ("subscription_method", "webform", BOB),
    ("unsubscribe_method", "api: move", ANN),
    ("verified_at", "2026-01-06", ANN),
    ("verified_at", "01-06-2026", ANN),
    ("verified_at", "2026-01-05", NONE),
    ("subscribed_at", "2026-01-05", ANN),
    ("subscribed_at", "01-10-2026", BOB),
    ("subscribed_after", "2026-01-05", BOTH),
    ("subscribed_after", "2026-01-06", BOB),
    ("subscribed_after", "01-11-2026", NONE),
    ("subscribed_before", "2026-01-10", BOTH),
    ("subscribed_before", "2026-01-09", ANN),
    ("subscribed_before", "2026-01-04", NONE),
    ("unsubscribed_at", "2026-02-05", ANN),
    ("unsubscribed_after", "2026-02-05", ANN),
    ("unsubscribed_after", "2026-02-06", NONE),
    ("unsubscribed_before", "2026-02-05", ANN),
    ("unsubscribed_before", "2026-02-04", NONE),
    ("tags", "[\"red\"]", BOTH),
    ("tags", "[\"red\",\"Blue\"]", ANN),
    ("tags", "[\"blue\"]", NONE),
    ("tags", "[\"a,b\"]", ANN),
    ("tags_not_in", "[\"Blue\"]", BOB),
    ("tags_not_in", "[\"red\"]", NONE),
    ("custom_fields", "{\"Color\":\"blue\"}", ANN),
    ("custom_fields", "{\"Color\":\"Blue\"}", BOB),
    ("custom_fields", "{\"COLOR\":\"blue\"}", NONE),
    ("favourite", "x", BOTH),
    ("email", "", BOTH),
    ("status", "", BOTH),
    ("subscribed_after", "", BOTH),
    ("tags", "", BOTH),
];

#[test]
fn filters_compare_whole_values_case_sensitively() {
    let (sandbox, list) = two_subscribers();
    let reader = Reader::new(&sandbox);
    for (key, value, expected) in FILTERS {
        let filter = query(&[("ws.op", "find"), (key, value)]);
        let found = reader.get(&format!(
            "/accounts/1234567/lists/{list}/subscribers?{filter}"
        ));
        assert_eq!(found.ids(), expected, "{filter}");
        let filter = query(&[("ws.op", "findSubscribers"), (key, value)]);
        assert_eq!(
            reader.get(&format!("/accounts/1234567?{filter}")).ids(),
            expected,
            "{filter}"
        );
        sandbox.with(|world| world.settings.rate_limit = None);
    }
}

#[test]
fn filters_are_combined() {
    let (sandbox, list) = two_subscribers();
    let reader = Reader::new(&sandbox);
    let find = |filter: &str| {
        reader
            .get(&format!(
                "/accounts/1234567/lists/{list}/subscribers?ws.op=find&{filter}"
            ))
            .ids()
    };
    assert_eq!(
        find("tags=%5B%22red%22%5D&subscribed_after=2026-01-06"),
        [2]
    );
    assert_eq!(find("status=unconfirmed&name=Ann+Lee"), [] as [u64; 0]);
    let plain = reader.get(&format!(
        "/accounts/1234567/lists/{list}/subscribers?status=unconfirmed"
    ));
    assert_eq!(plain.ids(), [1, 2], "no filter without ws.op");
}

#[test]
fn invalid_values_are_rejected() {
    let (sandbox, list) = two_subscribers();
    sandbox.with(|world| world.settings.rate_limit = None);
    let reader = Reader::new(&sandbox);
    let long = "x".repeat(101);
    let table = [
        ("tags", "red"),
        ("tags", "\"red\""),
        ("tags", "[1]"),
        ("tags_not_in", "red,blue"),
        ("custom_fields", "[\"Color\"]"),
        ("custom_fields", "Color=blue"),
        ("status", "Subscribed"),
        ("status", "deleted"),
        ("subscribed_after", "yesterday"),
        ("subscribed_after", "2026-1-5"),
        ("subscribed_after", "2026-01-05T00:00:00Z"),
        ("subscribed_after", "2026-02-30"),
        ("subscribed_at", "20260105"),
        ("area_code", "1000"),
        ("area_code", "-1"),
        ("dma_code", "882"),
        ("last_followup_message_number_sent", "1002"),
        ("latitude", "north"),
        ("subscription_method", "signup form"),
        ("unsubscribe_method", "link"),
        ("city", &long),
        ("email", &long),
        ("misc_notes", &long),
        ("name", &long),
        ("ad_tracking", &long),
    ];
    for (key, value) in table {
        let filter = query(&[("ws.op", "find"), (key, value)]);
        let reply = reader.get(&format!(
            "/accounts/1234567/lists/{list}/subscribers?{filter}"
        ));
        assert_eq!(reply.failure(), "400 BadRequestError", "{filter}");
    }
}

#[test]
fn days_are_in_the_configured_zone() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        // 23:30 on the 4th in UTC-5, 04:30 on the 5th in UTC, 18:30 on the 5th in UTC+14.
        let at = "2026-01-05T04:30:00Z".parse().unwrap();
        world.add_subscriber(
            list,
            NewSubscriber::new("ann@x.example").id(1).subscribed_at(at),
        );
        list
    });
    let reader = Reader::new(&sandbox);
    let table = [
        (0, "subscribed_at=2026-01-05", true, 1),
        (0, "subscribed_at=2026-01-04", true, 0),
        (-5, "subscribed_at=2026-01-05", true, 0),
        (-5, "subscribed_at=2026-01-04", true, 1),
        (-5, "subscribed_after=2026-01-05", true, 0),
        (-5, "subscribed_before=2026-01-04", true, 1),
        (-12, "subscribed_at=2026-01-04", true, 1),
        (14, "subscribed_at=2026-01-05", true, 1),
        (14, "subscribed_after=2026-01-05", false, 0),
        (14, "subscribed_after=2026-01-04", false, 1),
        (0, "subscribed_before=2026-01-05", false, 0),
        (0, "subscribed_before=2026-01-06", false, 1),
        (0, "subscribed_at=2026-01-05", false, 1),
    ];
    for (zone, filter, includes, expected) in table {
        sandbox.with(|world| {
            world.settings.day_zone_hours = zone;
            world.settings.after_includes_day = includes;
        });
        let found = reader.get(&format!(
            "/accounts/1234567/lists/{list}/subscribers?ws.op=find&{filter}"
        ));
        assert_eq!(
            found.ids().len(),
            expected,
            "{filter} at {zone}, including: {includes}"
        );
    }
}

#[test]
fn a_repeated_find_reflects_changes() {
    let (sandbox, list) = two_subscribers();
    let reader = Reader::new(&sandbox);
    let find = || {
        reader
            .get(&format!(
                "/accounts/1234567/lists/{list}/subscribers?ws.op=find&status=subscribed"
            ))
            .ids()
    };
    assert_eq!(find(), [] as [u64; 0]);
    sandbox.with(|world| world.confirm(list, 2));
    assert_eq!(find(), [2]);
    sandbox.with(|world| world.unsubscribe(list, 2));
    assert_eq!(find(), [] as [u64; 0]);
    sandbox.with(|world| world.subscriber_mut(list, 1).unwrap().status = Status::Subscribed);
    assert_eq!(find(), [1]);
    sandbox.with(|world| world.delete(list, 1));
    assert_eq!(find(), [] as [u64; 0]);
}

#[test]
fn undocumented_parameters_are_ignored_or_rejected() {
    let (sandbox, list) = two_subscribers();
    let reader = Reader::new(&sandbox);
    let own = format!("/accounts/1234567/lists/{list}");
    let table = [
        ("/accounts?ws.size=1".to_owned(), true),
        ("/accounts?ws.op=".to_owned(), false),
        ("/accounts/1234567?ws.start=0".to_owned(), false),
        (
            "/accounts/1234567?ws.op=findSubscribers&ws.show=total_size&status=subscribed"
                .to_owned(),
            true,
        ),
        (
            "/accounts/1234567?ws.op=findSubscribers&sort_order=desc".to_owned(),
            false,
        ),
        (
            "/accounts/1234567/lists?ws.start=0&ws.size=9".to_owned(),
            true,
        ),
        ("/accounts/1234567/lists?name=News".to_owned(), false),
        (
            "/accounts/1234567/lists?ws.op=find&name=News&ws.show=total_size".to_owned(),
            true,
        ),
        (
            format!("{own}/subscribers?sort_order=desc&ws.start=1&ws.size=2"),
            true,
        ),
        (format!("{own}/subscribers?ws.show=total_size"), false),
        (format!("{own}/subscribers?sort_key=subscribed_at"), false),
        (
            format!(
                "{own}/subscribers?ws.op=find&sort_key=subscribed_at&sort_order=asc&ws.show=total_size&verified_at=2026-01-01"
            ),
            true,
        ),
        (
            format!("{own}/subscribers?ws.op=find&verified_after=2026-01-01"),
            false,
        ),
        (format!("{own}/tags?ws.size=1"), false),
        (format!("{own}/custom_fields?ws.size=1"), true),
    ];
    for (path, is_documented) in table {
        sandbox.with(|world| world.settings.refuse_unknown_parameters = false);
        assert_eq!(reader.get(&path).status, 200, "{path}");
        sandbox.with(|world| world.settings.refuse_unknown_parameters = true);
        assert_eq!(
            reader.get(&path).status,
            if is_documented { 200 } else { 400 },
            "{path}"
        );
    }
}
