//! Bodies of answers with a 200 that are no page, or an odd one.

use super::{Case, try_all, try_one};
use crate::support::calendar::{add_readers, at};
use crate::support::{Site, subscribed};
use aweber_sandbox::{Fault, FaultKind};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// A change of every entry.
fn entries(change: fn(&mut Value)) -> FaultKind {
    FaultKind::replace(move |mut page| {
        page["entries"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(change);
        page
    })
}

fn bytes(bytes: &'static [u8]) -> FaultKind {
    FaultKind::replace_bytes(|_| bytes.to_vec())
}

/// Bodies that come with a 200.
fn broken() -> Vec<Case> {
    use FaultKind as F;
    let heals = [0, 69, 0, 69];
    vec![
        ("HTML 200", F::html(200), heals),
        ("empty body", F::status(200), heals),
        (
            "an error in a 200",
            bytes(br#"{"error":"temporarily_unavailable"}"#),
            heals,
        ),
        ("null", bytes(b"null"), heals),
        ("an array", bytes(b"[]"), heals),
        ("entries null", bytes(br#"{"entries":null}"#), heals),
        ("entries of null", bytes(br#"{"entries":[null]}"#), heals),
        (
            "two bodies",
            bytes(br#"{"entries":[]}{"entries":[]}"#),
            heals,
        ),
        ("204", F::status(204), heals),
        (
            "half a JSON text",
            F::replace_bytes(|b| b[..b.len() / 2].to_vec()),
            heals,
        ),
        (
            "no ids",
            entries(|entry| drop(entry.as_object_mut().unwrap().remove("id"))),
            heals,
        ),
        (
            "ids that are null",
            entries(|entry| entry["id"] = Value::Null),
            heals,
        ),
        (
            "invalid UTF-8",
            F::replace_bytes(|b| {
                b.into_iter()
                    .map(|c| if c == b'@' || c == b'N' { 0xff } else { c })
                    .collect()
            }),
            heals,
        ),
        (
            "a link to another host",
            F::replace(|mut page| {
                page["next_collection_link"] =
                    json!("https://elsewhere.example/1.0/accounts/1/lists");
                page
            }),
            heals,
        ),
    ]
}

/// Odd bodies that say all the same who is there.
fn odd() -> Vec<Case> {
    use FaultKind as F;
    let harmless = [0; 4];
    vec![
        ("wrong content type", F::WrongContentType, harmless),
        (
            "a byte order of blanks",
            F::replace_bytes(|b| [b" \r\n\t".to_vec(), b].concat()),
            harmless,
        ),
        (
            "numbers as strings",
            entries(|entry| entry["id"] = json!(entry["id"].to_string())),
            harmless,
        ),
        (
            "unknown keys",
            entries(|entry| entry["new"] = json!({"a": [1]})),
            harmless,
        ),
        (
            "everybody twice",
            F::replace(|mut page| {
                let twice = page["entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|e| [e.clone(), e.clone()]);
                page["entries"] = twice.collect();
                page
            }),
            harmless,
        ),
    ]
}

#[test]
fn every_broken_body_of_the_lists_has_its_exit_code_and_advice() {
    try_all(broken(), true);
}

#[test]
fn every_broken_body_of_the_subscribers_has_its_exit_code_and_advice() {
    try_all(broken(), false);
}

#[test]
fn odd_bodies_that_say_who_is_there_do_no_harm() {
    try_all(odd(), true);
    try_all(odd(), false);
}

#[test]
fn a_body_that_never_ends_is_given_up_and_asked_for_again() {
    for on_lists in [true, false] {
        try_one(
            "endless",
            FaultKind::EndlessBody,
            on_lists,
            false,
            0,
            "100ms",
        );
    }
}

#[test]
fn bodies_that_never_end_end_the_run_with_69() {
    for on_lists in [true, false] {
        try_one(
            "endless",
            FaultKind::EndlessBody,
            on_lists,
            true,
            69,
            "50ms",
        );
    }
}

#[test]
fn a_body_larger_than_16_mib_is_refused() {
    let huge = FaultKind::HugeBody(16 * 1024 * 1024 + 1);
    for on_lists in [true, false] {
        try_one("huge", huge.clone(), on_lists, false, 0, "5s");
    }
    try_one("huge", huge, false, true, 69, "5s");
}

#[test]
fn a_body_that_unpacks_to_more_than_16_mib_is_refused() {
    let bomb = FaultKind::GzipBomb(17 * 1024 * 1024);
    try_one("bomb", bomb, true, false, 0, "5s");
}

#[test]
fn a_page_of_more_than_a_hundred_is_taken_whole() {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let list = site.list("News");
    let now = at("2026-03-10T12:00:00Z");
    site.sandbox
        .with(|w| add_readers(w, list, 250, now, TimeDelta::days(1)));
    // The first page shows 150, the others begin where they are asked to.
    let all: Vec<Value> = site.sandbox.with(|w| {
        let people = w.subscribers(list).map(|someone| {
            json!({"id": someone.id, "email": someone.email, "status": "subscribed",
                "subscribed_at": someone.subscribed_at.to_rfc3339()})
        });
        people.collect()
    });
    site.sandbox.with(|w| {
        let large = Fault::on("status=subscribed&ws.start=0&").always();
        w.fault(large.answer(FaultKind::replace(move |mut page| {
            page["entries"] = all[..150].to_vec().into();
            page
        })));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}
