//! Well-formed pages with false information: about the next page, the content, or the position.

use super::bodies::entries;
use super::step::Step::*;
use super::step::{ACCOUNT, ALL, ANOTHER_ACCOUNT, API, COUNT, LISTS, ONE, PAGED, PAGES};
use super::table::Outcome::{Ends, Retries, Succeeds};
use super::table::{Outcomes, Row, change, foreign_host, row};
use aweber_sandbox::{FaultKind, World};
use serde_json::{Value, json};

/// Replaces the next link, or adds one.
fn link(link: Value) -> FaultKind {
    FaultKind::replace(move |mut page| {
        page["next_collection_link"] = link.clone();
        page
    })
}

/// Changes the next link if there is one.
fn next(change: fn(&str) -> String) -> FaultKind {
    FaultKind::replace(move |mut page| {
        if let Some(link) = page["next_collection_link"].as_str() {
            page["next_collection_link"] = change(link).into();
        }
        page
    })
}

/// Duplicates every entry.
pub(super) fn twice(mut page: Value) -> Value {
    let own = page["entries"].as_array().unwrap().iter();
    let again = own.flat_map(|entry| [entry.clone(), entry.clone()]);
    page["entries"] = again.collect();
    page
}

/// Removes the next link.
fn without_next(mut page: Value) -> Value {
    page.as_object_mut()
        .unwrap()
        .shift_remove("next_collection_link");
    page
}

/// Half of the entries and no next link.
fn half(page: Value) -> Value {
    let mut page = without_next(page);
    let own = page["entries"].as_array_mut().unwrap();
    own.truncate(own.len() / 2);
    page
}

pub(super) fn remove_list(world: &mut World) {
    let news = world.lists().find(|list| list.name == "News").unwrap().id;
    world.remove_list(news);
}

pub(super) fn switch_account(world: &mut World) {
    world.account.id = ANOTHER_ACCOUNT;
}

fn backwards(link: &str) -> String {
    link.replace("ws.start=100", "ws.start=0")
        .replace("ws.start=199", "ws.start=99")
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    const REFUSED: Outcomes = &[(PAGED, Retries)];
    const HARMLESS: Outcomes = &[(PAGED, Succeeds)];
    let other_host = foreign_host().api_url();
    let no_link = "is not a link";
    vec![
        // Links to other places are not followed, and the page is rejected.
        row("next on another host", link(json!(format!("{other_host}/1.0/accounts"))), "another host", REFUSED),
        row("next on another host, by https", link(json!("https://elsewhere.example/1.0/accounts")), "another host", REFUSED),
        row("next on another host, without scheme", link(json!("//elsewhere.example/1.0/accounts")), "another host", REFUSED),
        row("next on this host with a password", link(json!("http://user:secret@127.0.0.1:1/1.0/accounts")), "another host", REFUSED),
        row("next in a file", link(json!("file:///etc/passwd")), "another host", REFUSED),
        row("next as a script", link(json!("javascript:alert(1)")), "another host", REFUSED),
        row("next on another path", link(json!("/1.0/accounts/1/lists/2/subscribers?ws.start=100")), "another collection", REFUSED),
        row("next one level up", next(|link| link.replace("/subscribers?", "/subscribers/../campaigns?").replace("/lists?", "/lists/../integrations?")), "another collection", &[(&[FirstPage, MiddlePage], Retries)]),
        row("next a number", link(json!(200)), no_link, REFUSED),
        row("next a list", link(json!([])), no_link, REFUSED),
        row("next null", link(Value::Null), "", &[(&[Lists, LaterLists, Unconfirmed, Recent, StillUnconfirmed, LastPage], Succeeds)]),
        // Links that only say that more pages follow.
        row("next by the other scheme", next(|link| link.replace("http://", "https://")), "", HARMLESS),
        row("next without host", next(|link| link[link.find("/1.0").unwrap()..].to_owned()), "", HARMLESS),
        row("next without a query", next(|link| link[..link.find('?').unwrap()].to_owned()), "", HARMLESS),
        row("next to itself", next(|link| link.replace("ws.start=100", "ws.start=0").replace("ws.start=199", "ws.start=99")), "", HARMLESS),
        row("next to the page before", next(backwards), "", HARMLESS),
        row("always a next link", FaultKind::replace(|mut page| { page["next_collection_link"] = json!(page["self_link"]); page }), "repeat without a new row", &[(&[Unconfirmed, Recent, StillUnconfirmed, Left, RecentlyLeft], Retries)]),
        // Pages that claim to be the last one, or to be empty.
        row("no next link", FaultKind::replace(without_next), "", &[(&[FirstPage, MiddlePage], Succeeds)]),
        row("half a page and no next link", FaultKind::replace(half), "", &[(&[MiddlePage, LastPage], Succeeds)]),
        row("empty", FaultKind::EmptyPage, "", &[(&[MiddlePage, LastPage], Succeeds), (&[StillUnconfirmed], Succeeds)]),
        row("empty, and the first", FaultKind::EmptyPage, "", &[(ACCOUNT, Retries), (LISTS, Retries), (&[Unconfirmed, FirstPage, Recent, Left, RecentlyLeft], Retries)]),
        // Pages from another position, or of another size.
        row("the page before", FaultKind::other_page(|start| start.saturating_sub(99), 100), "", &[(&[Account, Lists, Unconfirmed, FirstPage, LastPage, Recent, StillUnconfirmed], Succeeds), (&[LaterLists, MiddlePage], Retries)]),
        row("the first page", FaultKind::other_page(|_| 0, 100), "", &[(&[Account, Lists, Unconfirmed, FirstPage, LastPage, Recent, StillUnconfirmed], Succeeds), (&[LaterLists, MiddlePage], Retries)]),
        row("a page further on", FaultKind::other_page(|start| start + 50, 100), "", &[(&[MiddlePage, LastPage], Succeeds)]),
        row("a page after the end", FaultKind::other_page(|_| 1_000_000, 100), "", &[(&[MiddlePage, LastPage, StillUnconfirmed], Succeeds), (&[Lists, LaterLists, Unconfirmed, FirstPage, Recent], Retries)]),
        row("a page of 150", FaultKind::other_page(|start| start, 150), "", HARMLESS),
        row("all entries on one page", FaultKind::other_page(|_| 0, 1000), "", &[(&[Account, Lists, Unconfirmed, FirstPage, MiddlePage, Recent, StillUnconfirmed], Succeeds), (&[LaterLists, LastPage], Retries)]),
        row("a page of one", FaultKind::other_page(|start| start, 1), "AWeber's pages", &[(&[Account, StillUnconfirmed], Succeeds), (&[Lists, LaterLists, Unconfirmed, FirstPage, MiddlePage, LastPage, Recent], Retries)]),
        row("every entry twice", FaultKind::replace(twice), "", HARMLESS),
        row("the wrong start", FaultKind::replace(|mut page| { page["start"] = json!(-7); page }), "", HARMLESS),
        row("no start and no size", FaultKind::replace(|mut page| { let own = page.as_object_mut().unwrap(); own.remove("start"); own.remove("total_size"); page }), "", HARMLESS),
        row("the status in capitals", entries(|entry| if entry.contains_key("status") { entry["status"] = json!(entry["status"].as_str().unwrap().to_uppercase()) }), "", &[(API, Succeeds)]),
        // The world changes during the run.
        change("the list is deleted", remove_list, "404", &[(PAGES, Ends(69)), (COUNT, Ends(69)), (ONE, Succeeds)]),
        change("the account is another one", switch_account, "Invalid Account", &[(LISTS, Ends(77)), (PAGES, Ends(77)), (COUNT, Ends(77)), (ONE, Ends(77))]),
        change("no date", |world| world.settings.send_date = false, "", &[(ALL, Succeeds)]),
        change("the tokens are revoked", World::revoke_everything, "authorize", &[(ALL, Ends(77))]),
    ]
}
