//! Promise N2 for late confirmations: in the output of the next run, within the 30 days that AWeber's link is valid;
//! forgotten once they cannot confirm any more.

use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::{Site, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber, Status};
use chrono::{DateTime, TimeDelta, Utc};

/// Noon of day `n`.
fn day(n: i64) -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z") + TimeDelta::days(n)
}

/// A list with five subscribers of the previous days.
fn site_with_list() -> (Site, u64) {
    let site = Site::on(day(0));
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 5, day(-1), TimeDelta::days(1)));
    (site, list)
}

/// The same with `late@example.com`, who signed up on the first day and is now before the window of the recent query.
fn site_with_old_sign_up() -> (Site, u64, u64) {
    let (site, list) = site_with_list();
    let late = site.add(list, sign_up("late@example.com", day(0)));
    site.run_ok(&[]);
    site.set_now(day(9));
    site.add(list, reader("before@example.com", day(9)));
    site.run_exports(&[], &["before@example.com"]);
    site.set_now(day(10));
    site.add(list, reader("n@example.com", day(10)));
    (site, list, late)
}

/// One run and one new subscriber a day; on day `confirms` the sign-up of day `signs_up` confirms.
fn check_late_confirmation(signs_up: i64, confirms: i64, moves: bool) {
    let (site, list) = site_with_list();
    site.sandbox
        .with(|w| w.settings.confirm_moves_subscribed_at = moves);
    let mut late = None;
    if signs_up == 0 {
        late = Some(site.add(list, sign_up("late@example.com", day(0))));
    }
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    for today in 1..=confirms + 2 {
        site.set_now(day(today));
        if today == signs_up {
            late = Some(site.add(list, sign_up("late@example.com", day(today))));
        }
        let newcomer = format!("newcomer{today}@example.com");
        site.add(list, reader(&newcomer, day(today) - TimeDelta::hours(2)));
        let mut expected = vec![newcomer.as_str()];
        if today == confirms {
            site.sandbox.with(|w| w.confirm(list, late.unwrap()));
            expected.push("late@example.com");
        }
        site.run_exports(&[], &expected);
        let waits = (signs_up..confirms).contains(&today);
        assert_eq!(site.pending(list).len(), usize::from(waits), "day {today}");
    }
}

#[test]
fn a_confirmation_on_the_next_day_is_in_the_next_run() {
    for moves in [false, true] {
        check_late_confirmation(0, 1, moves);
        check_late_confirmation(1, 2, moves);
    }
}

#[test]
fn a_confirmation_after_20_days_of_other_sign_ups_is_in_the_next_run() {
    check_late_confirmation(0, 20, false);
    check_late_confirmation(1, 21, true);
}

#[test]
fn a_confirmation_after_29_days_of_other_sign_ups_is_in_the_next_run() {
    check_late_confirmation(1, 30, false);
    check_late_confirmation(0, 29, true);
}

#[test]
fn a_confirmation_on_the_last_day_of_the_link_is_in_the_next_run() {
    check_late_confirmation(0, 30, false);
}

#[test]
fn a_confirmation_during_weeks_without_runs_is_in_the_next_run() {
    for moves in [false, true] {
        let (site, list) = site_with_list();
        site.sandbox
            .with(|w| w.settings.confirm_moves_subscribed_at = moves);
        let late = site.add(list, sign_up("late@example.com", day(0)));
        site.run_ok(&[]);
        site.set_now(day(29));
        site.sandbox.with(|w| w.confirm(list, late));
        site.set_now(day(60));
        site.add(list, reader("n@example.com", day(59)));
        site.run_exports(&[], &["late@example.com", "n@example.com"]);
        assert!(site.pending(list).is_empty());
    }
}

#[test]
fn an_unconfirmed_subscriber_is_forgotten_after_31_days() {
    let (site, list) = site_with_list();
    let never = site.add(list, sign_up("never@example.com", day(0)));
    site.run_ok(&[]);
    for today in [1, 10, 20, 30, 31] {
        site.set_now(day(today));
        let newcomer = format!("newcomer{today}@example.com");
        site.add(list, reader(&newcomer, day(today)));
        site.run_exports(&[], &[&newcomer]);
        assert_eq!(site.pending(list), [never], "day {today}");
    }
    site.set_now(day(32));
    site.run_exports(&[], &[]);
    assert!(site.pending(list).is_empty());
    site.forget_requests();
    site.set_now(day(33));
    site.run_exports(&[], &[]);
    assert_eq!(site.asked(), ["token", "lists", &format!("{list} recent")]);
}

#[test]
fn a_subscriber_deleted_or_unsubscribed_before_confirming_is_forgotten() {
    // In the window of the recent query, and long before it.
    for today in [1, 10] {
        let (site, list) = site_with_list();
        let gone = site.add(list, sign_up("gone@example.com", day(0)));
        let left = site.add(list, sign_up("left@example.com", day(0)));
        let stays = site.add(list, sign_up("stays@example.com", day(0)));
        site.run_ok(&[]);
        assert_eq!(site.pending(list), [gone, left, stays]);
        site.set_now(day(today));
        site.add(list, reader("n@example.com", day(today)));
        site.sandbox.with(|w| {
            w.delete(list, gone);
            w.unsubscribe(list, left);
        });
        site.run_exports(&[], &["n@example.com"]);
        assert_eq!(site.pending(list), [stays], "day {today}");
        site.forget_requests();
        site.run_exports(&[], &[]);
        let asked_for_one = site.asked().iter().any(|word| word.ends_with("one"));
        assert!(!asked_for_one, "{:?}", site.asked());
    }
}

#[test]
fn a_confirmation_between_the_two_queries_of_a_first_export_is_in_it() {
    for moves in [false, true] {
        let (site, list) = site_with_list();
        let late = site.add(list, sign_up("late@example.com", day(-3)));
        site.sandbox.with(|w| {
            w.settings.confirm_moves_subscribed_at = moves;
            // Whichever of the two comes second.
            w.before("/subscribers?", 2, move |w| w.confirm(list, late));
        });
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &[list]));
        assert!(site.emails().contains(&"late@example.com".to_owned()));
        site.set_now(day(1));
        site.run_exports(&[], &[]);
        assert!(site.pending(list).is_empty());
    }
}

#[test]
fn a_confirmation_during_the_subscribed_query_is_in_this_run_or_the_next() {
    for moves in [false, true] {
        // Before the second page, in it, and at the end.
        for days_ago in [20, 10, 0] {
            let site = Site::on(day(0));
            let list = site.list("News");
            site.sandbox
                .with(|w| add_readers(w, list, 250, day(0), TimeDelta::hours(2)));
            let when = day(-days_ago) - TimeDelta::minutes(1);
            let late = site.add(list, sign_up("late@example.com", when));
            site.sandbox.with(|w| {
                w.settings.confirm_moves_subscribed_at = moves;
                w.before("status=subscribed", 2, move |w| w.confirm(list, late));
            });
            site.run_ok(&[]);
            let readers = subscribed(&site, &[list]);
            let readers = readers
                .into_iter()
                .filter(|email| email != "late@example.com");
            site.assert_once_and_all(&readers.collect::<Vec<_>>());
            site.set_now(day(1));
            site.run_ok(&[]);
            assert_eq!(
                site.emails(),
                subscribed(&site, &[list]),
                "{days_ago} {moves}"
            );
            assert!(site.pending(list).is_empty());
        }
    }
}

#[test]
fn a_confirmation_during_the_unconfirmed_query_is_in_this_run() {
    let site = Site::on(day(0));
    let list = site.list("News");
    let waiting: Vec<u64> = (0..250)
        .map(|i| {
            let when = day(-10) + TimeDelta::minutes(i);
            site.add(list, sign_up(&format!("late{i}@example.com"), when))
        })
        .collect();
    // On the first page, around its end, and not yet seen.
    let confirming: Vec<u64> = [0, 50, 97, 98, 99, 100, 101, 180, 249]
        .map(|i| waiting[i])
        .to_vec();
    site.sandbox.with(|w| {
        w.before("status=unconfirmed", 2, move |w| {
            confirming.iter().for_each(|id| w.confirm(list, *id));
        });
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(site.emails().len(), 9);
    assert_eq!(site.pending(list).len(), 241);
    // No other pending sign-up was missed: all of them confirm.
    site.set_now(day(15));
    site.add(list, reader("n@example.com", day(14)));
    site.sandbox.with(|w| {
        let still = |id: &&u64| w.subscriber(list, **id).unwrap().status == Status::Unconfirmed;
        let still: Vec<u64> = waiting.iter().filter(still).copied().collect();
        still.iter().for_each(|id| w.confirm(list, *id));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.pending(list).is_empty());
}

#[test]
fn a_confirmation_during_the_recent_query_is_in_this_run_or_the_next() {
    for moves in [false, true] {
        let site = Site::on(day(0));
        let list = site.list("News");
        site.run_ok(&[]);
        site.sandbox
            .with(|w| add_readers(w, list, 150, day(0), TimeDelta::minutes(1)));
        let late: Vec<u64> = [149, 90, 10, 0]
            .map(|minutes: i64| {
                let when = day(0) - TimeDelta::minutes(minutes) - TimeDelta::seconds(1);
                site.add(list, sign_up(&format!("late{minutes}@example.com"), when))
            })
            .to_vec();
        site.sandbox.with(|w| {
            w.settings.confirm_moves_subscribed_at = moves;
            w.before("/subscribers", 2, move |w| {
                late.iter().for_each(|id| w.confirm(list, *id));
            });
        });
        site.run_ok(&[]);
        site.set_now(day(1));
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &[list]), "{moves}");
        assert!(site.pending(list).is_empty());
    }
}

#[test]
fn a_confirmation_just_before_the_unconfirmed_query_is_in_this_run() {
    let (site, list, late) = site_with_old_sign_up();
    site.sandbox
        .with(|w| w.before("status=unconfirmed", 1, move |w| w.confirm(list, late)));
    site.run_exports(&[], &["late@example.com", "n@example.com"]);
}

#[test]
fn a_confirmation_before_a_first_export_is_resumed_is_in_it() {
    let site = Site::on(day(0));
    let list = site.list("News");
    let readers = site
        .sandbox
        .with(|w| add_readers(w, list, 450, day(0), TimeDelta::hours(1)));
    let late = site.add(list, sign_up("late@example.com", day(-18)));
    site.sandbox.with(|w| {
        let broken = Fault::on("status=subscribed").skip(3).always();
        w.fault(broken.answer(FaultKind::status(500)));
    });
    site.run(&[]).exits(69);
    let so_far = site.emails().len();
    assert!(so_far > 200 && so_far < readers.len(), "{so_far}");
    site.sandbox.with(|w| {
        w.clear_faults();
        w.confirm(list, late);
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.pending(list).is_empty());
}

#[test]
fn an_unconfirmed_subscriber_whose_lookup_fails_is_not_forgotten() {
    for fault in ["status=unconfirmed", "/subscribers/"] {
        let (site, list, late) = site_with_old_sign_up();
        site.sandbox.with(|w| {
            w.confirm(list, late);
            w.fault(Fault::on(fault).always().answer(FaultKind::status(500)));
        });
        site.run(&[]).case(&fault).exits(69);
        assert_eq!(site.newest_emails(), ["n@example.com"], "{fault}");
        assert_eq!(site.pending(list), [late], "{fault}");
        site.sandbox.with(|w| w.clear_faults());
        site.run_exports(&[], &["late@example.com"]);
    }
}

#[test]
fn a_subscriber_without_a_sign_up_time_is_exported_after_confirming() {
    let (site, list) = site_with_list();
    let odd = |email: &str, value: serde_json::Value| -> NewSubscriber {
        sign_up(email, day(0)).with("subscribed_at", value)
    };
    let late = [
        site.add(list, odd("null@example.com", serde_json::Value::Null)),
        site.add(list, odd("bare@example.com", "2026-03-01 07:00:00".into())),
        site.add(list, odd("word@example.com", "soon".into())),
    ];
    site.run_ok(&[]);
    assert_eq!(site.pending(list), late);
    for today in [5, 20] {
        site.set_now(day(today));
        let newcomer = format!("n{today}@example.com");
        site.add(list, reader(&newcomer, day(today)));
        site.run_exports(&[], &[&newcomer]);
        assert_eq!(site.pending(list), late);
    }
    site.sandbox
        .with(|w| late.iter().for_each(|id| w.confirm(list, *id)));
    site.run_exports(
        &[],
        &["bare@example.com", "null@example.com", "word@example.com"],
    );
    assert!(site.pending(list).is_empty());
}

#[test]
fn an_exported_unconfirmed_subscriber_is_not_exported_again_on_confirming() {
    let (site, list) = site_with_list();
    let late = site.add(list, sign_up("late@example.com", day(0)));
    let status = ["--status", "subscribed,unconfirmed"];
    site.run_ok(&status);
    let all: Vec<String> = site.sandbox.with(|w| {
        let emails = w
            .subscribers(list)
            .map(|subscriber| subscriber.email.clone());
        emails.collect()
    });
    assert_eq!(site.emails(), sorted(all));
    assert!(site.pending(list).is_empty());
    site.sandbox.with(|w| w.confirm(list, late));
    site.set_now(day(1));
    site.run_exports(&status, &[]);
    site.run_exports(&[], &[]);
}

#[test]
fn a_run_for_departures_alone_asks_for_nobody_pending_and_forgets_nobody() {
    let (site, list) = site_with_list();
    let late =
        ["a@example.com", "b@example.com"].map(|email| site.add(list, sign_up(email, day(0))));
    site.run_ok(&[]);
    site.set_now(day(9));
    site.add(list, reader("n@example.com", day(9)));
    site.run_ok(&[]);
    site.set_now(day(10));
    site.sandbox
        .with(|w| late.iter().for_each(|id| w.confirm(list, *id)));
    site.forget_requests();
    site.run_exports(&["--status", "unsubscribed"], &[]);
    assert_eq!(site.sandbox.with(|w| w.count("/subscribers/")), 0);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn unconfirmed_subscribers_hidden_by_a_short_first_page_are_found_by_its_count() {
    let (site, list) = site_with_list();
    let signed_up = day(-10);
    let late =
        [1, 2, 3, 4].map(|n| site.add(list, sign_up(&format!("{n}@example.com"), signed_up)));
    let shorten = FaultKind::replace(|mut page| {
        if let Some(entries) = page["entries"].as_array_mut() {
            entries.truncate(2);
        }
        page
    });
    site.sandbox
        .with(|w| w.fault(Fault::on("status=unconfirmed").answer(shorten)));
    site.run_ok(&[]);
    site.set_now(day(9));
    site.add(list, reader("n@example.com", day(9)));
    site.run_ok(&[]);
    site.set_now(day(10));
    site.sandbox
        .with(|w| late.iter().for_each(|id| w.confirm(list, *id)));
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn sign_ups_from_before_since_are_not_asked_for_again_and_again() {
    let (site, list) = site_with_list();
    for n in 0..6 {
        site.add(list, sign_up(&format!("{n}@example.com"), day(0)));
    }
    site.run_ok(&[]);
    site.set_now(day(3));
    let list_id = list.to_string();
    site.finish(site.command(&["forget", "--list", &list_id]))
        .exits(0);
    site.run_ok(&["--since", "2026-03-04"]);
    site.run_ok(&["--since", "2026-03-04"]);
    site.forget_requests();
    site.run_ok(&["--since", "2026-03-04"]);
    let asked = site.sandbox.with(|w| w.count("/subscribers/"));
    assert_eq!(asked, 0);
}
