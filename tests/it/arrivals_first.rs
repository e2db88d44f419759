//! The arrivals of all lists come before the departures of any: where AWeber ignores the filter for recent departures,
//! those of one list may take longer than a run has.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Site, sorted};
use aweber_sandbox::{Fault, FaultKind};
use chrono::TimeDelta;

const BOTH: [&str; 2] = ["--status", "subscribed,unsubscribed"];

#[test]
fn departures_that_take_longer_than_the_run_do_not_keep_later_lists_from_their_arrivals() {
    let today = at("2026-03-01T12:00:00Z");
    let site = Site::on(today);
    let lists = ["News", "Tips", "Offers"].map(|name| site.list(name));
    let leavers = site.sandbox.with(|w| {
        w.settings.ignored_parameters = vec!["unsubscribed_after"];
        lists.map(|list| add_readers(w, list, 3, today, TimeDelta::hours(1))[0])
    });
    site.run_ok(&BOTH);
    let before = site.emails();
    site.set_now(today + TimeDelta::days(1));
    site.sandbox.with(|w| {
        for (list, id) in lists.iter().zip(leavers) {
            w.unsubscribe(*list, id);
        }
        let departures = format!("/lists/{}/subscribers?ws.op=find&sort_key=unsub", lists[0]);
        w.fault(Fault::on(&departures).answer(FaultKind::Never { work_done: false }));
    });
    let new = lists.map(|list| {
        let email = format!("new{list}@example.com");
        site.add(list, reader(&email, today + TimeDelta::days(1)));
        email
    });
    site.run(&[&BOTH[..], &["--max-duration", "3s"]].concat())
        .exits(75);
    let expected = sorted(before.into_iter().chain(new));
    assert_eq!(site.emails(), expected);
    // The next run finds those who left, once.
    site.run_ok(&BOTH);
    assert_eq!(site.emails().len(), expected.len() + 3);
}
