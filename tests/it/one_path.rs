//! A 401 that concerns one path only: the rest of the account is exported, and no token is spent on it twice.

use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::{Site, subscribed};
use aweber_sandbox::{Fault, FaultKind, World};
use chrono::{DateTime, TimeDelta, Utc};

fn day(n: i64) -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z") + TimeDelta::days(n)
}

/// AWeber's answer where a path does not exist.
fn refuse(site: &Site, path: impl Into<String>) {
    let answer = FaultKind::envelope_a(401, "UnauthorizedError", "Invalid Token");
    site.sandbox
        .with(|w| w.fault(Fault::on(path).always().answer(answer)));
}

/// Three lists of five, and two who signed up for the first.
fn site_with_pending() -> (Site, [u64; 3], [u64; 2]) {
    let site = Site::on(day(0));
    let lists = ["News", "Offers", "Tips"].map(|name| site.list(name));
    site.sandbox.with(|w| {
        for list in lists {
            add_readers(w, list, 5, day(0), TimeDelta::hours(1));
        }
    });
    let pending = ["one@example.com", "two@example.com"]
        .map(|email| site.add(lists[0], sign_up(email, day(0))));
    site.run_ok(&[]);
    (site, lists, pending)
}

#[test]
fn a_pending_subscriber_answered_with_401_ends_no_run_and_expires() {
    let (site, lists, [one, two]) = site_with_pending();
    site.sandbox.with(|w| {
        w.delete(lists[0], one);
        w.delete(lists[0], two);
    });
    refuse(&site, format!("/subscribers/{one}"));
    refuse(&site, format!("/subscribers/{two}"));
    for today in [10, 20] {
        site.set_now(day(today));
        for list in lists {
            let email = format!("new{today}-{list}@example.com");
            site.add(list, reader(&email, day(today)));
        }
        site.forget_requests();
        let done = site.run(&[]);
        done.exits(0).says(&lists[0].to_string()).says("401");
        assert_eq!(done.stderr.matches("401").count(), 1, "{done}");
        let tokens = site.sandbox.with(|w| w.token_requests().len());
        // On start, and for the first of the two.
        assert_eq!(tokens, 2, "{done}");
        site.assert_once_and_all(&subscribed(&site, &lists));
        assert_eq!(site.pending(lists[0]), [one, two]);
    }
    site.set_now(day(32));
    site.run_ok(&[]);
    assert!(site.pending(lists[0]).is_empty());
    site.run_ok(&[]).is_silent();
}

#[test]
fn a_list_answered_with_401_ends_with_69_and_the_others_are_exported() {
    let (site, lists, _) = site_with_pending();
    site.set_now(day(10));
    for list in lists {
        site.add(list, reader(&format!("new{list}@example.com"), day(10)));
    }
    refuse(&site, format!("/lists/{}/", lists[0]));
    site.forget_requests();
    let done = site.run(&[]);
    done.exits(69).says("News").says("401").says("2 of 3 lists");
    site.assert_once_and_all(&subscribed(&site, &lists[1..]));
    let tokens = site.sandbox.with(|w| w.token_requests().len());
    assert_eq!(tokens, 2, "{done}");
    assert!(site.token_is_live());
    site.sandbox.with(World::clear_faults);
    let newcomer = format!("new{}@example.com", lists[0]);
    site.run_exports(&[], &[&newcomer]);
}

#[test]
fn two_lists_answered_with_401_cost_one_refresh() {
    let (site, lists, _) = site_with_pending();
    for list in &lists[..2] {
        refuse(&site, format!("/lists/{list}/"));
    }
    site.forget_requests();
    site.run(&[]).exits(69).says("1 of 3 lists");
    assert_eq!(site.sandbox.with(|w| w.token_requests().len()), 2);
}

#[test]
fn a_401_to_everything_ends_with_77() {
    let (site, lists, _) = site_with_pending();
    refuse(&site, "/1.0/");
    site.run(&[]).exits(77).says("aweber-sync authorize");
    site.sandbox.with(World::clear_faults);
    // Also if it begins after a path was refused alone.
    refuse(&site, format!("/lists/{}/", lists[0]));
    site.sandbox.with(|w| {
        w.before(
            &format!("/lists/{}/", lists[1]),
            1,
            World::revoke_everything,
        );
    });
    site.run(&[]).exits(77).says("aweber-sync authorize");
}
