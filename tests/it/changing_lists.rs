//! Promise N2 while lists change during paging: no subscriber present throughout is missing, none is duplicated, and
//! an inconsistent page is not accepted.

use crate::support::calendar::{add_readers, noon, reader};
use crate::support::{Site, subscribed};
use aweber_sandbox::{Fault, FaultKind, Resubscribe, Status, World};
use chrono::TimeDelta;
use serde_json::Value;

/// A list of `count` subscribers, one per hour; returns their ids in order.
fn site_with(count: i32) -> (Site, u64, Vec<u64>) {
    let site = Site::on(noon());
    let list = site.list("News");
    let ids = site
        .sandbox
        .with(|w| add_readers(w, list, count, noon(), TimeDelta::hours(1)));
    (site, list, ids)
}

/// Changes the world before page `page` of a first export of 350: subscribers present before and after are exported
/// once, and the next run exports the others.
fn changes_while_paging(
    page: u32,
    change: impl FnOnce(&mut World, u64, &[u64]) + Clone + Send + 'static,
) {
    let (site, list, ids) = site_with(350);
    let before = subscribed(&site, &[list]);
    site.sandbox.with(|w| {
        w.before("status=subscribed", page, move |w| change(w, list, &ids));
    });
    let done = site.run_ok(&[]);
    let after = subscribed(&site, &[list]);
    let stayed: Vec<String> = before
        .into_iter()
        .filter(|email| after.contains(email))
        .collect();
    assert!(stayed.len() >= 100, "the change removed too many rows");
    site.assert_once_and_all(&stayed);
    let pages = site.sandbox.with(|w| w.count("status=subscribed"));
    assert!(pages < 30, "{done}");
    site.run_ok(&[]);
    site.assert_once_and_all(&after);
}

#[test]
fn three_rows_deleted_between_two_pages_hide_no_subscriber() {
    for page in [2, 3, 4] {
        for first in [0, 50, 96, 97, 98, 99, 100, 197, 240, 347] {
            if page == 2 || first % 50 == 0 || first == 197 {
                changes_while_paging(page, move |w, list, ids| {
                    ids[first..first + 3]
                        .iter()
                        .for_each(|id| w.delete(list, *id));
                });
            }
        }
    }
}

#[test]
fn a_hundred_and_fifty_rows_deleted_between_two_pages_hide_no_subscriber() {
    for (page, first) in [
        (2, 0),
        (2, 60),
        (2, 99),
        (2, 200),
        (3, 0),
        (3, 45),
        (4, 150),
    ] {
        changes_while_paging(page, move |w, list, ids| {
            ids[first..first + 150]
                .iter()
                .for_each(|id| w.delete(list, *id));
        });
    }
}

#[test]
fn every_second_row_deleted_between_two_pages_hides_no_subscriber() {
    for page in [2, 3] {
        changes_while_paging(page, |w, list, ids| {
            ids.iter().step_by(2).for_each(|id| w.delete(list, *id));
        });
    }
}

#[test]
fn rows_deleted_before_each_page_hide_no_subscriber() {
    let (site, list, ids) = site_with(600);
    site.sandbox.with(|w| {
        for page in 2..=12 {
            let gone: Vec<u64> = (0..7).map(|i| ids[(page * 40 + i * 11) % 600]).collect();
            w.before("status=subscribed", page as u32, move |w| {
                for id in gone {
                    if w.subscriber(list, id).is_some() {
                        w.delete(list, id);
                    }
                }
            });
        }
    });
    site.run_ok(&[]);
    site.assert_once_and_all(&subscribed(&site, &[list]));
}

#[test]
fn rows_inserted_between_two_pages_neither_duplicate_nor_hide_a_subscriber() {
    for page in [2, 3, 4] {
        for old in [0, 120, 340] {
            changes_while_paging(page, move |w, list, _| {
                for i in 0..5 {
                    // Imports with old dates shift all rows behind them.
                    let when = noon() - TimeDelta::hours(old) - TimeDelta::minutes(30 + i);
                    w.add_subscriber(list, reader(&format!("import{i}@example.com"), when));
                }
            });
        }
    }
}

#[test]
fn sign_ups_during_the_final_count_are_found() {
    let (site, list, _) = site_with(250);
    site.sandbox.with(|w| {
        w.before("ws.show=total_size", 1, move |w| {
            w.set_now(noon() + TimeDelta::minutes(1));
            w.add_subscribers(list, 3);
        });
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn resubscribers_moving_to_the_end_between_two_pages_hide_no_subscriber() {
    for page in [2, 3, 4] {
        for how in [Resubscribe::NewTime, Resubscribe::KeepTime] {
            changes_while_paging(page, move |w, list, ids| {
                w.set_now(noon() + TimeDelta::hours(1));
                for i in [3, 98, 99, 100, 250] {
                    w.unsubscribe(list, ids[i]);
                    w.resubscribe(list, ids[i], how);
                }
            });
        }
    }
}

#[test]
fn unsubscribers_between_two_pages_hide_no_subscriber() {
    for page in [2, 3, 4] {
        changes_while_paging(page, |w, list, ids| {
            ids[40..103].iter().for_each(|id| w.unsubscribe(list, *id));
        });
    }
}

#[test]
fn rows_deleted_during_the_recent_query_hide_no_subscriber() {
    for page in [2, 3] {
        let (site, list, ids) = site_with(30);
        site.run_ok(&[]);
        site.set_now(noon() + TimeDelta::days(1));
        let end = noon() + TimeDelta::days(1);
        let new = site
            .sandbox
            .with(|w| add_readers(w, list, 250, end, TimeDelta::minutes(1)));
        site.sandbox.with(|w| {
            w.before("/subscribers", page, move |w| {
                for id in ids[20..24].iter().chain(&new[5..8]).chain(&new[99..101]) {
                    w.delete(list, *id);
                }
            });
        });
        site.run_ok(&[]);
        site.assert_once_and_all(&subscribed(&site, &[list]));
    }
}

#[test]
fn a_list_emptied_during_its_export_is_complete() {
    for page in [2, 3] {
        let (site, list, ids) = site_with(250);
        site.sandbox.with(|w| {
            w.before("status=subscribed", page, move |w| {
                ids.iter().for_each(|id| w.delete(list, *id));
            });
        });
        site.run_ok(&[]);
        assert!(site.rows().len() >= 100);
        site.run_exports(&[], &[]);
        site.add(list, reader("phoenix@example.com", noon()));
        site.run_exports(&[], &["phoenix@example.com"]);
    }
}

#[test]
fn an_empty_page_in_the_middle_is_not_the_end() {
    for skip in [1, 2, 3] {
        for twice in [1, 2] {
            let (site, list, _) = site_with(350);
            site.sandbox.with(|w| {
                let lie = Fault::on("status=subscribed").skip(skip).times(twice);
                w.fault(lie.answer(FaultKind::EmptyPage));
            });
            site.run_ok(&[]);
            assert_eq!(site.emails(), subscribed(&site, &[list]), "{skip} {twice}");
        }
    }
}

#[test]
fn a_first_page_that_is_empty_once_is_requested_again() {
    let (site, list, _) = site_with(250);
    site.sandbox.with(|w| {
        w.fault(Fault::on("status=subscribed").answer(FaultKind::EmptyPage));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.add(list, reader("new@example.com", noon()));
    site.sandbox
        .with(|w| w.fault(Fault::on("/subscribers").answer(FaultKind::EmptyPage)));
    site.run_exports(&[], &["new@example.com"]);
}

#[test]
fn a_truncated_last_page_is_not_the_end() {
    // Half a page without a next link: only the count reveals it.
    let (site, list, _) = site_with(250);
    site.sandbox.with(|w| {
        let short = Fault::on("status=subscribed").skip(1).times(1);
        w.fault(short.answer(FaultKind::replace(|mut page| {
            page["entries"].as_array_mut().unwrap().truncate(40);
            page.as_object_mut().unwrap().remove("next_collection_link");
            page
        })));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn rows_of_the_same_second_reordered_between_two_pages_are_all_exported() {
    let site = Site::on(noon());
    let list = site.list("Import");
    site.sandbox
        .with(|w| add_readers(w, list, 300, noon(), TimeDelta::zero()));
    // The second page repeats rows of the first instead of its own: the order of rows with equal times is undefined.
    site.sandbox.with(|w| {
        let first: Vec<Value> = Vec::new();
        let kept = std::sync::Mutex::new(first);
        let turn = Fault::on("status=subscribed").times(2);
        w.fault(turn.answer(FaultKind::replace(move |mut page| {
            let mut kept = kept.lock().unwrap();
            if page["start"] == 0 {
                kept.clone_from(page["entries"].as_array().unwrap());
            } else {
                let entries = page["entries"].as_array_mut().unwrap();
                for (i, old) in kept.iter().enumerate().take(50) {
                    entries[i + 10] = old.clone();
                }
            }
            page
        })));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_count_below_the_rows_received_is_harmless() {
    let (site, list, _) = site_with(250);
    site.sandbox.with(|w| {
        let fewer = Fault::on("ws.show=total_size").always();
        w.fault(fewer.answer(FaultKind::replace(|_| Value::from(3))));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_subscriber_with_an_unknown_status_is_skipped() {
    let (site, list, _) = site_with(150);
    for (i, minutes) in [10, 3000, 8000].into_iter().enumerate() {
        let odd = reader(
            &format!("odd{i}@example.com"),
            noon() - TimeDelta::minutes(minutes),
        );
        site.add(list, odd.status(Status::Other("deleted")));
    }
    site.run_ok(&["--status", "subscribed,unsubscribed"]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.run_exports(&["--full"], &[]);
}
