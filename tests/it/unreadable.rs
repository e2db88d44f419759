//! Promise N2 for the rows around one that cannot be read: they are exported, once, and the one left out is named.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Site, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind, World};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

fn noon() -> DateTime<Utc> {
    at("2026-03-10T12:00:00Z")
}

/// A list of 350, an hour apart; their ids in order.
fn site_with_list() -> (Site, u64, Vec<u64>) {
    let site = Site::on(noon());
    let list = site.list("News");
    let ids = site
        .sandbox
        .with(|w| add_readers(w, list, 350, noon(), TimeDelta::hours(1)));
    (site, list, ids)
}

/// From now on each page has that in place of the entry of `id`.
fn spoil(site: &Site, id: u64, entry: impl Fn(&mut Value) + Send + Sync + 'static) {
    let change = FaultKind::replace(move |mut page| {
        let entries = page.get_mut("entries").and_then(Value::as_array_mut);
        for found in entries.into_iter().flatten() {
            if found["id"] == id {
                entry(found);
            }
        }
        page
    });
    site.sandbox
        .with(|w| w.fault(Fault::on("/subscribers?").always().answer(change)));
}

#[test]
fn an_entry_without_an_id_is_named_and_the_rows_around_it_are_exported_once() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 5] = [
        ("no id", |entry| {
            entry.as_object_mut().unwrap().remove("id");
        }),
        ("null", |entry| entry["id"] = Value::Null),
        ("a word", |entry| entry["id"] = "seven".into()),
        ("a fraction", |entry| entry["id"] = 7.5.into()),
        ("no object", |entry| *entry = Value::from("gone")),
    ];
    // In the middle, at the ends of pages, at the end.
    for (place, row) in [
        (0, 1),
        (50, 51),
        (99, 100),
        (100, 101),
        (198, 199),
        (349, 350),
    ] {
        for (what, change) in changes {
            if place != 50 && what != "no id" {
                continue;
            }
            let (site, list, ids) = site_with_list();
            spoil(&site, ids[place], change);
            let label = format!("{what} at {place}");
            let done = site.run(&[]);
            done.case(&label)
                .exits(69)
                .says("News")
                .says(&format!("row {row}"));
            let left_out = format!("reader{place}-{list}@example.com");
            let mut others = subscribed(&site, &[list]);
            others.retain(|email| *email != left_out);
            assert_eq!(site.emails(), others, "{label}\n{done}");
            // As long as it is there it is named; nobody is exported again.
            site.run(&[]).case(&label).exits(69);
            assert_eq!(site.emails(), others, "{label}");
            site.sandbox.with(World::clear_faults);
            site.run_exports(&[], &[&left_out]);
            site.run_exports(&[], &[]);
        }
    }
}

#[test]
fn rows_that_vanish_before_an_entry_without_an_id_hide_nobody() {
    let (site, list, ids) = site_with_list();
    spoil(&site, ids[99], |entry| entry["id"] = Value::Null);
    let gone = ids[3..9].to_vec();
    site.sandbox.with(|w| {
        w.before("status=subscribed", 2, move |w| {
            gone.iter().for_each(|id| w.delete(list, *id));
        });
    });
    site.run(&[]).exits(69);
    let left_out = format!("reader99-{list}@example.com");
    let mut others = subscribed(&site, &[list]);
    others.retain(|email| *email != left_out);
    site.assert_once_and_all(&others);
}

#[test]
fn a_byte_that_is_not_utf_8_becomes_the_replacement_character() {
    let (site, list, _) = site_with_list();
    let odd = reader("odd@example.com", noon() - TimeDelta::hours(200)).name("J%rgen");
    site.add(list, odd);
    site.sandbox.with(|w| {
        let spoilt = FaultKind::replace_bytes(|mut body| {
            for byte in &mut body {
                if *byte == b'%' {
                    *byte = 0xFC;
                }
            }
            body
        });
        w.fault(Fault::on("/subscribers?").always().answer(spoilt));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    let names = site.rows().into_iter().map(|row| row["name"].clone());
    let names: Vec<String> = sorted(names.filter(|name| !name.is_empty()));
    assert_eq!(names, ["J\u{FFFD}rgen"]);
    site.run_exports(&["--full"], &[]);
}
