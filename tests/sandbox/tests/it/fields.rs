//! The fields of accounts, lists and subscribers, and their deviations.

use std::collections::HashSet;
use std::time::Duration;

use aweber_sandbox::{Missing, NewSubscriber, Sandbox, Settings};
use serde_json::{Value, json};

use crate::http::Reader;

fn keys(value: &Value) -> HashSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn each_view_of_a_subscriber_has_the_documented_fields() {
    let sandbox = Sandbox::start();
    let (list, id) = sandbox.with(|world| {
        world.set_now("2025-11-21T15:56:38Z".parse().unwrap());
        let list = world.add_list("News");
        let at = "2025-11-21T15:31:53.202963Z".parse().unwrap();
        let id = world.add_subscriber(list, NewSubscriber::new("ann@x.example").subscribed_at(at));
        world.confirm(list, id);
        (list, id)
    });
    let reader = Reader::new(&sandbox);
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    let plain = reader.get(&path).json()["entries"][0].clone();
    let single = reader.get(&format!("{path}/{id}")).json();
    let found = reader.get(&format!("{path}?ws.op=find")).json()["entries"][0].clone();
    let everywhere =
        reader.get("/accounts/1234567?ws.op=findSubscribers").json()["entries"][0].clone();
    let documented = "id email name ip_address misc_notes status subscribed_at verified_at unsubscribed_at is_verified \
        subscription_method subscription_url unsubscribe_method ad_tracking tags custom_fields country region city \
        postal_code area_code dma_code latitude longitude last_followup_message_number_sent last_followup_sent_at \
        last_followup_sent_link self_link resource_type_link";
    let documented: HashSet<&str> = documented.split_whitespace().collect();
    assert_eq!(keys(&plain), documented);
    assert_eq!(keys(&single), &documented | &HashSet::from(["uuid"]));
    assert_eq!(
        keys(&found),
        &documented | &HashSet::from(["list_link", "list_name"])
    );
    assert_eq!(found, everywhere);
    let link = format!("{}/1.0/accounts/1234567/lists/{list}", sandbox.api_url());
    assert_eq!(
        (&found["list_link"], &found["list_name"]),
        (&json!(link), &json!("News"))
    );
    assert_eq!(
        plain["self_link"],
        json!(format!("{link}/subscribers/{id}"))
    );
    assert_eq!(plain["subscribed_at"], "2025-11-21T10:31:53.202963-05:00");
    assert_eq!(
        (&plain["verified_at"], &plain["is_verified"]),
        (&json!("2025-11-21T10:56:38"), &json!(true))
    );

    sandbox.with(|world| world.settings.personal_fields = false);
    let bare = reader.get(&path).json()["entries"][0].clone();
    assert_eq!(
        keys(&bare),
        &documented - &HashSet::from(["email", "name", "ip_address", "misc_notes"])
    );
}

#[test]
fn confirming_changes_subscribed_at_only_if_configured() {
    for moves in [false, true] {
        let sandbox = Sandbox::start_with(Settings {
            confirm_moves_subscribed_at: moves,
            ..Settings::default()
        });
        let unchanged = sandbox.with(|world| {
            let list = world.add_list("News");
            let before = world.ago(Duration::from_secs(86_400));
            let id = world.add_subscriber(
                list,
                NewSubscriber::new("ann@x.example").subscribed_at(before),
            );
            world.confirm(list, id);
            world.subscriber(list, id).unwrap().subscribed_at == before
        });
        assert_eq!(unchanged, !moves);
    }
}

#[test]
fn fields_can_be_replaced_removed_and_added_digit_for_digit() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        let new = NewSubscriber::new("ann@x.example")
            .with_raw("latitude", "40.10")
            .with_raw("dma_code", "12345678901234567890123");
        world.add_subscriber(
            list,
            new.without("tags")
                .with("extra", json!({"b": 1, "a": 2}))
                .with("name", 7),
        );
        world
            .list_mut(list)
            .unwrap()
            .set_field("total_subscribers", &json!(205));
        world.list_mut(list).unwrap().remove_field("uuid");
        list
    });
    let reader = Reader::new(&sandbox);
    let text = reader
        .get(&format!("/accounts/1234567/lists/{list}/subscribers"))
        .text();
    for part in [
        "\"latitude\":40.10,",
        "\"dma_code\":12345678901234567890123,",
        "\"extra\":{\"b\":1,\"a\":2}}",
        "\"name\":7,",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("\"tags\""));
    let own = reader
        .get(&format!("/accounts/1234567/lists/{list}"))
        .json();
    assert_eq!(
        (&own["total_subscribers"], own.get("uuid")),
        (&json!(205), None)
    );
}

#[test]
fn accounts_lists_tags_and_custom_fields_match_the_documentation() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        world.add_custom_field(list, "Size");
        world.add_subscriber(
            list,
            NewSubscriber::new("a@x.example")
                .tags(["red", "blue"])
                .custom("Color", "x"),
        );
        world.add_subscriber(
            list,
            NewSubscriber::new("b@x.example")
                .tags(["red", "azure"])
                .custom("Color", "y"),
        );
        list
    });
    let reader = Reader::new(&sandbox);
    let account = reader.get("/accounts/1234567").json();
    assert_eq!(account["company"], "Example Trading Ltd");
    assert_eq!(reader.get("/accounts").json()["entries"], json!([account]));
    let own = reader
        .get(&format!("/accounts/1234567/lists/{list}"))
        .json();
    let counts = [
        "total_subscribers",
        "total_subscribed_subscribers",
        "total_unconfirmed_subscribers",
        "total_subscribers_subscribed_today",
    ];
    assert_eq!(counts.map(|key| own[key].as_u64().unwrap()), [2, 2, 0, 2]);
    assert_eq!(
        reader.get("/accounts/1234567/lists").json()["entries"],
        json!([own])
    );
    assert_eq!(
        reader
            .get(&format!("/accounts/1234567/lists/{list}/tags"))
            .json(),
        json!(["red", "azure", "blue"])
    );
    let fields = reader
        .get(&format!("/accounts/1234567/lists/{list}/custom_fields"))
        .json();
    let names: Vec<&Value> = fields["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["name"])
        .collect();
    assert_eq!(names, ["Size", "Color"]);
}

#[test]
fn edge_cases_are_valid_json_in_their_original_form() {
    let sandbox = Sandbox::start();
    let (list, ids) = sandbox.with(|world| {
        let list = world.add_list("Nasty");
        (list, world.add_nasty_subscribers(list))
    });
    let reader = Reader::new(&sandbox);
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    let reply = reader.get(&path);
    let text = reply.text();
    for part in [
        "\"latitude\":40.10,\"longitude\":-75.00",
        "\"dma_code\":123456789012345678901234567890",
        "\"verified_at\":\"\"",
        "\"subscribed_at\":\"2008-01-23 09:20:52.812966\"",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let entries = reply.json();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len(), ids.len());
    assert!(ids.len() > 60);
    let find = |about: &str| {
        entries
            .iter()
            .find(|entry| entry["email"] == format!("{about}@nasty.example"))
            .unwrap()
    };
    assert_eq!(find("crlf-in-name")["name"], "Ann\r\nLee");
    assert_eq!(
        find("custom-values-null")["custom_fields"],
        json!({"Color": null, "Size": ""})
    );
    assert_eq!(keys(find("every-field-absent")).len(), 9);
    assert_eq!(find("unknown-status")["status"], "deleted");
    let custom: Vec<&String> = find("custom-order")["custom_fields"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(custom, ["Zebra", "Apple", "Mango", "10", "9"]);
    let times: Vec<_> = sandbox.with(|world| {
        world
            .subscribers(list)
            .map(|own| own.subscribed_at)
            .collect()
    });
    assert!(times.is_sorted(), "oldest first");
}

#[test]
fn missing_values_and_times_without_offset_have_all_forms() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        let at = "2025-11-21T15:56:38Z".parse().unwrap();
        world.add_subscriber(list, NewSubscriber::new("ann@x.example").verified_at(at));
        list
    });
    let reader = Reader::new(&sandbox);
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    let city = || reader.get(&path).json()["entries"][0].get("city").cloned();
    assert_eq!(city(), Some(Value::Null));
    sandbox.with(|world| world.settings.missing_values = Missing::Empty);
    assert_eq!(city(), Some(json!("")));
    sandbox.with(|world| world.settings.missing_values = Missing::Absent);
    assert_eq!(city(), None);
    let verified_at = || reader.get(&path).json()["entries"][0]["verified_at"].clone();
    assert_eq!(verified_at(), "2025-11-21T10:56:38");
    sandbox.with(|world| world.settings.verified_at_in_utc = true);
    assert_eq!(verified_at(), "2025-11-21T15:56:38");
}
