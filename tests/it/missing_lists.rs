//! The collection of lists when AWeber leaves some out, all of them, or counts them wrongly.

use crate::commands::command;
use crate::support::Site;
use crate::support::subscribed;
use aweber_sandbox::{Fault, FaultKind};
use serde_json::json;

const LISTS: &str = "/lists?ws.start=";

fn site() -> (Site, [u64; 3]) {
    let site = Site::new();
    let lists = [2, 3, 1].map(|count| site.add_list(count));
    (site, lists)
}

/// No list at all, and a count that agrees.
fn nothing() -> FaultKind {
    FaultKind::replace(|mut page| {
        page["entries"] = json!([]);
        page["total_size"] = json!(0);
        page["next_collection_link"] = json!(null);
        page
    })
}

/// Only the first list, without a link to more; the count is right.
fn only_the_first() -> FaultKind {
    FaultKind::replace(|mut page| {
        page["entries"].as_array_mut().unwrap().truncate(1);
        page["next_collection_link"] = json!(null);
        page
    })
}

#[test]
fn an_account_without_lists_is_not_believed_if_lists_are_known() {
    let (site, lists) = site();
    site.run_ok(&[]);
    let newcomers = site
        .sandbox
        .with(|world| world.add_subscribers(lists[0], 2));
    assert_eq!(newcomers.len(), 2);
    site.sandbox
        .with(|world| world.fault(Fault::on(LISTS).always().answer(nothing())));
    site.run(&[])
        .exits(69)
        .says("lists")
        .says_safe("nothing was exported")
        .says("next: ");
    command(&site, &["status"]).prints("cannot read the lists");
    site.sandbox.with(|world| {
        world.clear_faults();
        world.fault(Fault::on(LISTS).times(1).answer(nothing()));
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn an_account_without_lists_is_not_believed_if_some_are_named() {
    let (site, lists) = site();
    site.sandbox
        .with(|world| world.fault(Fault::on(LISTS).times(1).answer(nothing())));
    site.run_ok(&["--list", &lists[1].to_string()]);
    assert_eq!(site.emails(), subscribed(&site, &lists[1..2]));
}

#[test]
fn an_account_that_has_no_lists_yet_is_fine() {
    Site::new().run_ok(&[]);
}

#[test]
fn a_first_page_that_leaves_lists_out_is_asked_again() {
    let (site, lists) = site();
    site.sandbox
        .with(|world| world.fault(Fault::on(LISTS).times(1).answer(only_the_first())));
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn a_count_of_lists_that_is_always_too_high_is_said_and_everybody_exported() {
    let (site, lists) = site();
    let one_more = FaultKind::replace(|mut page| {
        page["total_size"] = json!(page["total_size"].as_u64().unwrap() + 1);
        page
    });
    site.sandbox
        .with(|world| world.fault(Fault::on(LISTS).always().answer(one_more)));
    site.run_ok(&[])
        .says("AWeber counts 4 lists, but its pages hold 3");
    assert_eq!(site.emails(), subscribed(&site, &lists));
    assert!(site.sandbox.with(|world| world.count(LISTS)) < 10);
}
