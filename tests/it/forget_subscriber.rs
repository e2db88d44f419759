//! `forget --subscriber`: the ledger holds nothing about a person any more, in any table or free page.

use crate::commands::{command, stdout_of};
use crate::support::{Site, sorted};
use aweber_sandbox::{NewSubscriber, Status};
use rusqlite::Connection;
use std::path::Path;

/// An id that no count, time or other id contains by chance.
const PERSON: u64 = 7_391_846_205_517;

/// A site with two lists, and the person on both: subscribed on the first, unconfirmed and once gone on the second.
fn site_with_person() -> (Site, u64, u64) {
    let site = Site::new();
    let (news, tips) = site.sandbox.with(|world| {
        let (news, tips) = (world.add_list("News"), world.add_list("Tips"));
        world.add_subscribers(news, 3);
        world.add_subscribers(tips, 2);
        world.add_subscriber(news, NewSubscriber::new("person@example.com").id(PERSON));
        let pending = NewSubscriber::new("person@example.com").id(PERSON);
        world.add_subscriber(tips, pending.status(Status::Unconfirmed));
        (news, tips)
    });
    site.run_ok(&[]);
    (site, news, tips)
}

/// How many records of any table name the person.
fn records(site: &Site) -> i64 {
    let ledger: Connection = site.ledger();
    ["subscription", "unsubscription", "pending"]
        .iter()
        .map(|table| {
            let sql = format!("SELECT count(*) FROM {table} WHERE subscriber = ?1");
            ledger
                .query_row(&sql, [PERSON as i64], |row| row.get::<_, i64>(0))
                .unwrap()
        })
        .sum()
}

/// Whether the bytes of the id are in a file, as SQLite stores it (six bytes, big endian) or as text.
fn holds(file: &Path) -> bool {
    let content = std::fs::read(file).unwrap();
    let stored = &PERSON.to_be_bytes()[2..];
    let text = PERSON.to_string();
    let has = |bytes: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
    has(stored) || has(text.as_bytes())
}

#[test]
fn nothing_about_a_forgotten_person_is_left_in_the_ledger() {
    let (site, news, _) = site_with_person();
    site.sandbox.with(|world| world.unsubscribe(news, PERSON));
    site.run_ok(&["--status", "subscribed,unsubscribed"]);
    assert_eq!(records(&site), 3);
    assert!(holds(&site.ledger_file()));
    let ids = site.sandbox.with(|world| world.requests.len());

    let id = PERSON.to_string();
    let printed = stdout_of(&site, &["forget", "--subscriber", &id]);
    assert!(
        printed.starts_with(&format!("Forgotten: subscriber {PERSON}, 3 records.\n")),
        "{printed}"
    );
    assert!(printed.contains("delete them there too"), "{printed}");
    assert_eq!(site.requests(), ids, "an id needs no network");
    assert_eq!(records(&site), 0);
    for file in crate::support::files_below(&site.state_dir()) {
        if !file.starts_with(site.exports()) {
            assert!(!holds(&file), "{}", file.display());
        }
    }
    let again = stdout_of(&site, &["forget", "--subscriber", &id]);
    assert!(
        again.starts_with("The ledger holds nothing about subscriber "),
        "{again}"
    );
}

#[test]
fn other_people_and_lists_are_not_forgotten_with_a_person() {
    let (site, news, tips) = site_with_person();
    let id = PERSON.to_string();
    let list = news.to_string();
    let printed = stdout_of(&site, &["forget", "--subscriber", &id, "--list", &list]);
    assert!(
        printed.starts_with(&format!(
            "Forgotten: subscriber {PERSON} on list {news}, 1 record.\n"
        )),
        "{printed}"
    );
    assert_eq!(records(&site), 1, "pending on {tips}");
    let before = site.emails();
    // Deleted at AWeber, as the message says.
    site.sandbox.with(|world| world.delete(news, PERSON));
    for arguments in [&[][..], &["--full"]] {
        site.run_ok(arguments);
        assert_eq!(site.emails(), before);
    }
}

#[test]
fn a_forgotten_person_who_is_still_on_a_list_is_exported_again() {
    let (site, ..) = site_with_person();
    let before = site.emails();
    stdout_of(&site, &["forget", "--subscriber", &PERSON.to_string()]);
    site.run_ok(&["--full"]);
    let person = "person@example.com".to_owned();
    assert_eq!(site.emails(), sorted(before.into_iter().chain([person])));
}

#[test]
fn a_person_at_the_position_of_an_unfinished_export_is_forgotten_too() {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("News");
        world.add_subscribers(list, 300);
        // The last row of the second page.
        let row = world.subscribers(list).nth(197).unwrap();
        let at = row.subscribed_at + chrono::TimeDelta::milliseconds(1);
        let person = NewSubscriber::new("person@example.com").id(PERSON);
        world.add_subscriber(list, person.subscribed_at(at));
        list
    });
    let held = site.hold_on("status=subscribed", &[], 3);
    let (stopped, _) = site.stop(held, rustix::process::Signal::TERM);
    stopped.exits(143);
    let id = PERSON.to_string();
    command(&site, &["forget", "--subscriber", &id])
        .exits(75)
        .says("cannot forget subscriber")
        .says_safe("nothing was forgotten");
    // Publishes the batch, then fails before the list is read on.
    let mut offline = site.command(&["run"]);
    offline.env("AWEBER_AUTH_URL", "http://127.0.0.1:9");
    site.finish(offline).exits(69);
    assert!(holds(&site.ledger_file()));
    let printed = stdout_of(&site, &["forget", "--subscriber", &id]);
    assert!(!holds(&site.ledger_file()), "{printed}");
    site.sandbox.with(|world| world.delete(list, PERSON));
    site.run_ok(&[]);
    let person = "person@example.com".to_owned();
    let all = crate::support::subscribed(&site, &[list]).into_iter();
    assert_eq!(site.emails(), sorted(all.chain([person])));
}

#[test]
fn a_person_is_named_by_an_id_and_without_a_day() {
    let (site, ..) = site_with_person();
    for arguments in [
        &["forget"][..],
        &["forget", "--subscriber", "person@example.com"],
        &["forget", "--subscriber", "0"],
        &["forget", "--subscriber", "7", "--since", "2026-01-01"],
    ] {
        command(&site, arguments).exits(2);
    }
    let fresh = Site::new();
    let printed = stdout_of(&fresh, &["forget", "--subscriber", "7"]);
    assert!(printed.starts_with("The ledger holds nothing"), "{printed}");
}

#[test]
fn a_copy_of_the_old_ledger_that_stays_is_an_error() {
    let (site, ..) = site_with_person();
    let copy = site.ledger_file().with_extension("sqlite3.v1");
    // Cannot be removed like a file.
    std::fs::create_dir(&copy).unwrap();
    let id = PERSON.to_string();
    command(&site, &["forget", "--subscriber", &id])
        .exits(74)
        .says("cannot remove the copy, made before its upgrade, of the ledger")
        .says("safe: the ledger itself holds nothing about this person any more")
        .says_next(&format!("rm '{}'", copy.display()));
    assert_eq!(records(&site), 0);
    std::fs::remove_dir(&copy).unwrap();
    command(&site, &["forget", "--subscriber", &id]).exits(0);
}
