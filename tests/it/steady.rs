//! Promise N2 on a list with steady sign-ups, and with a count that is always wrong: the run ends with 0, at no more
//! requests than the pages need.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Site, subscribed};
use aweber_sandbox::{Fault, FaultKind};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

fn noon() -> DateTime<Utc> {
    at("2026-03-10T12:00:00Z")
}

/// A list of 350, an hour apart, on which somebody signs up before each of the next requests, `apart` from the one
/// before.
fn busy_site(requests: u32, each: i64, apart: TimeDelta) -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox.with(|w| {
        add_readers(w, list, 350, noon(), TimeDelta::hours(1));
        for n in 1..=requests {
            w.before("/subscribers?", n, move |w| {
                let now = noon() + apart * n as i32;
                w.set_now(now);
                for i in 0..each {
                    let email = format!("busy{n}-{i}@example.com");
                    w.add_subscriber(list, reader(&email, now));
                }
            });
        }
    });
    (site, list)
}

/// No page was read twice, and no more was asked for than the count and what came after it.
fn assert_one_walk(site: &Site, list: u64, label: &str) {
    let asked = site.asked();
    let times = |what: &str| {
        asked
            .iter()
            .filter(|one| **one == format!("{list} {what}"))
            .count()
    };
    assert_eq!(
        times("subscribed") + times("recent"),
        1,
        "{label}: {asked:?}"
    );
    assert!(times("count") <= 2, "{label}: {asked:?}");
}

#[test]
fn a_list_with_steady_sign_ups_is_complete_after_one_walk() {
    for (each, milliseconds) in [(10, 1000), (1, 1000), (10, 300), (60, 2000)] {
        let (site, list) = busy_site(200, each, TimeDelta::milliseconds(milliseconds));
        let everybody = subscribed(&site, &[list]);
        let done = site.run(&[]);
        let label = format!("{each} each {milliseconds} ms");
        done.case(&label).exits(0);
        site.assert_once_and_all(&everybody);
        assert_one_walk(&site, list, &label);
        // The next run: no less complete, and not longer.
        site.forget_requests();
        site.run(&[]).case(&label).exits(0);
        site.assert_once_and_all(&everybody);
        assert_one_walk(&site, list, &label);
    }
}

#[test]
fn a_walk_that_met_newcomers_asks_for_no_count() {
    let (site, list) = busy_site(200, 10, TimeDelta::seconds(2));
    site.run_ok(&[]);
    let count = format!("{list} count");
    assert!(!site.asked().contains(&count), "{:?}", site.asked());
}

#[test]
fn a_count_that_stays_one_too_high_is_named_and_the_list_is_complete() {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox.with(|w| {
        add_readers(w, list, 250, noon(), TimeDelta::hours(1));
        let more = Fault::on("ws.show=total_size").always();
        w.fault(more.answer(FaultKind::replace(|count| {
            Value::from(count.as_u64().unwrap() + 1)
        })));
    });
    site.run(&[]).exits(0).says("251").says("250");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.forget_requests();
    site.run_exports(&[], &[]);
    // Its first export is complete.
    let recent = format!("{list} recent");
    assert!(site.asked().contains(&recent), "{:?}", site.asked());
}

#[test]
fn two_walks_that_saw_different_rows_are_not_enough() {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 250, noon(), TimeDelta::hours(1)));
    site.sandbox.with(|w| {
        let more = Fault::on("ws.show=total_size").always();
        w.fault(more.answer(FaultKind::replace(|count| {
            Value::from(count.as_u64().unwrap() + 10)
        })));
        // One import with an old date before each walk.
        for n in 1..40 {
            w.before("ws.start=0&", n, move |w| {
                let when = noon() - TimeDelta::hours(i64::from(n));
                w.add_subscriber(list, reader(&format!("import{n}@example.com"), when));
            });
        }
    });
    site.run(&[]).exits(69).says("counts 26");
    assert!(site.requests() < 40, "{:?}", site.asked());
}
