//! Each setting of the sandbox that stands for another reading of AWeber's documentation is named, and no other.

use super::{check, odd, telling_site};
use crate::support::Site;
use aweber_sandbox::{LargerPage, Missing, NewSubscriber, Settings, Status, TimeForm, TotalSize};

/// A setting, and the odd assumptions that it makes.
type Case = (
    &'static str,
    fn(&mut Settings),
    &'static [(&'static str, &'static str)],
);

const CASES: [Case; 25] = [
    (
        "pages of 50",
        |s| (s.largest_page, s.larger_page) = (50, LargerPage::Cut),
        &[("page_limit", "fine"), ("page_size", "more_requests")],
    ),
    (
        "larger pages",
        |s| s.larger_page = LargerPage::Sent,
        &[("page_limit", "fine")],
    ),
    (
        "larger pages cut",
        |s| s.larger_page = LargerPage::Cut,
        &[("page_limit", "fine")],
    ),
    (
        "newest first",
        |s| s.newest_first = true,
        &[
            ("order", "more_requests"),
            ("unsubscribed_order", "more_requests"),
        ],
    ),
    (
        "no next links",
        |s| s.omit_next_links = true,
        &[("next_link", "more_requests")],
    ),
    (
        "null links",
        |s| s.null_links = true,
        &[("next_link", "fine")],
    ),
    (
        "old links",
        |s| s.old_http_links = true,
        &[("next_link", "fine")],
    ),
    (
        "relative links",
        |s| s.relative_links = true,
        &[("next_link", "fine")],
    ),
    (
        "foreign links",
        |s| s.link_origin = Some("https://elsewhere.example".into()),
        &[("next_link", "rows_at_risk")],
    ),
    (
        "total as text",
        |s| s.total_size = TotalSize::Text,
        &[("total_size", "fine")],
    ),
    (
        "no total",
        |s| s.total_size = TotalSize::Absent,
        &[("total_size", "fine")],
    ),
    (
        "count too high",
        |s| s.count_error = 5,
        &[("count_truth", "more_requests")],
    ),
    (
        "count too low",
        |s| s.count_error = -3,
        &[("count_truth", "fine")],
    ),
    (
        "count as object",
        |s| s.show_total_as_object = true,
        &[("count_form", "fine")],
    ),
    (
        "Eastern days",
        |s| s.day_zone_hours = -5,
        &[("subscribed_after", "fine"), ("unsubscribed_after", "fine")],
    ),
    (
        "days without the day",
        |s| s.after_includes_day = false,
        &[("subscribed_after", "fine"), ("unsubscribed_after", "fine")],
    ),
    (
        "no filter by day",
        |s| s.ignored_parameters = vec!["subscribed_after"],
        &[("subscribed_after", "more_requests")],
    ),
    (
        "no filter by status",
        |s| s.ignored_parameters = vec!["status"],
        &[("status_filter", "more_requests")],
    ),
    (
        "no filter by the day of leaving",
        |s| s.ignored_parameters = vec!["unsubscribed_after"],
        &[("unsubscribed_after", "more_requests")],
    ),
    (
        "no sort key",
        |s| s.ignored_parameters = vec!["sort_key"],
        &[
            ("sort_key", "more_requests"),
            ("unsubscribed_order", "more_requests"),
        ],
    ),
    (
        "times in UTC",
        |s| s.time_form = TimeForm::Utc,
        &[("subscribed_at_form", "fine")],
    ),
    (
        "verified_at in UTC",
        |s| s.verified_at_in_utc = true,
        &[("verified_at_zone", "fine")],
    ),
    (
        "absent values",
        |s| s.missing_values = Missing::Absent,
        &[("missing_values", "fine")],
    ),
    (
        "empty values",
        |s| s.missing_values = Missing::Empty,
        &[("missing_values", "fine")],
    ),
    (
        "no permission",
        |s| s.personal_fields = false,
        &[
            ("missing_values", "fine"),
            ("needed_fields", "rows_at_risk"),
        ],
    ),
];

#[test]
fn it_names_the_odd_reading_of_every_setting() {
    for (name, change, expected) in CASES {
        let (site, _) = telling_site(Settings::default());
        site.sandbox.with(|world| change(&mut world.settings));
        let done = check(&site, &["--json"]).case(&name);
        done.exits(0);
        let seen = odd(&done);
        for (id, effect) in expected {
            assert_eq!(
                seen.get(*id).map(String::as_str),
                Some(*effect),
                "{id}\n{done}"
            );
        }
        let others = seen.iter().filter(|(id, effect)| {
            *effect != "not_seen" && !expected.iter().any(|(known, _)| known == id)
        });
        assert_eq!(others.count(), 0, "{seen:?}\n{done}");
        assert!(site.requests() <= 30, "{done}");
    }
}

/// "costs" and "fine" are true: a run exports every subscriber nevertheless.
#[test]
fn a_run_under_each_setting_that_is_no_risk_exports_all_rows() {
    for (name, change, expected) in CASES {
        let (site, list) = telling_site(Settings::default());
        site.sandbox.with(|world| change(&mut world.settings));
        let done = site.run(&[]).case(&name);
        if expected.iter().any(|(_, effect)| *effect == "rows_at_risk") {
            continue;
        }
        done.exits(0);
        assert_eq!(
            site.emails(),
            crate::support::subscribed(&site, &[list]),
            "{done}"
        );
    }
}

/// What `run` notes for it.
#[test]
fn the_answer_to_the_last_refresh_is_judged() {
    let (site, _) = telling_site(Settings::default());
    assert_eq!(odd(&check(&site, &["--json"]))["refresh"], "not_seen");
    for (change, effect) in [
        ((|_| {}) as fn(&mut Settings), None),
        (|s| s.omit_refresh_token = true, Some("fine")),
        (|s| s.access_expires_in = 3600, Some("fine")),
        (|s| s.access_expires_in = 500, Some("more_requests")),
    ] {
        site.authorize_anew();
        site.sandbox.with(|world| {
            (
                world.settings.omit_refresh_token,
                world.settings.access_expires_in,
            ) = (false, 7200);
            change(&mut world.settings);
        });
        site.run_ok(&[]);
        let done = check(&site, &["--json"]);
        assert_eq!(
            odd(&done).get("refresh").map(String::as_str),
            effect,
            "{done}"
        );
    }
}

/// A change of the world, and the odd assumption that it makes.
type Change = (&'static str, fn(&Site, u64), &'static str, &'static str);

#[test]
fn other_answers_are_judged_too() {
    let cases: [Change; 6] = [
        (
            "410",
            |site, _| site.sandbox.with(|w| w.settings.vanished_status = 410),
            "vanished_id",
            "rows_at_risk",
        ),
        (
            "401",
            |site, _| site.sandbox.with(|w| w.settings.vanished_status = 401),
            "vanished_id",
            "more_requests",
        ),
        (
            "headers",
            |site, _| site.sandbox.with(|w| w.settings.rate_limit_headers = true),
            "limit_headers",
            "fine",
        ),
        (
            "status",
            |site, list| {
                site.add(
                    list,
                    NewSubscriber::new("x@example.com").status(Status::Other("deleted")),
                );
            },
            "statuses",
            "rows_at_risk",
        ),
        (
            "field",
            |site, list| {
                site.add(
                    list,
                    NewSubscriber::new("x@example.com").with("colour", "blue"),
                );
            },
            "unknown_fields",
            "fine",
        ),
        (
            "type",
            |site, list| {
                site.add(
                    list,
                    NewSubscriber::new("x@example.com").with("dma_code", "511"),
                );
            },
            "types",
            "fine",
        ),
    ];
    for (name, change, id, effect) in cases {
        let (site, list) = telling_site(Settings::default());
        change(&site, list);
        let done = check(&site, &["--json"]).case(&name);
        done.exits(0);
        assert_eq!(
            odd(&done).get(id).map(String::as_str),
            Some(effect),
            "{done}"
        );
        assert_eq!(odd(&done).len(), 2, "{done}");
    }
    // With the time without an offset more cannot be seen.
    let (site, _) = telling_site(Settings {
        time_form: TimeForm::NoOffset,
        ..Settings::default()
    });
    let done = check(&site, &["--json"]);
    assert_eq!(odd(&done)["subscribed_at_form"], "more_requests", "{done}");
    assert_eq!(odd(&done)["subscribed_after"], "not_seen", "{done}");
}
