//! Which subscribers a run exports: lists, statuses, the start, all or the recent ones. Each option also as a
//! variable.

use crate::support::calendar::{at, noon, reader, sign_up, site_with_nine_days};
use crate::support::{Done, Site, sorted};
use chrono::TimeDelta;

/// Four lists with one subscriber each: `a@`, `b@`, `c@`, `d@`; the third has the id of the first as its name, and
/// two have the same name.
fn site_with_lists() -> (Site, [u64; 4]) {
    let site = Site::on(noon());
    let lists = site.sandbox.with(|w| {
        [
            w.add_list_with(11, "News, weekly", "awlist11"),
            w.add_list_with(22, "Offers", "awlist22"),
            w.add_list_with(33, "11", "awlist33"),
            w.add_list_with(44, "Offers", "News, weekly"),
        ]
    });
    for (list, name) in lists.iter().zip(["a", "b", "c", "d"]) {
        site.add(*list, reader(&format!("{name}@example.com"), noon()));
    }
    (site, lists)
}

fn run_with(site: &Site, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let mut command = site.command(&[&["run"], arguments].concat());
    command.envs(variables.iter().copied());
    site.finish(command)
}

#[test]
fn lists_are_selected_by_id_then_unique_list_id_then_name() {
    for (arguments, variables, expected) in [
        (&["--list", "22"][..], &[][..], "b"),
        (&["--list", "11"], &[], "a"),
        (&["--list", "awlist33"], &[], "c"),
        // The unique_list_id of one list is the name of another.
        (&["--list", "News, weekly"], &[], "d"),
        (&["--list", "22", "--list", "33"], &[], "bc"),
        (&["--list", "22", "--list", "awlist22"], &[], "b"),
        (&["--exclude-list", "22"], &[], "acd"),
        (
            &["--exclude-list", "22", "--exclude-list", "awlist33"],
            &[],
            "ad",
        ),
        (
            &["--list", "11", "--list", "22", "--exclude-list", "11"],
            &[],
            "b",
        ),
        (&[], &[("AWEBER_SYNC_LIST", "22")], "b"),
        (&[], &[("AWEBER_SYNC_LIST", "22, awlist33")], "bc"),
        (&[], &[("AWEBER_SYNC_LIST", "\"News, weekly\",11")], "ad"),
        (&["--list", "11"], &[("AWEBER_SYNC_LIST", "22")], "a"),
        (
            &[],
            &[("AWEBER_SYNC_EXCLUDE_LIST", "11,\"News, weekly\"")],
            "bc",
        ),
        (&[], &[("AWEBER_SYNC_LIST", "")], "abcd"),
    ] {
        let (site, _) = site_with_lists();
        run_with(&site, arguments, variables)
            .case(&format_args!("{arguments:?} {variables:?}"))
            .exits(0);
        let expected: Vec<String> = expected
            .chars()
            .map(|c| format!("{c}@example.com"))
            .collect();
        assert_eq!(site.emails(), expected, "{arguments:?} {variables:?}");
    }
}

#[test]
fn a_name_with_a_comma_is_one_name_on_the_command_line() {
    let site = Site::on(noon());
    let list = site.list("News, weekly");
    site.add(list, reader("a@example.com", noon()));
    site.run_exports(&["--list", "News, weekly"], &["a@example.com"]);
}

#[test]
fn an_unknown_or_ambiguous_list_is_rejected_before_anything_is_exported() {
    for (arguments, variables, says) in [
        (&["--list", "Nowhere"][..], &[][..], "\"Nowhere\""),
        (
            &["--list", "22", "--list", "news, weekly"],
            &[],
            "\"news, weekly\"",
        ),
        (&["--list", "99"], &[], "\"99\""),
        (&["--list", "Offers"], &[], "2 lists"),
        (&["--exclude-list", "Nowhere"], &[], "--exclude-list"),
        (&["--exclude-list", "Offers"], &[], "2 lists"),
        (&[], &[("AWEBER_SYNC_LIST", "22,Nowhere")], "\"Nowhere\""),
        (&[], &[("AWEBER_SYNC_LIST", "News, weekly")], "\"News\""),
    ] {
        let (site, _) = site_with_lists();
        run_with(&site, arguments, variables)
            .case(&format_args!("{arguments:?}"))
            .exits(78)
            .says(says)
            .says("nothing was exported");
        assert!(site.files().is_empty());
        assert_eq!(site.asked(), ["token", "lists"]);
        assert!(site.token_is_live());
    }
}

#[test]
fn a_list_excluded_at_first_is_exported_whole_once_it_is_included() {
    let (site, lists) = site_with_lists();
    site.run_exports(
        &["--exclude-list", "22"],
        &["a@example.com", "c@example.com", "d@example.com"],
    );
    site.sandbox.with(|w| {
        w.subscriber_mut(lists[1], 50_000_002)
            .unwrap()
            .subscribed_at = at("2019-01-01T00:00:00Z")
    });
    site.set_now(noon() + TimeDelta::days(9));
    site.run_exports(&[], &["b@example.com"]);
}

/// A list with one subscriber of each status.
fn site_with_statuses() -> (Site, u64) {
    let site = Site::on(noon());
    let list = site.list("News");
    let old = noon() - TimeDelta::days(200);
    site.add(list, reader("subscribed@example.com", old));
    site.add(
        list,
        reader("gone@example.com", old).unsubscribed_at(noon(), "customer cp"),
    );
    site.add(
        list,
        sign_up("unconfirmed@example.com", noon() - TimeDelta::days(3)),
    );
    (site, list)
}

#[test]
fn only_the_requested_statuses_are_exported() {
    for (wanted, expected) in [
        ("subscribed", &["subscribed"][..]),
        ("unsubscribed", &["gone"]),
        ("unconfirmed", &["unconfirmed"]),
        ("subscribed,unsubscribed", &["gone", "subscribed"]),
        (
            "unconfirmed,unsubscribed,subscribed",
            &["gone", "subscribed", "unconfirmed"],
        ),
    ] {
        for as_variable in [false, true] {
            let (site, _) = site_with_statuses();
            let done = if as_variable {
                run_with(&site, &[], &[("AWEBER_SYNC_STATUS", wanted)])
            } else {
                run_with(&site, &["--status", wanted], &[])
            };
            done.exits(0);
            let emails: Vec<_> = expected
                .iter()
                .map(|e| format!("{e}@example.com"))
                .collect();
            assert_eq!(site.emails(), emails, "{wanted}");
        }
    }
}

#[test]
fn a_newly_requested_status_is_exported_whole() {
    let (site, list) = site_with_statuses();
    site.run_exports(&[], &["subscribed@example.com"]);
    // One who was exported before and has left since then is exported as unsubscribed.
    let ids: Vec<u64> = site
        .sandbox
        .with(|w| w.subscribers(list).map(|s| s.id).collect());
    site.sandbox.with(|w| w.unsubscribe(list, ids[0]));
    let both = ["--status", "subscribed,unsubscribed"];
    site.run_exports(&both, &["gone@example.com", "subscribed@example.com"]);
    site.run_exports(&both, &[]);
    site.run_exports(
        &["--status", "unconfirmed,subscribed"],
        &["unconfirmed@example.com"],
    );
    site.run_exports(&[], &[]);
}

#[test]
fn sign_ups_during_runs_for_another_status_are_not_lost() {
    let (site, list) = site_with_statuses();
    site.run_exports(&[], &["subscribed@example.com"]);
    site.add(
        list,
        reader("meanwhile@example.com", noon() + TimeDelta::hours(1)),
    );
    site.set_now(noon() + TimeDelta::days(1));
    site.run_exports(&["--status", "unsubscribed"], &["gone@example.com"]);
    site.set_now(noon() + TimeDelta::days(30));
    let late = reader("late@example.com", noon() + TimeDelta::days(20));
    let late = late.unsubscribed_at(noon(), "customer cp");
    site.add(list, late);
    site.run_exports(&["--status", "unsubscribed"], &["late@example.com"]);
    site.run_exports(&[], &["meanwhile@example.com"]);
}

#[test]
fn a_first_export_starts_at_since_and_full_remembers_it() {
    for since in ["2026-03-07", "today"] {
        let (site, list) = site_with_nine_days();
        let first = if since == "today" { 8 } else { 5 };
        run_with(&site, &[], &[("AWEBER_SYNC_SINCE", since)]).exits(0);
        let wanted = (first..9).map(|n| format!("reader{n}-{list}@example.com"));
        assert_eq!(site.emails(), sorted(wanted), "{since}");
        site.run_exports(&[], &[]);
        site.run_exports(&["--full"], &[]);
        // It applies only to lists never exported before.
        site.run_exports(&["--since", "2026-03-01"], &[]);
        site.run_exports(&["--full", "--since", "2026-03-01"], &[]);
        // An import dated before that day is skipped, one dated after it is exported.
        site.add(
            list,
            reader("too-old@example.com", at("2026-03-06T23:00:00Z")),
        );
        site.add(list, reader("today@example.com", noon()));
        site.run_exports(&["--full"], &["today@example.com"]);
        // A new list has its own start.
        let other = site.list("Later");
        site.add(
            other,
            reader("other-old@example.com", at("2026-03-02T00:00:00Z")),
        );
        site.add(
            other,
            reader("other@example.com", at("2026-03-08T00:00:00Z")),
        );
        site.run_exports(&["--since", "2026-03-05"], &["other@example.com"]);
    }
}

#[test]
fn since_today_is_a_day_of_the_server_clock() {
    let site = Site::on(at("2031-05-05T00:30:00Z"));
    let list = site.list("News");
    site.add(
        list,
        reader("yesterday@example.com", at("2031-05-04T23:59:59Z")),
    );
    site.add(
        list,
        reader("today@example.com", at("2031-05-05T00:00:00Z")),
    );
    site.run_exports(&["--since", "today"], &["today@example.com"]);
}

#[test]
fn an_invalid_day_or_status_is_a_usage_error_before_any_request() {
    let (site, _) = site_with_nine_days();
    for arguments in [
        ["--since", "yesterday"],
        ["--since", "10.3.2026"],
        ["--since", "2026-02-30"],
        ["--status", "deleted"],
        ["--requests-per-minute", "0"],
        ["--retry-wait", "soon"],
    ] {
        site.run(&arguments)
            .case(&format_args!("{arguments:?}"))
            .exits(2)
            .says(arguments[1]);
    }
    assert_eq!(site.requests(), 0);
}

#[test]
fn full_accepts_boolean_variables() {
    for (value, is_full) in [
        ("true", true),
        ("1", true),
        ("yes", true),
        ("on", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("", false),
    ] {
        let (site, list) = site_with_nine_days();
        site.run_ok(&[]);
        site.add(
            list,
            reader("import@example.com", at("2020-01-01T00:00:00Z")),
        );
        run_with(&site, &[], &[("AWEBER_SYNC_FULL", value)])
            .case(&value)
            .exits(0);
        assert_eq!(site.files().len(), if is_full { 2 } else { 1 }, "{value}");
    }
}

#[test]
fn empty_variables_count_as_unset() {
    let (site, _) = site_with_nine_days();
    let state_dir = site.state_dir();
    let (api, auth) = (site.sandbox.api_url(), site.sandbox.auth_url());
    let given = [
        "--state-dir",
        state_dir.to_str().unwrap(),
        "--api-url",
        &api,
        "--auth-url",
        &auth,
    ];
    let mut command = site.command(&[&["run"][..], &given].concat());
    for name in [
        "AWEBER_API_URL",
        "AWEBER_AUTH_URL",
        "AWEBER_CLIENT_ID",
        "AWEBER_CLIENT_SECRET",
        "AWEBER_CLIENT_SECRET_FILE",
        "AWEBER_SYNC_DRY_RUN",
        "AWEBER_SYNC_EXCLUDE_LIST",
        "AWEBER_SYNC_FULL",
        "AWEBER_SYNC_LIST",
        "AWEBER_SYNC_LOCK_WAIT",
        "AWEBER_SYNC_LOG",
        "AWEBER_SYNC_OUTPUT",
        "AWEBER_SYNC_OUTPUT_MODE",
        "AWEBER_SYNC_RATE_LIMIT_WAIT",
        "AWEBER_SYNC_REQUESTS_PER_MINUTE",
        "AWEBER_SYNC_RETRY_WAIT",
        "AWEBER_SYNC_SINCE",
        "AWEBER_SYNC_STATE_DIR",
        "AWEBER_SYNC_STATUS",
        "AWEBER_SYNC_TIMEOUT",
        "AWEBER_SYNC_TOKEN_FILE",
        "CREDENTIALS_DIRECTORY",
        "STATE_DIRECTORY",
        "XDG_STATE_HOME",
    ] {
        command.env(name, "");
    }
    site.finish(command).exits(0);
    assert_eq!(site.rows().len(), 9);
}
