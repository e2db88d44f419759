//! Promise N2 when a list fails: it is named and its place kept, the others are exported and published, the run ends
//! with 69, and the next run brings the rest. And the collection of lists itself, which changes too.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Site, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind, World};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

fn noon() -> DateTime<Utc> {
    at("2026-03-10T12:00:00Z")
}

/// A list of `count`, an hour apart.
fn site_with(count: i32) -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, count, noon(), TimeDelta::hours(1)));
    (site, list)
}

/// Three lists of 120.
fn three_lists() -> (Site, [u64; 3]) {
    let site = Site::on(noon());
    let lists = ["News", "Offers", "Tips"].map(|name| site.list(name));
    site.sandbox.with(|w| {
        for list in lists {
            add_readers(w, list, 120, noon(), TimeDelta::hours(1));
        }
    });
    (site, lists)
}

#[test]
fn a_list_deleted_before_its_turn_ends_with_69_and_the_next_run_with_0() {
    let (site, [news, offers, tips]) = three_lists();
    site.sandbox.with(|w| {
        w.before(&format!("{offers}/subscribers"), 1, move |w| {
            w.remove_list(offers)
        });
    });
    site.run(&[])
        .exits(69)
        .says("Offers")
        .says("404")
        .says("2 of 3 lists");
    assert_eq!(site.emails(), subscribed(&site, &[news, tips]));
    site.run_exports(&[], &[]);
}

#[test]
fn a_list_deleted_between_two_of_its_pages_ends_with_69_and_the_others_are_exported() {
    let (site, [news, offers, tips]) = three_lists();
    site.sandbox.with(|w| {
        w.before(&format!("{offers}/subscribers"), 3, move |w| {
            w.remove_list(offers)
        });
    });
    site.run(&[]).exits(69);
    site.assert_once_and_all(&subscribed(&site, &[news, tips]));
    site.run_exports(&[], &[]);
}

#[test]
fn a_list_that_always_fails_ends_with_69_and_the_others_are_exported() {
    for place in 0..3 {
        let (site, lists) = three_lists();
        let bad = lists[place];
        site.sandbox.with(|w| {
            let fault = Fault::on(format!("{bad}/subscribers")).always();
            w.fault(fault.answer(FaultKind::status(500)));
        });
        site.run(&[]).exits(69).says(&bad.to_string());
        let others: Vec<u64> = lists.into_iter().filter(|list| *list != bad).collect();
        assert_eq!(site.emails(), subscribed(&site, &others));
        // Again, and nobody is doubled; then the list is well.
        site.run(&[]).exits(69);
        assert_eq!(site.emails(), subscribed(&site, &others));
        site.sandbox.with(World::clear_faults);
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &lists));
    }
}

#[test]
fn a_list_that_fails_in_its_middle_goes_on_there_in_the_next_run() {
    let (site, list) = site_with(700);
    site.sandbox.with(|w| {
        let fault = Fault::on("status=subscribed").skip(5).always();
        w.fault(fault.answer(FaultKind::status(503)));
    });
    site.run(&[]).exits(69);
    let so_far = site.rows().len();
    assert!(so_far >= 490, "{so_far}");
    site.sandbox.with(World::clear_faults);
    site.forget_requests();
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    let pages = site.sandbox.with(|w| w.count("status=subscribed"));
    assert!(pages <= 5, "began anew: {:?}", site.asked());
}

#[test]
fn a_list_that_fails_in_an_idle_run_keeps_its_place() {
    let (site, lists) = three_lists();
    site.run_ok(&[]);
    site.set_now(noon() + TimeDelta::days(5));
    for list in lists {
        site.add(
            list,
            reader(
                &format!("new{list}@example.com"),
                noon() + TimeDelta::days(4),
            ),
        );
    }
    let [first, second, third] = lists.map(|list| format!("new{list}@example.com"));
    site.sandbox.with(|w| {
        let fault = Fault::on(format!("{}/subscribers", lists[1])).always();
        w.fault(fault.answer(FaultKind::html(502)));
    });
    site.run(&[]).exits(69);
    assert_eq!(site.newest_emails(), sorted([first, third]));
    site.sandbox.with(World::clear_faults);
    site.set_now(noon() + TimeDelta::days(25));
    site.run_exports(&[], &[&second]);
}

#[test]
fn a_list_deleted_between_the_pages_of_lists_makes_no_other_unknown() {
    let site = Site::on(noon());
    let lists: Vec<u64> = (0..150)
        .map(|i| {
            let list = site.list(&format!("List {i}"));
            site.add(list, reader(&format!("only{i}@example.com"), noon()));
            list
        })
        .collect();
    let gone = lists[4];
    site.sandbox
        .with(|w| w.before("/lists?ws.start=", 2, move |w| w.remove_list(gone)));
    site.run(&[
        "--exclude-list",
        "List 3",
        "--list",
        "List 100",
        "--list",
        "List 101",
    ])
    .exits(0);
    assert_eq!(
        site.emails(),
        ["only100@example.com", "only101@example.com"]
    );
}

#[test]
fn pages_that_are_empty_for_ever_end_with_69_and_the_other_lists_are_exported() {
    let (site, list) = site_with(250);
    let others = [site.list("Offers"), site.list("Tips")];
    for other in others {
        site.sandbox
            .with(|w| add_readers(w, other, 120, noon(), TimeDelta::hours(1)));
    }
    site.sandbox.with(|w| {
        // Every page but the first.
        let deep =
            format!("lists/{list}/subscribers?ws.op=find&sort_key=subscribed_at&sort_order=asc");
        let lie = Fault::on(format!("{deep}&status=subscribed"))
            .skip(1)
            .always();
        w.fault(lie.answer(FaultKind::replace(|mut page| {
            if page["start"] != 0 {
                page["entries"] = Value::Array(vec![]);
                page.as_object_mut().unwrap().remove("next_collection_link");
            }
            page
        })));
    });
    site.run(&[]).exits(69).says("News");
    let readers = subscribed(&site, &others);
    site.assert_once_and_all(&readers);
    assert!(site.requests() < 60, "{}", site.requests());
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(
        site.emails(),
        subscribed(&site, &[list, others[0], others[1]])
    );
}

#[test]
fn an_empty_first_page_that_stays_is_not_believed_against_the_count() {
    let (site, list) = site_with(50);
    site.sandbox.with(|w| {
        let lie = Fault::on("status=subscribed&ws.start=0&").always();
        w.fault(lie.answer(FaultKind::EmptyPage));
    });
    let done = site.run(&[]);
    done.exits(69).says("counts 50");
    assert!(site.requests() < 15, "{done}");
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_list_that_nobody_is_on_any_more_is_up_to_date() {
    let (site, list) = site_with(3);
    site.run_ok(&[]);
    site.sandbox.with(|w| {
        let ids: Vec<u64> = w.subscribers(list).map(|someone| someone.id).collect();
        ids.into_iter().for_each(|id| w.delete(list, id));
    });
    site.forget_requests();
    site.run_exports(&[], &[]);
    // The page twice, and the count.
    assert_eq!(site.requests(), 5, "{:?}", site.asked());
}

#[test]
fn a_count_larger_than_what_the_pages_show_is_named() {
    let (site, list) = site_with(250);
    site.sandbox.with(|w| {
        let more = Fault::on("ws.show=total_size").always();
        w.fault(more.answer(FaultKind::replace(|count| {
            Value::from(count.as_u64().unwrap() + 1)
        })));
    });
    site.run(&[]).exits(0).says("251").says("250");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.sandbox.with(World::clear_faults);
    site.run_exports(&[], &[]);
}

#[test]
fn a_server_that_repeats_one_page_for_ever_does_not_keep_the_run() {
    let (site, _) = site_with(250);
    site.sandbox.with(|w| {
        let page = std::sync::Mutex::new(None::<Value>);
        let same = Fault::on("status=subscribed").always();
        w.fault(same.answer(FaultKind::replace(move |own| {
            page.lock().unwrap().get_or_insert(own).clone()
        })));
    });
    site.run(&[]).exits(69);
    assert!(site.requests() < 20, "{}", site.requests());
    assert_eq!(site.rows().len(), 100);
}

#[test]
fn a_list_deleted_between_the_pages_of_lists_hides_no_other() {
    let site = Site::on(noon());
    let lists: Vec<u64> = (0..150)
        .map(|i| {
            let list = site.list(&format!("List {i}"));
            site.add(list, reader(&format!("only{i}@example.com"), noon()));
            list
        })
        .collect();
    let gone = lists[4];
    site.sandbox
        .with(|w| w.before("/lists?ws.start=", 2, move |w| w.remove_list(gone)));
    // That list itself may be named as missing; nobody of the others may be.
    let done = site.run(&[]);
    assert!(matches!(done.code, 0 | 69), "{done}");
    let everybody = sorted(
        (0..150)
            .filter(|i| *i != 4)
            .map(|i| format!("only{i}@example.com")),
    );
    assert_eq!(site.emails(), everybody);
}

#[test]
fn pages_of_lists_that_lie_are_read_anew() {
    for page in [0, 1] {
        let site = Site::on(noon());
        for i in 0..150 {
            let list = site.list(&format!("List {i}"));
            site.add(list, reader(&format!("only{i}@example.com"), noon()));
        }
        site.sandbox.with(|w| {
            let lie = Fault::on("/lists?ws.start=").skip(page).times(1);
            w.fault(lie.answer(FaultKind::EmptyPage));
        });
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 150, "page {page}");
    }
}
