//! The report: shapes, counts and versions only, whatever AWeber sends.

use super::{check, telling_site};
use crate::support::{Site, is_whole, mode};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Every documented field, and some that are not.
const FIELDS: [&str; 29] = [
    "email",
    "name",
    "ip_address",
    "misc_notes",
    "status",
    "subscribed_at",
    "verified_at",
    "unsubscribed_at",
    "is_verified",
    "subscription_method",
    "subscription_url",
    "unsubscribe_method",
    "ad_tracking",
    "tags",
    "custom_fields",
    "country",
    "region",
    "city",
    "postal_code",
    "area_code",
    "dma_code",
    "latitude",
    "longitude",
    "last_followup_message_number_sent",
    "last_followup_sent_at",
    "self_link",
    "list_name",
    "favourite",
    "Marked-Person@example.com",
];

/// Personal data in any shape: each holds a mark that [`marks_in`] finds.
fn personal() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("Marked-Person")),
        Just(json!("marked-person@example.com")),
        Just(json!(918_273_645)),
        Just(json!(91827.3645)),
        Just(json!("1987-06-05T04:03:02-05:00")),
        Just(json!("1987-06-05")),
        Just(json!(["Marked-Person", 918_273_645])),
        Just(json!({ "Marked-Person": "marked-person@example.com" })),
    ]
}

fn marks_in(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let marks = [
        "marked",
        "person@",
        "918273645",
        "91827.3645",
        "1987",
        "06-05",
        "@example",
    ];
    marks
        .into_iter()
        .filter(|mark| text.contains(mark))
        .collect()
}

fn write_report(site: &Site) -> (String, PathBuf) {
    let file = site.path("report.json");
    check(site, &["--report", file.to_str().unwrap()]).prints("report.json");
    (std::fs::read_to_string(&file).unwrap(), file)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if is_whole() { 40 } else { 10 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_personal_gets_into_a_report(
        values in proptest::collection::vec(personal(), FIELDS.len()),
        broken in proptest::option::of(0..5usize),
    ) {
        let (site, list) = telling_site(Settings::default());
        let id = site.sandbox.with(|world| {
            world.rename_list(list, "Marked-Person");
            world.list_mut(list).unwrap().set_field("unique_list_id", &json!("marked-person"));
            let new = FIELDS.iter().zip(&values).fold(
                NewSubscriber::new("marked-person@example.com").id(918_273_645),
                |new, (key, value)| new.with(key, value.clone()),
            );
            // Also an answer that cannot be used, with a message.
            let paths = ["/1.0/accounts", "/lists?", "/subscribers?ws.start", "ws.op=find", "/subscribers/1"];
            if let Some(broken) = broken {
                let answer = FaultKind::envelope_a(418, "Marked-Person", "marked-person@example.com 1987");
                world.fault(Fault::on(paths[broken]).always().answer(answer));
            }
            world.add_subscriber(list, new)
        });
        let (report, _) = write_report(&site);
        prop_assert_eq!(marks_in(&report), Vec::<&str>::new(), "{}", report);
        let account = site.sandbox.with(|world| world.account.id);
        for number in [id, list, account] {
            prop_assert!(!report.contains(&number.to_string()), "{} {}", number, report);
        }
        // Neither a path, nor a date, nor a link.
        for text in [site.path("").to_str().unwrap(), "2026-", "2027-", "http:", "public-client"] {
            prop_assert!(!report.contains(text), "{} {}", text, report);
        }
        let json: Value = serde_json::from_str(&report).unwrap();
        prop_assert!(json["program"].as_str().unwrap().starts_with("aweber-sync "));
    }
}

#[test]
fn a_report_has_every_assumption_and_is_private() {
    let (site, _) = telling_site(Settings {
        count_error: 5,
        ..Settings::default()
    });
    let (report, file) = write_report(&site);
    assert_eq!(mode(&file), 0o600);
    let json: Value = serde_json::from_str(&report).unwrap();
    let all = json["assumptions"].as_array().unwrap();
    assert_eq!(all.len(), 22, "{report}");
    let of = |id: &str| all.iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(of("count_truth")["effect"], "more_requests");
    assert_eq!(
        of("count_truth")["seen"],
        "fewer rows than the count of 137"
    );
    assert_eq!((&json["version"], &json["lists"]), (&json!(1), &json!(1)));
    assert_eq!(json["connection"]["protocol"], "HTTP/1.1");
    assert!(json["requests"].as_u64().unwrap() > 10);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let (site, _) = telling_site(Settings::default());
    let done = check(&site, &["--report", "/nowhere/report.json"]);
    done.exits(73)
        .says("cannot write the report /nowhere/report.json")
        .says("next: give --report");
}
