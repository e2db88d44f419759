//! With a long round trip to AWeber the next page is requested before the current answer has arrived, so that the
//! rate limit can be used up; N1, N2 and N6 still hold. Each answer must take more than half a second for that, so
//! these tests are slow.

use crate::support::calendar::{add_readers, at};
use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultKind, Recorded, Settings, World};
use chrono::TimeDelta;
use std::time::Duration;

const LATENCY: Duration = Duration::from_millis(550);

/// A list of 350 subscribers: its pages start at 0, 99, 198 and 297.
fn distant_site() -> (Site, u64, Vec<u64>) {
    let noon = at("2026-03-10T12:00:00Z");
    let settings = Settings {
        latency: LATENCY,
        clock: Clock::Fixed(noon),
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let list = site.list("News");
    let ids = site
        .sandbox
        .with(|w| add_readers(w, list, 350, noon, TimeDelta::hours(1)));
    (site, list, ids)
}

/// The start of each page requested, and the time since the request before it.
fn pages(site: &Site) -> Vec<(String, Duration)> {
    site.sandbox.with(|w| {
        let requests = w.requests.windows(2);
        let pages = requests.filter(|pair| pair[1].query.contains("status=subscribed&"));
        let start = |pair: &[Recorded]| {
            let start = pair[1].params.iter().find(|(name, _)| name == "ws.start");
            start.map(|(_, row)| (row.clone(), pair[1].at.duration_since(pair[0].at)))
        };
        pages.filter_map(start).collect()
    })
}

#[test]
fn the_next_page_is_requested_before_the_current_answer_and_never_past_the_end() {
    let (site, list, _) = distant_site();
    site.run_ok(&[]);
    let pages = pages(&site);
    let starts: Vec<&str> = pages.iter().map(|(start, _)| start.as_str()).collect();
    assert_eq!(starts, ["0", "99", "198", "297"]);
    // The answer to the first request cannot have left yet.
    assert!(pages[1].1 < LATENCY, "{pages:?}");
    // Two in flight are enough at this latency.
    let third = pages[1].1 + pages[2].1;
    assert!(third >= LATENCY, "{pages:?}");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn at_most_four_requests_are_in_flight_and_their_pages_stay_in_order() {
    const LATENCY: Duration = Duration::from_millis(1700);
    let noon = at("2026-03-10T12:00:00Z");
    for delete_rows in [false, true] {
        let settings = Settings {
            latency: LATENCY,
            clock: Clock::Fixed(noon),
            ..Settings::default()
        };
        let site = Site::with(ClientKind::Public, settings);
        let list = site.list("News");
        let ids = site
            .sandbox
            .with(|w| add_readers(w, list, 590, noon, TimeDelta::hours(1)));
        if delete_rows {
            site.sandbox.with(|w| {
                w.before("status=subscribed&", 3, move |w: &mut World| {
                    ids[20..50].iter().for_each(|id| w.delete(list, *id));
                });
            });
        }
        site.run_ok(&[]);
        site.assert_once_and_all(&subscribed(&site, &[list]));
        if !delete_rows {
            // Between the first request and the fourth, and between it and the fifth.
            let gaps: Vec<Duration> = pages(&site).into_iter().map(|(_, gap)| gap).collect();
            let spans = |n: usize| {
                gaps[1..]
                    .windows(n)
                    .map(|gaps| gaps.iter().sum::<Duration>())
            };
            assert!(spans(3).any(|span| span < LATENCY), "{gaps:?}");
            assert!(spans(4).all(|span| span >= LATENCY), "{gaps:?}");
        }
    }
}

#[test]
fn pages_are_requested_one_at_a_time_where_that_already_reaches_the_rate_limit() {
    let (site, list, _) = distant_site();
    let mut command = site.command(&["run"]);
    // Sequential requests reach this limit even on a busy machine.
    command.env("AWEBER_SYNC_REQUESTS_PER_MINUTE", "30");
    site.finish(command).exits(0);
    let pages = pages(&site);
    assert!(pages.iter().all(|(_, gap)| *gap >= LATENCY), "{pages:?}");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn rows_deleted_between_two_prefetched_pages_hide_no_subscriber() {
    for page in [2, 3, 4] {
        let (site, list, ids) = distant_site();
        site.sandbox.with(|w| {
            w.before("status=subscribed&", page, move |w: &mut World| {
                ids[20..50].iter().for_each(|id| w.delete(list, *id));
            });
        });
        site.run_ok(&[]);
        site.assert_once_and_all(&subscribed(&site, &[list]));
    }
}

#[test]
fn a_token_that_expires_with_two_pages_in_flight_is_refreshed_once() {
    let (site, list, _) = distant_site();
    site.sandbox.with(|w| {
        w.before("ws.start=99&", 1, |w| w.expire_access_tokens());
    });
    let done = site.run_ok(&[]);
    assert_eq!(site.token_requests(), 2, "{done}");
    site.assert_once_and_all(&subscribed(&site, &[list]));
    assert!(site.token_is_live());
}

#[test]
fn only_the_failed_page_of_two_in_flight_is_requested_again() {
    let (site, list, _) = distant_site();
    site.sandbox.with(|w| {
        w.fault(Fault::on("ws.start=99&").answer(FaultKind::ResetBefore));
    });
    site.run_ok(&[]);
    let starts: Vec<String> = pages(&site).into_iter().map(|(start, _)| start).collect();
    assert_eq!(starts.iter().filter(|start| *start == "99").count(), 2);
    assert_eq!(starts.len(), 5, "{starts:?}");
    site.assert_once_and_all(&subscribed(&site, &[list]));
}

/// A site with that many lists, each exported once, whose answers take long enough to be asked for side by side.
fn site_with_exported_lists(lists: usize, latency: Duration) -> (Site, Vec<u64>) {
    let noon = at("2026-03-10T12:00:00Z");
    let settings = Settings {
        clock: Clock::Fixed(noon),
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let lists: Vec<u64> = (1..=lists)
        .map(|n| site.list(&format!("List {n}")))
        .collect();
    site.sandbox.with(|w| {
        for list in &lists {
            add_readers(w, *list, 3, noon, TimeDelta::hours(1));
        }
    });
    site.run_ok(&["--status", "subscribed,unsubscribed"]);
    site.sandbox.with(|w| w.settings.latency = latency);
    site.forget_requests();
    (site, lists)
}

/// Since the request before it, for each request of an API path.
fn gaps(site: &Site) -> Vec<Duration> {
    site.sandbox.with(|w| {
        let requests = w.api_requests();
        let pairs = requests.windows(2);
        pairs
            .map(|pair| pair[1].at.duration_since(pair[0].at))
            .collect()
    })
}

#[test]
fn an_idle_run_asks_for_two_lists_at_a_time() {
    let latency = Duration::from_millis(400);
    for (arguments, feeds) in [
        (&[][..], 1),
        (&["--status", "subscribed,unsubscribed"][..], 2),
    ] {
        let (site, lists) = site_with_exported_lists(6, latency);
        site.run_exports(arguments, &[]);
        // The refresh, the lists, and each feed once.
        assert_eq!(site.requests(), 2 + feeds * lists.len());
        let gaps = gaps(&site);
        // The first list can only be asked for once the lists are known; from then on two at a time, and never three.
        assert!(gaps[0] >= latency, "{gaps:?}");
        let all: Duration = gaps[1..].iter().sum();
        assert!(
            all < latency * (feeds * lists.len()) as u32 * 3 / 4,
            "{gaps:?}"
        );
        let pairs = gaps[1..].windows(2).map(|pair| pair[0] + pair[1]);
        assert!(pairs.into_iter().all(|two| two >= latency), "{gaps:?}");
    }
}

#[test]
fn new_subscribers_of_lists_asked_for_ahead_are_exported_once() {
    let (site, lists) = site_with_exported_lists(4, Duration::from_millis(150));
    site.sandbox.with(|w| {
        for list in &lists[1..3] {
            // More than a page, so that a list is walked on while the next one was asked for.
            add_readers(
                w,
                *list,
                250,
                at("2026-03-10T12:00:00Z"),
                TimeDelta::seconds(1),
            );
        }
    });
    site.run_ok(&[]);
    site.assert_once_and_all(&subscribed(&site, &lists));
    // The refresh, the lists, one list each, and for two of them two more pages and the count.
    assert_eq!(site.requests(), 2 + 4 + 2 * 3, "{:?}", site.asked());
}

#[test]
fn a_list_that_fails_costs_the_lists_asked_for_ahead_one_request_at_most() {
    let (site, lists) = site_with_exported_lists(4, Duration::from_millis(150));
    site.sandbox.with(|w| {
        add_readers(
            w,
            lists[3],
            1,
            at("2026-03-10T12:00:00Z"),
            TimeDelta::hours(1),
        );
        let list = Fault::on(format!("/lists/{}/subscribers", lists[1])).always();
        w.fault(list.answer(FaultKind::html(503)));
    });
    site.run(&[]).exits(69);
    site.assert_once_and_all(&subscribed(&site, &lists));
    // Five attempts at the list that fails; the request for the list behind it may have left before the first failure.
    assert!(site.requests() <= 2 + 3 + 5 + 1, "{:?}", site.asked());
}
