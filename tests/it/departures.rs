//! Unsubscriptions: each exported once, also of people exported long ago, in whatever way AWeber reads the query.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Row, Site, read_csv, sorted};
use aweber_sandbox::{Fault, FaultKind, Resubscribe, Status};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::Signal;

const BOTH: [&str; 2] = ["--status", "subscribed,unsubscribed"];

/// Noon of day `n`.
fn day(n: i64) -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z") + TimeDelta::days(n)
}

/// A list with that many subscribers, who came long ago at intervals of an hour, and their ids.
fn site_with_readers(count: i32) -> (Site, u64, Vec<u64>) {
    let site = Site::on(day(0));
    let list = site.list("News");
    let long_ago = day(-700);
    let ids = site
        .sandbox
        .with(|w| add_readers(w, list, count, long_ago, TimeDelta::hours(1)));
    (site, list, ids)
}

/// Id, status and time of leaving of each published row, sorted.
fn rows(site: &Site) -> Vec<(u64, String, String)> {
    let row = |row: &Row| {
        let [id, status, left] = ["id", "status", "unsubscribed_at"].map(|name| row[name].clone());
        (id.parse().unwrap(), status, left)
    };
    let mut rows: Vec<_> = site.rows().iter().map(row).collect();
    rows.sort();
    rows
}

/// The ids in the published rows of those who left, sorted, repeats kept.
fn left(site: &Site) -> Vec<u64> {
    let rows = rows(site).into_iter();
    rows.filter(|(_, status, _)| status == "unsubscribed")
        .map(|(id, ..)| id)
        .collect()
}

fn unsubscribe(site: &Site, list: u64, ids: &[u64]) {
    site.sandbox
        .with(|w| ids.iter().for_each(|id| w.unsubscribe(list, *id)));
}

#[test]
fn who_was_exported_long_ago_and_leaves_is_exported_once_more_as_unsubscribed() {
    let (site, list, ids) = site_with_readers(3);
    site.run_ok(&BOTH);
    site.set_now(day(400));
    unsubscribe(&site, list, &ids[1..2]);
    site.run_exports(&BOTH, &[&format!("reader1-{list}@example.com")]);
    site.run_exports(&BOTH, &[]);
    site.run_exports(&[&BOTH[..], &["--full"]].concat(), &[]);
    assert_eq!(
        rows(&site),
        [
            (ids[0], "subscribed".to_owned(), String::new()),
            (ids[1], "subscribed".to_owned(), String::new()),
            (
                ids[1],
                "unsubscribed".to_owned(),
                "2027-04-05T12:00:00Z".to_owned()
            ),
            (ids[2], "subscribed".to_owned(), String::new()),
        ]
    );
}

#[test]
fn who_leaves_returns_and_leaves_again_has_a_row_for_each() {
    for how in [Resubscribe::NewTime, Resubscribe::KeepTime] {
        let (site, list, ids) = site_with_readers(1);
        site.run_ok(&BOTH);
        for n in 1..4 {
            site.set_now(day(10 * n));
            unsubscribe(&site, list, &ids);
            site.run_ok(&BOTH);
            site.set_now(day(10 * n + 1));
            site.sandbox.with(|w| w.resubscribe(list, ids[0], how));
            site.run_ok(&BOTH);
        }
        assert_eq!(left(&site), [ids[0]; 3]);
        // A subscription that keeps its date is the same subscription.
        let arrivals = if how == Resubscribe::NewTime { 4 } else { 1 };
        assert_eq!(rows(&site).len(), 3 + arrivals, "{how:?}");
    }
}

#[test]
fn departures_wanted_later_begin_with_those_who_have_left_so_far() {
    let (site, list, ids) = site_with_readers(260);
    site.run_ok(&[]);
    site.set_now(day(10));
    unsubscribe(&site, list, &ids[..130]);
    site.run_exports(&[], &[]);
    site.run_ok(&BOTH);
    assert_eq!(left(&site), ids[..130]);
    site.run_exports(&BOTH, &[]);
}

#[test]
fn departures_begin_with_since_and_a_list_hands_its_own_on() {
    for given in [&["--since", "2026-03-06"][..], &[]] {
        let (site, list, ids) = site_with_readers(6);
        if given.is_empty() {
            // The list has begun with that day.
            site.set_now(day(6));
            site.run_ok(&["--since", "2026-03-06"]);
        }
        for (n, id) in (1..).zip(&ids) {
            site.set_now(day(2 * n - 1));
            unsubscribe(&site, list, &[*id]);
        }
        site.set_now(day(12));
        site.run_ok(&[&["--status", "unsubscribed"], given].concat());
        assert_eq!(left(&site), ids[2..], "{given:?}");
        site.run_exports(&["--status", "unsubscribed", "--full"], &[]);
    }
}

#[test]
fn departures_alone_leave_the_arrivals_to_a_later_run() {
    let (site, list, ids) = site_with_readers(3);
    unsubscribe(&site, list, &ids[..1]);
    site.run_ok(&["--status", "unsubscribed"]);
    assert_eq!(left(&site), ids[..1]);
    site.add(list, reader("later@example.com", day(0)));
    site.set_now(day(40));
    site.run_ok(&["--status", "unsubscribed"]);
    site.run_ok(&[]);
    assert_eq!(rows(&site).len(), 4);
}

#[test]
fn an_idle_run_asks_once_more_for_each_list_with_departures_wanted() {
    let (site, list, ids) = site_with_readers(3);
    let other = site.list("Tips");
    site.add(other, reader("tips@example.com", day(0)));
    unsubscribe(&site, list, &ids[..2]);
    site.run_ok(&BOTH);
    for (arguments, requests) in [(&[][..], 4), (&BOTH[..], 6), (&BOTH[..], 6)] {
        site.forget_requests();
        site.run_exports(arguments, &[]);
        assert_eq!(site.requests(), requests, "{arguments:?}");
    }
    // The owner deletes the last one who left, whom the mark comes from.
    site.sandbox.with(|w| w.delete(list, ids[0]));
    site.sandbox.with(|w| w.delete(list, ids[1]));
    site.run_exports(&BOTH, &[]);
    site.forget_requests();
    site.run_exports(&BOTH, &[]);
    assert_eq!(site.requests(), 6);
    unsubscribe(&site, list, &ids[2..]);
    site.run_ok(&BOTH);
    assert_eq!(left(&site), ids);
}

#[test]
fn a_row_without_unsubscribed_at_is_identified_by_subscribed_at() {
    let (site, list, ids) = site_with_readers(3);
    unsubscribe(&site, list, &ids);
    site.sandbox.with(|w| {
        for (id, value) in ids.iter().zip([serde_json::Value::Null, "".into()]) {
            let subscriber = w.subscriber_mut(list, *id).unwrap();
            subscriber.set_field("unsubscribed_at", &value);
            subscriber.unsubscribed_at = None;
        }
        let subscriber = w.subscriber_mut(list, ids[2]).unwrap();
        subscriber.remove_field("unsubscribed_at");
        subscriber.unsubscribed_at = None;
    });
    site.run_ok(&BOTH);
    assert_eq!(left(&site), ids);
    site.run_exports(&[&BOTH[..], &["--full"]].concat(), &[]);
}

#[test]
fn a_departure_without_its_time_is_never_before_since() {
    let site = Site::on(day(0));
    let list = site.list("News");
    site.run_ok(&[&BOTH[..], &["--since", "2026-03-01"]].concat());
    let id = site.add(list, reader("old@example.com", day(-6)));
    site.run_exports(&BOTH, &[]);
    site.set_now(day(1));
    unsubscribe(&site, list, &[id]);
    site.sandbox.with(|w| {
        let subscriber = w.subscriber_mut(list, id).unwrap();
        subscriber.remove_field("unsubscribed_at");
    });
    site.run_ok(&BOTH);
    assert_eq!(left(&site), [id]);
    site.run_exports(&[&BOTH[..], &["--full"]].concat(), &[]);
}

#[test]
fn a_departure_whose_time_comes_later_has_one_row() {
    let (site, list, ids) = site_with_readers(2);
    site.run_ok(&BOTH);
    let show = |value: serde_json::Value| {
        site.sandbox.with(|w| {
            let subscriber = w.subscriber_mut(list, ids[0]).unwrap();
            subscriber.set_field("unsubscribed_at", &value);
        })
    };
    site.set_now(day(1));
    unsubscribe(&site, list, &ids[..1]);
    show(serde_json::Value::Null);
    site.run_ok(&BOTH);
    assert_eq!(left(&site), ids[..1]);
    show("2026-03-02T12:00:00+00:00".into());
    for more in [&[][..], &["--full"]] {
        site.run_ok(&[&BOTH[..], more].concat());
        assert_eq!(left(&site), ids[..1], "{more:?}");
    }
    // Returned and gone again: another subscription, whose departures are others.
    site.set_now(day(2));
    site.sandbox
        .with(|w| w.resubscribe(list, ids[0], Resubscribe::NewTime));
    site.set_now(day(3));
    unsubscribe(&site, list, &ids[..1]);
    show("2026-03-04T12:00:00+00:00".into());
    site.run_ok(&BOTH);
    assert_eq!(left(&site), [ids[0]; 2]);
}

#[test]
fn departures_wanted_later_begin_with_the_remembered_day_as_the_warning_says() {
    let (site, list, ids) = site_with_readers(3);
    site.run_ok(&["--since", "2020-01-01"]);
    for (n, id) in (1..).zip(&ids) {
        site.set_now(day(10 * n));
        unsubscribe(&site, list, &[*id]);
    }
    site.run_ok(&[&BOTH[..], &["--since", "2026-03-25"]].concat())
        .says("--since 2026-03-25 has no effect");
    assert_eq!(left(&site), ids);
}

#[test]
fn forget_begins_no_departures_that_nothing_has_asked_for() {
    let (site, list, _) = site_with_readers(2);
    site.run_ok(&[]);
    for more in [&["--since", "2020-01-01"][..], &[]] {
        let list = list.to_string();
        let forget = [&["forget", "--list", &list], more].concat();
        site.finish(site.command(&forget)).exits(0);
        let status = site.finish(site.command(&["status", "--json"])).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert!(status["lists"][0]["unsubscriptions"].is_null(), "{status}");
    }
}

/// Whatever AWeber ignores, in every zone, and whether "after" includes the day or not: someone who leaves a second after
/// the mark is exported, once.
fn departures_one_second_after_mark(ignored: &[&'static str], after_includes_day: bool) {
    let (site, list, ids) = site_with_readers(120);
    site.sandbox.with(|w| {
        w.settings.after_includes_day = after_includes_day;
        w.settings.ignored_parameters = ignored.to_vec();
        w.settings.refuse_unknown_parameters = true;
    });
    let mut expected = Vec::new();
    // Not in the order in which they came.
    let mut leavers = ids.iter().rev();
    for (i, zone) in [-12, -5, 0, 9, 14].into_iter().enumerate() {
        site.sandbox.with(|w| w.settings.day_zone_hours = zone);
        for seconds in [-43_201, -43_200, 0] {
            let time = day(10 * i as i64) + TimeDelta::seconds(seconds);
            for (n, after) in [(0, 0), (1, 7)] {
                site.set_now(time + TimeDelta::seconds(n));
                let id = *leavers.next().unwrap();
                unsubscribe(&site, list, &[id]);
                expected.push(id);
                site.set_now(day(10 * i as i64) + TimeDelta::days(after) + TimeDelta::hours(1));
                site.run_ok(&BOTH);
                let mut so_far = expected.clone();
                so_far.sort_unstable();
                assert_eq!(left(&site), so_far, "{ignored:?} {zone} {seconds} {n}");
            }
        }
    }
}

#[test]
fn departures_one_second_after_the_mark_are_found_if_after_includes_the_day() {
    departures_one_second_after_mark(&[], true);
}

#[test]
fn departures_one_second_after_the_mark_are_found_if_after_excludes_the_day() {
    departures_one_second_after_mark(&[], false);
}

#[test]
fn departures_are_found_once_if_aweber_ignores_the_filter_or_the_order() {
    departures_one_second_after_mark(&["unsubscribed_after"], true);
    departures_one_second_after_mark(&["sort_key"], true);
    departures_one_second_after_mark(&["unsubscribed_after", "sort_key", "status"], false);
}

/// Departures, returns and deletions between the pages of the departures of a first export and of a later one.
#[test]
fn departures_and_returns_between_pages_lose_no_departure() {
    for ignored in [&[][..], &["sort_key"]] {
        let (site, list, ids) = site_with_readers(460);
        site.sandbox
            .with(|w| w.settings.ignored_parameters = ignored.to_vec());
        let minutes_ago = |w: &mut aweber_sandbox::World, who: &[u64]| {
            for (n, id) in (1..).zip(who) {
                w.set_now(day(0) - TimeDelta::minutes(500 - n));
                w.unsubscribe(list, *id);
            }
            w.set_now(day(0));
        };
        site.sandbox.with(|w| minutes_ago(w, &ids[..350]));
        let ids_then = ids.clone();
        site.sandbox.with(|w| {
            for nth in 2..5 {
                let ids = ids_then.clone();
                w.before("status=unsubscribed", nth, move |w| {
                    let n = nth as usize;
                    w.set_now(day(0) + TimeDelta::minutes(i64::from(nth)));
                    w.unsubscribe(list, ids[400 + n]);
                    w.resubscribe(list, ids[n], Resubscribe::KeepTime);
                    w.delete(list, ids[10 + n]);
                    w.resubscribe(list, ids[20 + n], Resubscribe::NewTime);
                    w.unsubscribe(list, ids[20 + n]);
                });
            }
        });
        site.run_ok(&BOTH);
        site.set_now(day(1));
        site.run_ok(&BOTH);
        let gone = site.sandbox.with(|w| {
            let gone = w.subscribers(list);
            let gone = gone.filter(|one| one.status == Status::Unsubscribed);
            gone.map(|one| one.id).collect::<Vec<_>>()
        });
        let exported = left(&site);
        let missing: Vec<_> = gone.iter().filter(|id| !exported.contains(id)).collect();
        assert!(missing.is_empty(), "{ignored:?}: {missing:?}");
        let all = rows(&site);
        let mut once = all.clone();
        once.dedup();
        assert_eq!(all, once, "{ignored:?}");
    }
}

#[test]
fn a_first_export_of_departures_goes_on_where_it_stopped() {
    for ignored in [&[][..], &["sort_key"]] {
        let (site, list, ids) = site_with_readers(460);
        site.sandbox
            .with(|w| w.settings.ignored_parameters = ignored.to_vec());
        unsubscribe(&site, list, &ids[5..300]);
        let held = site.hold_on("status=unsubscribed", &BOTH, 3);
        site.stop(held, Signal::TERM).0.exits(143);
        // Someone who leaves now comes before that place, if AWeber ignores the order.
        site.set_now(day(1));
        unsubscribe(&site, list, &ids[..5]);
        site.set_now(day(2));
        site.forget_requests();
        site.run_ok(&BOTH);
        let first_page = site.sandbox.with(|w| {
            w.requests.iter().any(|r| {
                r.path_and_query.contains("status=unsubscribed") && r.param("ws.start") == Some("0")
            })
        });
        // Those who now stand before that place are missing by AWeber's count.
        assert_eq!(first_page, !ignored.is_empty());
        site.set_now(day(3));
        site.run_ok(&BOTH);
        assert_eq!(left(&site), ids[..300], "{ignored:?}");
    }
}

#[test]
fn a_feed_that_fails_does_not_stop_the_other() {
    for (failing, ok) in [("status=unsubscribed", 3), ("status=subscribed", 1)] {
        let (site, list, ids) = site_with_readers(3);
        unsubscribe(&site, list, &ids[..1]);
        site.add(list, reader("new@example.com", day(0)));
        site.sandbox.with(|w| {
            let fault = Fault::on(failing).always();
            w.fault(fault.answer(FaultKind::html(503)));
        });
        site.run(&BOTH).exits(69).says("list");
        assert_eq!(site.rows().len(), ok, "{failing}");
        site.sandbox.with(|w| w.clear_faults());
        site.run_ok(&BOTH);
        assert_eq!(site.rows().len(), 4);
    }
}

#[test]
fn the_summary_the_dry_run_status_and_the_metrics_tell_both_kinds_apart() {
    let (site, list, ids) = site_with_readers(3);
    site.run_ok(&BOTH);
    unsubscribe(&site, list, &ids[..2]);
    site.add(list, reader("new@example.com", day(0)));
    site.run(&[&BOTH[..], &["--dry-run", "-v"]].concat())
        .exits(0)
        .says(
            "1 new subscriber and 2 unsubscriptions would be exported (dry run) (News 1; News 2)",
        );
    let metrics = site.path("metrics.prom");
    let more = ["-v", "--metrics-file", metrics.to_str().unwrap()];
    site.run(&[&BOTH[..], &more].concat())
        .exits(0)
        .says("1 new subscriber (News 1), 2 unsubscriptions (News 2) in ");
    let metrics = std::fs::read_to_string(metrics).unwrap();
    for line in [
        "aweber_sync_last_run_rows 3\n",
        "aweber_sync_last_run_unsubscriptions 2\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let status = site.finish(site.command(&["status"]));
    let line = format!("{list:<12}{:>9}  {:>12}  {:>7}", 6, 2, 0);
    status.exits(0).prints(&line);
    let status = site.finish(site.command(&["status", "--json"])).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let shown = &status["lists"][0];
    assert_eq!(shown["rows"], 6);
    assert_eq!(shown["unsubscriptions"]["rows"], 2);
    assert_eq!(shown["unsubscriptions"]["first_export_complete"], true);
}

#[test]
fn forget_forgets_both_kinds() {
    let (site, list, ids) = site_with_readers(3);
    site.run_ok(&BOTH);
    site.set_now(day(9));
    unsubscribe(&site, list, &ids[..1]);
    site.run_ok(&BOTH);
    let forget = |more: &[&str]| {
        let list = list.to_string();
        let arguments = [&["forget", "--list", &list], more].concat();
        site.finish(site.command(&arguments)).stdout
    };
    let said = forget(&["--since", "2026-03-05"]);
    assert!(
        said.starts_with("Forgotten: 0 subscriptions and 1 unsubscription of list "),
        "{said}"
    );
    site.run_ok(&BOTH);
    assert_eq!(left(&site), [ids[0]; 2]);
    let said = forget(&[]);
    assert!(
        said.starts_with("Forgotten: 3 subscriptions and 1 unsubscription of list "),
        "{said}"
    );
    site.run_ok(&BOTH);
    assert_eq!(left(&site), [ids[0]; 3]);
    assert_eq!(rows(&site).len(), 3 + 3 + 2);
}

#[test]
fn an_unsubscription_appears_in_jsonl_and_in_chosen_columns() {
    let (site, list, ids) = site_with_readers(2);
    unsubscribe(&site, list, &ids[..1]);
    site.run_ok(&[&BOTH[..], &["--format", "jsonl", "--output", "all.jsonl"]].concat());
    let lines = std::fs::read_to_string(site.path("all.jsonl")).unwrap();
    let objects = lines.lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(sorted(objects), ["subscribed", "unsubscribed"]);
    site.finish(site.command(&["forget", "--list", &list.to_string()]))
        .exits(0);
    let columns = [
        "--columns",
        "id,status,unsubscribed_at",
        "--output",
        "some.csv",
    ];
    site.run_ok(&[&BOTH[..], &columns].concat());
    let rows = read_csv(&site.path("some.csv"));
    let left: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "unsubscribed")
        .collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["unsubscribed_at"], "2026-03-01T12:00:00Z");
}
