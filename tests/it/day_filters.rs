//! Promise N2 for all meanings of a day: the filters use whole days of an undocumented time zone and may exclude the
//! day itself, clocks jump, and some rows have unexpected dates.

use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, NewSubscriber, Settings};
use chrono::{DateTime, TimeDelta, Utc};

/// Noon of day `n`.
fn day(n: i64) -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z") + TimeDelta::days(n)
}

/// Signs up one subscriber before a run, and another one second later before a run a week later, on three lists at
/// different times of the day, in every time zone.
fn sign_ups_one_second_after_watermark(after_includes_day: bool) {
    let site = Site::on(day(0));
    let lists = [-43_201, -43_200, 0].map(|seconds| {
        let list = site.list(&format!("At {seconds}"));
        (list, TimeDelta::seconds(seconds))
    });
    site.sandbox.with(|w| {
        w.settings.after_includes_day = after_includes_day;
        w.settings.refuse_unknown_parameters = true;
    });
    site.run_ok(&[]);
    for (i, zone) in (-12..=14).enumerate() {
        site.sandbox.with(|w| w.settings.day_zone_hours = zone);
        let today = day(10 * i as i64);
        for (n, after) in [(0, 0), (1, 7)] {
            let emails = lists.map(|(list, _)| format!("reader{zone}-{n}-{list}@example.com"));
            for (email, (list, time)) in emails.iter().zip(lists) {
                site.add(list, reader(email, today + time + TimeDelta::seconds(n)));
            }
            site.set_now(today + TimeDelta::days(after) + TimeDelta::hours(1));
            site.run_exports(&[], &emails.each_ref().map(String::as_str));
        }
    }
    let filtered = site.sandbox.with(|w| w.count("&subscribed_after="));
    assert!(
        filtered >= 27 * 2 * 3,
        "too few filtered queries: {filtered}"
    );
}

#[test]
fn a_sign_up_one_second_after_the_watermark_is_found_in_every_zone_if_after_includes_the_day() {
    sign_ups_one_second_after_watermark(true);
}

#[test]
fn a_sign_up_one_second_after_the_watermark_is_found_in_every_zone_if_after_excludes_the_day() {
    sign_ups_one_second_after_watermark(false);
}

#[test]
fn late_confirmations_are_found_in_every_zone() {
    for (includes, zone) in [(true, -12), (true, 14), (false, -12), (false, 14)] {
        let site = Site::on(day(0));
        let list = site.list("News");
        site.sandbox.with(|w| {
            w.settings.after_includes_day = includes;
            w.settings.day_zone_hours = zone;
        });
        // The oldest one that can still confirm, and both sides of midnight.
        let late: Vec<u64> = [
            day(-30),
            at("2026-02-27T23:59:59Z"),
            at("2026-02-28T00:00:00Z"),
        ]
        .into_iter()
        .enumerate()
        .map(|(i, when)| site.add(list, sign_up(&format!("late{i}@example.com"), when)))
        .collect();
        site.sandbox
            .with(|w| w.before("status=subscribed", 1, move |w| w.confirm(list, late[0])));
        let late: Vec<u64> = site
            .sandbox
            .with(|w| w.subscribers(list).map(|s| s.id).collect());
        site.run_exports(&[], &["late0@example.com"]);
        site.set_now(day(9));
        site.add(list, reader("n@example.com", day(9)));
        site.run_exports(&[], &["n@example.com"]);
        assert_eq!(site.pending(list), late[1..], "{includes} {zone}");
        site.sandbox
            .with(|w| late[1..].iter().for_each(|id| w.confirm(list, *id)));
        site.run_exports(&[], &["late1@example.com", "late2@example.com"]);
    }
}

#[test]
fn since_includes_the_whole_day_in_every_zone() {
    for (includes, zone) in [
        (true, -12),
        (true, 0),
        (true, 14),
        (false, -12),
        (false, 14),
    ] {
        let site = Site::on(day(0));
        let list = site.list("News");
        site.sandbox.with(|w| {
            w.settings.after_includes_day = includes;
            w.settings.day_zone_hours = zone;
        });
        for (email, when) in [
            ("long-before@example.com", "2026-01-01T00:00:00Z"),
            ("before@example.com", "2026-02-09T23:59:59Z"),
            ("first@example.com", "2026-02-10T00:00:00Z"),
            ("last@example.com", "2026-02-10T23:59:59Z"),
            ("after@example.com", "2026-02-11T00:00:00Z"),
        ] {
            site.add(list, reader(email, at(when)));
        }
        let wanted = ["first@example.com", "last@example.com", "after@example.com"];
        site.run_exports(&["--since", "2026-02-10"], &wanted);
    }
}

#[test]
fn a_row_dated_in_the_future_does_not_stop_later_exports() {
    for send_date in [true, false] {
        let site = Site::new();
        let list = site.list("News");
        site.sandbox.with(|w| w.settings.send_date = send_date);
        let future = |email: &str| reader(email, at("2099-12-31T00:00:00Z"));
        site.add(list, future("future@example.com"));
        site.sandbox.with(|w| w.add_subscribers(list, 3));
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &[list]));
        // A later one too.
        site.add(list, future("more-future@example.com"));
        site.add(list, NewSubscriber::new("today@example.com"));
        site.run_exports(&[], &["more-future@example.com", "today@example.com"]);
        site.add(list, NewSubscriber::new("later@example.com"));
        site.run_exports(&[], &["later@example.com"]);
        site.run_exports(&[], &[]);
    }
}

#[test]
fn answers_without_a_date_header_lose_no_subscriber() {
    let settings = Settings {
        send_date: false,
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let list = site.list("News");
    site.sandbox.with(|w| w.add_subscribers(list, 250));
    let ago = |days: i64| Utc::now() - TimeDelta::days(days);
    let late = site.add(list, sign_up("late@example.com", ago(20)));
    let longer = site.add(list, sign_up("longer@example.com", ago(200)));
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.pending(list).contains(&late));
    site.sandbox.with(|w| {
        w.confirm(list, late);
        w.add_subscribers(list, 2);
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    // Without knowing the time, no sign-up is treated as expired.
    site.sandbox.with(|w| w.confirm(list, longer));
    site.run_exports(&[], &["longer@example.com"]);
}

#[test]
fn a_server_date_that_jumps_ahead_for_one_run_loses_no_subscriber() {
    let site = Site::on(day(0));
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 50, day(0), TimeDelta::hours(5)));
    site.set_now(at("2031-01-01T00:00:00Z"));
    site.run_ok(&[]);
    site.set_now(day(1));
    site.add(list, reader("a@example.com", day(1)));
    site.run_exports(&[], &["a@example.com"]);
    site.set_now(at("2001-01-01T00:00:00Z"));
    site.add(list, reader("b@example.com", day(2)));
    site.run_exports(&[], &["b@example.com"]);
    site.set_now(day(3));
    site.add(list, reader("c@example.com", day(3)));
    site.run_exports(&[], &["c@example.com"]);
}

#[test]
fn an_import_with_old_dates_is_found_only_by_full() {
    let site = Site::on(day(0));
    let list = site.list("News");
    site.sandbox
        .with(|w| add_readers(w, list, 250, day(0), TimeDelta::hours(1)));
    site.run_ok(&[]);
    for (i, days_ago) in [5, 8, 300].into_iter().enumerate() {
        let import = reader(&format!("import{i}@example.com"), day(-days_ago));
        site.add(list, import.method("import"));
    }
    site.run_exports(&[], &[]);
    let imports = [
        "import0@example.com",
        "import1@example.com",
        "import2@example.com",
    ];
    site.run_exports(&["--full"], &imports);
    site.run_exports(&["--full"], &[]);
    site.run_exports(&[], &[]);
}

#[test]
fn a_moved_subscriber_is_found_by_its_new_date_or_with_its_old_date_by_full() {
    for keeps_time in [false, true] {
        let site = Site::on(day(0));
        let (news, tips) = (site.list("News"), site.list("Tips"));
        let ids = site.sandbox.with(|w| {
            add_readers(w, tips, 9, day(0), TimeDelta::days(1));
            add_readers(w, news, 9, day(-20), TimeDelta::days(1))
        });
        site.run_ok(&[]);
        site.set_now(day(1));
        site.sandbox
            .with(|w| w.move_to(news, ids[4], tips, keeps_time));
        let moved = format!("reader4-{news}@example.com");
        if keeps_time {
            site.run_exports(&[], &[]);
            site.run_exports(&["--full"], &[&moved]);
        } else {
            site.run_exports(&[], &[&moved]);
        }
        site.run_exports(&["--full"], &[]);
    }
}

#[test]
fn a_subscriber_dated_shortly_before_the_watermark_is_found_by_the_next_run() {
    let site = Site::on(day(0));
    let list = site.list("News");
    site.add(list, reader("a@example.com", day(0)));
    site.run_ok(&[]);
    site.add(list, reader("b@example.com", day(0) - TimeDelta::hours(20)));
    site.set_now(day(1));
    site.run_exports(&[], &["b@example.com"]);
}
