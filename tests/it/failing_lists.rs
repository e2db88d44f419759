//! Promise N2 when a list fails: it is named and keeps its watermark, the others are exported and published, the run
//! ends with 69, and the next run exports the rest. Also changes of the collection of lists itself.

use crate::support::calendar::{add_readers, noon, reader};
use crate::support::{Site, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind, World};
use chrono::TimeDelta;
use serde_json::Value;

/// A list of `count` subscribers, one per hour.
fn site_with(count: i32) -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, count, noon(), TimeDelta::hours(1)));
    (site, list)
}

/// Three lists of 120 subscribers.
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

/// Two pages of lists, with the subscriber `onlyN@` on list N.
fn site_with_150_lists() -> (Site, Vec<u64>) {
    let site = Site::on(noon());
    let lists: Vec<u64> = (0..150)
        .map(|i| {
            let list = site.list(&format!("List {i}"));
            site.add(list, reader(&format!("only{i}@example.com"), noon()));
            list
        })
        .collect();
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
        // A second failing run duplicates no row; then the list recovers.
        site.run(&[]).exits(69);
        assert_eq!(site.emails(), subscribed(&site, &others));
        site.sandbox.with(World::clear_faults);
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &lists));
    }
}

#[test]
fn a_list_that_fails_halfway_is_resumed_by_the_next_run() {
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
    assert!(pages <= 5, "started over: {:?}", site.asked());
}

#[test]
fn a_list_that_fails_in_an_idle_run_keeps_its_watermark() {
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
fn a_list_deleted_between_pages_of_lists_makes_no_other_list_unknown() {
    let (site, lists) = site_with_150_lists();
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
fn endlessly_empty_pages_end_with_69_and_the_other_lists_are_exported() {
    let (site, list) = site_with(250);
    let others = [site.list("Offers"), site.list("Tips")];
    for other in others {
        site.sandbox
            .with(|w| add_readers(w, other, 120, noon(), TimeDelta::hours(1)));
    }
    site.sandbox.with(|w| {
        // Every page except the first.
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
fn a_permanently_empty_first_page_is_rejected_because_of_the_count() {
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
fn a_list_whose_subscribers_were_all_deleted_is_up_to_date() {
    let (site, list) = site_with(3);
    site.run_ok(&[]);
    site.sandbox.with(|w| {
        let ids: Vec<u64> = w
            .subscribers(list)
            .map(|subscriber| subscriber.id)
            .collect();
        ids.into_iter().for_each(|id| w.delete(list, id));
    });
    site.forget_requests();
    site.run_exports(&[], &[]);
    // The page twice, and the count.
    assert_eq!(site.requests(), 5, "{:?}", site.asked());
}

#[test]
fn a_count_above_the_rows_received_is_named() {
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
fn a_server_that_repeats_one_page_forever_ends_the_list() {
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
fn a_list_deleted_between_pages_of_lists_hides_no_other_list() {
    let (site, lists) = site_with_150_lists();
    let gone = lists[4];
    site.sandbox
        .with(|w| w.before("/lists?ws.start=", 2, move |w| w.remove_list(gone)));
    // The deleted list may be reported as missing, but no other.
    let done = site.run(&[]);
    assert!(matches!(done.code, 0 | 69), "{done}");
    let expected = sorted(
        (0..150)
            .filter(|i| *i != 4)
            .map(|i| format!("only{i}@example.com")),
    );
    assert_eq!(site.emails(), expected);
}

#[test]
fn inconsistent_pages_of_lists_are_read_again() {
    for page in [0, 1] {
        let (site, _) = site_with_150_lists();
        site.sandbox.with(|w| {
            let lie = Fault::on("/lists?ws.start=").skip(page).times(1);
            w.fault(lie.answer(FaultKind::EmptyPage));
        });
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 150, "page {page}");
    }
}
