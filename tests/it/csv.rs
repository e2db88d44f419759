//! The CSV, byte for byte. `fixtures/csv/nasty.csv` is edited by hand, on purpose; its world is built here.

use crate::support::job::HEADER;
use crate::support::{Site, read_csv};
use aweber_sandbox::{ClientKind, Clock, NewSubscriber, Settings, World};
use serde_json::json;
use std::path::Path;

/// A subscriber with a value in every field, one who unsubscribed, and the nasty ones, on a list whose name needs
/// quotes, with constant ids and times.
fn nasty_world(world: &mut World) {
    let list = world.add_list("News, \"daily\"");
    let at = |text: &str| text.parse().unwrap();
    world.add_subscriber(
        list,
        NewSubscriber::new("all-fields@example.com")
            .name("Ann Lee")
            .subscribed_at(at("2007-07-01T12:00:00Z"))
            .verified_at(at("2007-07-01T12:05:09Z"))
            .last_followup_sent_at(at("2007-12-01T12:00:00Z"))
            .method("api")
            .tags(["vip", "two words"])
            .custom("Color", "blue")
            .custom("Größe", json!(null))
            .with("subscription_url", "https://example.com/join")
            .with("ad_tracking", "autumn")
            .with("ip_address", "192.0.2.1")
            .with("country", "United States")
            .with("region", "MA")
            .with("city", "Boston")
            .with("postal_code", "02108")
            .with("area_code", 617)
            .with("dma_code", 506)
            .with_raw("latitude", "42.3570")
            .with_raw("longitude", "-71.0650")
            .with("misc_notes", "met at the fair")
            .with("last_followup_message_number_sent", 1001),
    );
    world.add_subscriber(
        list,
        NewSubscriber::new("left@example.com")
            .subscribed_at(at("2007-07-02T12:00:00Z"))
            .unsubscribed_at(at("2008-01-01T04:59:59.25Z"), "customer cp")
            .with("unsubscribed_at", "2007-12-31T23:59:59.250-05:00")
            .with("last_followup_sent_at", "2007-12-31 23:00:00.000001-05:00"),
    );
    let nasty = world.add_nasty_subscribers(list);
    // Too long for a fixture; it has a test of its own.
    let is_long = |world: &World, id: u64| {
        world.subscriber(list, id).unwrap().email == "long-name@nasty.example"
    };
    let long = nasty.into_iter().find(|id| is_long(world, *id)).unwrap();
    world.delete(list, long);
}

fn site_at_fixed_time() -> Site {
    let settings = Settings {
        clock: Clock::Fixed("2025-11-22T03:00:00Z".parse().unwrap()),
        ..Settings::default()
    };
    Site::with(ClientKind::Public, settings)
}

const ALL: [&str; 2] = ["--status", "subscribed,unsubscribed,unconfirmed"];

#[test]
fn awkward_values_match_the_fixture_byte_for_byte() {
    let site = site_at_fixed_time();
    site.sandbox.with(nasty_world);
    site.run_ok(&ALL);
    let exported = std::fs::read_to_string(&site.files()[0]).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/csv/nasty.csv");
    let expected = std::fs::read_to_string(fixture).unwrap();
    for (n, (exported, expected)) in exported.split('\n').zip(expected.split('\n')).enumerate() {
        assert_eq!(exported, expected, "line {}", n + 1);
    }
    assert_eq!(exported, expected);
}

#[test]
fn a_growing_file_and_standard_output_match_a_directory_byte_for_byte() {
    let site = site_at_fixed_time();
    site.sandbox.with(nasty_world);
    site.run_ok(&ALL);
    let expected = std::fs::read_to_string(&site.files()[0]).unwrap();
    for output in ["grown.csv", "-"] {
        let site = site_at_fixed_time();
        site.sandbox.with(nasty_world);
        let done = site.run_ok(&[ALL[0], ALL[1], "--output", output]);
        let exported = match output {
            "-" => done.stdout,
            file => std::fs::read_to_string(site.path(file)).unwrap(),
        };
        assert!(exported == expected, "{output}");
    }
}

#[test]
fn the_header_never_changes() {
    for columns in 0..2 {
        let site = site_at_fixed_time();
        site.sandbox.with(|world| {
            let list = world.add_list("Readers");
            let mut new = NewSubscriber::new("a@example.com");
            if columns > 0 {
                new = new.custom("Another", "x").with("new_field", "y");
            }
            world.add_subscriber(list, new);
        });
        site.run_ok(&[]);
        let text = std::fs::read_to_string(&site.files()[0]).unwrap();
        assert!(text.starts_with(HEADER), "{text}");
    }
}

#[test]
fn a_very_long_cell_is_exported_whole() {
    let site = site_at_fixed_time();
    let name = "long, \"text\"\n".repeat(100_000);
    site.sandbox.with(|world| {
        let list = world.add_list("Readers");
        world.add_subscriber(list, NewSubscriber::new("a@example.com").name(&name));
    });
    site.run_ok(&[]);
    let rows = read_csv(&site.files()[0]);
    assert!(rows[0]["name"] == name);
}

#[test]
fn a_subscriber_with_an_unknown_status_is_never_exported() {
    let site = site_at_fixed_time();
    site.sandbox.with(nasty_world);
    site.run_ok(&ALL);
    let rows = read_csv(&site.files()[0]);
    assert!(
        rows.iter()
            .all(|row| row["email"] != "unknown-status@nasty.example")
    );
    assert!(rows.len() > 60, "{}", rows.len());
}
