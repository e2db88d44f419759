//! Promise N2 in the plain case: all subscribers once with exact cells, no file without new rows, and the number of
//! requests.

use crate::support::calendar::{add_readers, at, plain_row, reader, sign_up};
use crate::support::{Row, Site, sorted, subscribed};
use aweber_sandbox::{ClientKind, Clock, Settings};
use chrono::TimeDelta;

const NOON: &str = "2026-03-10T12:00:00Z";

#[test]
fn three_lists_of_250_are_exported_once_with_exact_cells() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let settings = Settings {
            clock: Clock::Fixed(at(NOON)),
            ..Settings::default()
        };
        let site = Site::with(kind, settings);
        let lists = ["News", "Offers, weekly", "\"Tips\""].map(|name| (site.list(name), name));
        site.sandbox.with(|world| {
            for (list, _) in lists {
                add_readers(world, list, 250, at(NOON), TimeDelta::hours(11));
            }
        });
        site.run_ok(&[]).prints_nothing().is_silent();
        assert_eq!(site.files().len(), 1);
        let expected: Vec<Row> = site.sandbox.with(|world| {
            let rows = lists.iter().flat_map(|(list, name)| {
                let people = world.subscribers(*list);
                people.map(|subscriber| plain_row(*list, name, subscriber))
            });
            rows.collect()
        });
        // Whole records, by list, and the oldest first within a list.
        assert_eq!(site.rows(), expected);

        site.forget_requests();
        site.run_exports(&[], &[]);
        let [a, b, c] = lists.map(|(list, _)| format!("{list} recent"));
        assert_eq!(site.asked(), ["token", "lists", &a, &b, &c]);

        let new = ["n1", "n2", "n3", "n4", "n5"];
        for (i, email) in new.iter().enumerate() {
            let when = at(NOON) + TimeDelta::minutes(i as i64);
            site.add(lists[i % 3].0, reader(email, when));
        }
        site.set_now(at("2026-03-11T12:00:00Z"));
        site.run_exports(&[], &new);
        site.run_exports(&[], &[]);
    }
}

#[test]
fn a_published_file_is_exact_to_the_byte() {
    let site = Site::on(at(NOON));
    let list = site
        .sandbox
        .with(|w| w.add_list_with(7, "A, \"B\"", "awlist7"));
    site.add(
        list,
        reader("ann@example.com", at("2026-03-09T23:30:00Z"))
            .id(11)
            .name("Ann \"A\" Lee,\nBerlin")
            .verified_at(at("2026-03-09T23:40:00Z"))
            .tags(["a,b", "c"])
            .custom("Color", "blue")
            .custom("COLOR", serde_json::Value::Null)
            .with("postal_code", "01234")
            .with_raw("latitude", "40.10"),
    );
    site.add(
        list,
        reader("b@example.com", at("2026-03-10T01:00:00.5Z")).id(12),
    );
    site.run_ok(&[]);
    let expected = "\
list_id,list_name,id,email,name,status,subscribed_at,verified_at,is_verified,subscription_method,subscription_url,\
ad_tracking,ip_address,country,region,city,postal_code,area_code,dma_code,latitude,longitude,tags,custom_fields,\
misc_notes,last_followup_message_number_sent,last_followup_sent_at,unsubscribed_at,unsubscribe_method\n\
7,\"A, \"\"B\"\"\",11,ann@example.com,\"Ann \"\"A\"\" Lee,\nBerlin\",subscribed,2026-03-09T23:30:00Z,\
2026-03-09T19:40:00,true,webform,,,192.0.2.12,,,,01234,,,40.10,,\"\"\"a,b\"\",c\",\
\"{\"\"Color\"\":\"\"blue\"\",\"\"COLOR\"\":null}\",,0,,,\n\
7,\"A, \"\"B\"\"\",12,b@example.com,,subscribed,2026-03-10T01:00:00.500000Z,,false,webform,,,192.0.2.13,,,,,,,,,,,,0,,,\n";
    let [file] = &site.files()[..] else {
        panic!("one file")
    };
    assert_eq!(std::fs::read_to_string(file).unwrap(), expected);
}

#[test]
fn unconfirmed_sign_ups_cost_an_idle_run_one_request_per_list() {
    let site = Site::on(at(NOON));
    let lists = [site.list("News"), site.list("Tips")];
    site.sandbox.with(|world| {
        for list in lists {
            add_readers(world, list, 60, at(NOON), TimeDelta::days(1));
        }
    });
    let waiting = site.add(
        lists[1],
        sign_up("late@example.com", at("2026-03-01T00:00:00Z")),
    );
    site.run_ok(&[]);
    assert_eq!(site.pending(lists[1]), [waiting]);
    site.forget_requests();
    site.run_exports(&[], &[]);
    let [news, tips] = lists;
    assert_eq!(
        site.asked(),
        [
            "token",
            "lists",
            &format!("{news} recent"),
            &format!("{tips} recent"),
            &format!("{tips} unconfirmed"),
        ]
    );
}

#[test]
fn an_empty_list_costs_an_idle_run_one_request_and_creates_no_file() {
    let site = Site::on(at(NOON));
    let list = site.list("Nobody yet");
    site.run_exports(&[], &[]);
    site.forget_requests();
    site.run_exports(&[], &[]);
    assert_eq!(site.asked(), ["token", "lists", &format!("{list} recent")]);
    site.add(list, reader("first@example.com", at(NOON)));
    site.run_exports(&[], &["first@example.com"]);
}

#[test]
fn an_account_without_lists_takes_two_requests() {
    let site = Site::new();
    site.run_exports(&[], &[]);
    assert_eq!(site.asked(), ["token", "lists"]);
}

#[test]
fn lists_that_end_at_a_page_boundary_are_complete() {
    let site = Site::on(at(NOON));
    for count in [1, 99, 100, 101, 199, 200, 298, 299] {
        let list = site.list(&format!("With {count}"));
        site.sandbox
            .with(|w| add_readers(w, list, count, at(NOON), TimeDelta::seconds(1)));
    }
    let lists: Vec<u64> = site
        .sandbox
        .with(|w| w.lists().map(|list| list.id).collect());
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
    // The window of the second run contains them all: the same page boundaries again.
    site.run_exports(&[], &[]);
    let mut new = Vec::new();
    for list in &lists {
        let email = format!("new{list}@example.com");
        site.add(*list, reader(&email, at(NOON)));
        new.push(email);
    }
    site.run_exports(&[], &new.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn each_of_250_lists_is_exported() {
    let site = Site::on(at(NOON));
    for i in 0..250 {
        let list = site.list(&format!("List {i}"));
        site.add(list, reader(&format!("only{i}@example.com"), at(NOON)));
    }
    site.run_ok(&[]);
    assert_eq!(
        site.emails(),
        sorted((0..250).map(|i| format!("only{i}@example.com")))
    );
    site.forget_requests();
    site.run_exports(&[], &[]);
    // Three pages of lists and one refresh.
    assert_eq!(site.requests(), 1 + 3 + 250);
}

#[test]
fn three_hundred_sign_ups_in_the_same_second_are_all_exported() {
    let site = Site::on(at(NOON));
    let list = site.list("Import");
    site.sandbox
        .with(|w| add_readers(w, list, 300, at(NOON), TimeDelta::zero()));
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(site.rows().len(), 300);
    site.run_exports(&[], &[]);
}

#[test]
fn every_form_of_links_and_counts_is_paged_to_the_end() {
    let defaults = Settings {
        clock: Clock::Fixed(at(NOON)),
        ..Settings::default()
    };
    let table = [
        (
            "null links",
            Settings {
                null_links: true,
                ..defaults.clone()
            },
        ),
        (
            "relative links",
            Settings {
                relative_links: true,
                ..defaults.clone()
            },
        ),
        (
            "links with the other scheme",
            Settings {
                old_http_links: true,
                ..defaults.clone()
            },
        ),
        (
            "no links on list finds",
            Settings {
                find_has_next_link: false,
                ..defaults.clone()
            },
        ),
        (
            "count as object",
            Settings {
                show_total_as_object: true,
                ..defaults.clone()
            },
        ),
        (
            "compressed",
            Settings {
                gzip: true,
                ..defaults.clone()
            },
        ),
        (
            "strict parameters",
            Settings {
                refuse_unknown_parameters: true,
                ..defaults
            },
        ),
    ];
    for (what, settings) in table {
        let site = Site::with(ClientKind::Public, settings);
        let lists: Vec<u64> = (0..101).map(|i| site.list(&format!("List {i}"))).collect();
        site.sandbox
            .with(|w| add_readers(w, lists[100], 201, at(NOON), TimeDelta::hours(1)));
        site.run(&["--list", "List 100", "--list", "List 0"])
            .case(&what)
            .exits(0);
        assert_eq!(site.emails(), subscribed(&site, &lists), "{what}");
    }
}
