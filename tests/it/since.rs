//! `--since` that was a slip of the pen, was changed, or was left in an environment file for years.

use crate::commands::{command, stdout_of};
use crate::support::Site;
use crate::support::calendar::{at, reader};
use chrono::{NaiveDate, TimeDelta, Utc};

/// A list with one reader a day, of the days up to `now`.
fn site() -> (Site, u64) {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let list = site.list("News");
    for day in ["05", "08", "10"] {
        let email = format!("of-{day}@example.com");
        site.add(
            list,
            reader(&email, at(&format!("2026-03-{day}T09:00:00Z"))),
        );
    }
    (site, list)
}

#[test]
fn a_day_in_the_future_is_refused_and_nothing_is_remembered() {
    let (site, list) = site();
    let by_local_clock = (Utc::now().date_naive() + TimeDelta::days(3)).to_string();
    for future in ["2062-03-01", &by_local_clock] {
        site.run(&["--since", future])
            .exits(2)
            .says("in the future");
        command(
            &site,
            &["forget", "--list", &list.to_string(), "--since", future],
        )
        .exits(2)
        .says("in the future");
    }
    assert_eq!(site.requests(), 0);
    // Of the past by this machine's clock, of the future by AWeber's.
    let local: NaiveDate = Utc::now().date_naive();
    assert!(local > at("2026-03-11T00:00:00Z").date_naive());
    site.run(&["--since", "2026-03-11"])
        .exits(2)
        .says("in the future")
        .says("safe: ");
    site.run_exports(
        &["--since", "2026-03-08"],
        &["of-08@example.com", "of-10@example.com"],
    );
}

#[test]
fn another_day_than_the_remembered_one_is_said_with_the_way_out_that_works() {
    let (site, list) = site();
    site.run_exports(
        &["--since", "2026-03-08"],
        &["of-08@example.com", "of-10@example.com"],
    );
    site.run_ok(&["--since", "2026-03-08"]).is_silent();
    let told = format!("aweber-sync forget --list {list}");
    site.run_ok(&["--since", "2026-03-05"])
        .says("--since 2026-03-08")
        .says("--since 2026-03-05")
        .says_next(&told);
    let said = stdout_of(&site, &["forget", "--list", &list.to_string()]);
    assert!(
        said.contains("Forgotten: 2 subscriptions") && said.contains("2026-03-08"),
        "{said}"
    );
    // Twice is once.
    let said = stdout_of(&site, &["forget", "--list", &list.to_string()]);
    assert!(said.contains("No subscription"), "{said}");
    site.run_exports(
        &["--since", "2026-03-05"],
        &[
            "of-05@example.com",
            "of-08@example.com",
            "of-10@example.com",
        ],
    );
    site.run_ok(&["--since", "2026-03-05"]).is_silent();
}

#[test]
fn forget_without_a_day_forgets_since_too() {
    let (site, list) = site();
    site.run_exports(&["--since", "2026-03-10"], &["of-10@example.com"]);
    stdout_of(&site, &["forget", "--list", &list.to_string()]);
    site.run_exports(
        &[],
        &[
            "of-05@example.com",
            "of-08@example.com",
            "of-10@example.com",
        ],
    );
}

#[test]
fn forget_with_a_day_sets_where_the_next_run_begins() {
    let (site, list) = site();
    site.run_exports(&["--since", "2026-03-10"], &["of-10@example.com"]);
    let arguments = [
        "forget",
        "--list",
        &list.to_string(),
        "--since",
        "2026-03-08",
    ];
    let said = stdout_of(&site, &arguments);
    assert!(said.contains("began with --since 2026-03-10"), "{said}");
    assert!(said.contains("begins with 2026-03-08"), "{said}");
    site.run_exports(&[], &["of-08@example.com", "of-10@example.com"]);
    site.run_exports(&["--full"], &[]);
}

#[test]
fn a_remembered_day_in_the_future_is_said_in_every_run_until_it_is_forgotten() {
    let (site, list) = site();
    site.run_exports(&["--since", "2026-03-10"], &["of-10@example.com"]);
    // As a program has left it that did not look, or an AWeber whose clock had jumped.
    site.ledger()
        .execute(
            "UPDATE feed SET progress = replace(progress, '2026-03-10', '2062-03-10'),
                 settled = replace(settled, '2026-03-10', '2062-03-10')",
            [],
        )
        .unwrap();
    let told = format!("aweber-sync forget --list {list}");
    for arguments in [&[][..], &["--full"], &["--since", "2026-03-08"]] {
        site.run_ok(arguments).says("2062-03-10").says_next(&told);
    }
    let arguments = [
        "forget",
        "--list",
        &list.to_string(),
        "--since",
        "2026-03-08",
    ];
    stdout_of(&site, &arguments);
    site.run_exports(&[], &["of-08@example.com", "of-10@example.com"]);
    site.run_ok(&[]).is_silent();
}

#[test]
fn today_is_the_day_of_the_first_run_for_lists_met_later_too() {
    for first_run_without_since in [false, true] {
        let (site, _) = site();
        if first_run_without_since {
            site.run_ok(&[]);
        } else {
            site.run_exports(&["--since", "today"], &["of-10@example.com"]);
        }
        // A list made the next morning, with sign-ups before the nightly run of the day after.
        let later = site.list("Later");
        for (email, when) in [
            ("imported@example.com", "2026-03-09T09:00:00Z"),
            ("evening@example.com", "2026-03-11T20:00:00Z"),
            ("night@example.com", "2026-03-12T00:30:00Z"),
        ] {
            site.add(later, reader(email, at(when)));
        }
        site.set_now(at("2026-03-12T03:00:00Z"));
        site.run_exports(
            &["--since", "today"],
            &["evening@example.com", "night@example.com"],
        );
    }
}

#[test]
fn since_comes_too_late_for_a_first_export_under_way() {
    let (site, list) = site();
    site.sandbox.with(|world| {
        crate::support::calendar::add_readers(
            world,
            list,
            250,
            at("2026-03-01T00:00:00Z"),
            TimeDelta::hours(1),
        )
    });
    let held = site.hold_on("status=subscribed", &[], 3);
    site.stop(held, rustix::process::Signal::TERM);
    site.run_ok(&["--since", "2026-03-08"])
        .says("began with its first subscriber")
        .says_next(&format!("aweber-sync forget --list {list}"));
    assert_eq!(site.emails().len(), 253);
}
