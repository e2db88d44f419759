//! Promise N6: never more requests per minute than allowed, even across processes; a 'Rate Limit Error' is waited
//! out; failures are retried with growing waits; and requests identify the program.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, RateLimit, Settings, World};
use chrono::TimeDelta;
use std::process::Child;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// `lists` lists with two subscribers each.
fn site_with(lists: usize) -> (Site, Vec<u64>) {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let lists: Vec<u64> = (0..lists)
        .map(|i| site.list(&format!("List {i}")))
        .collect();
    site.sandbox.with(|w| {
        for list in &lists {
            add_readers(w, *list, 2, w.now(), TimeDelta::days(1));
        }
    });
    (site, lists)
}

/// Starts a run with a limit of requests per minute.
fn start_limited(site: &Site, requests_per_minute: &str) -> Child {
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_REQUESTS_PER_MINUTE", requests_per_minute);
    command.spawn().unwrap()
}

/// Waits until `expected` requests have arrived and a second longer; returns their number then.
fn requests_after_a_second(site: &Site, expected: usize) -> usize {
    let have_arrived = |world: &mut World| world.requests.len() >= expected;
    assert!(
        site.sandbox.wait_until(DEADLINE, have_arrived),
        "{} requests",
        site.requests()
    );
    let more = |world: &mut World| world.requests.len() > expected;
    site.sandbox.wait_until(Duration::from_secs(1), more);
    site.requests()
}

/// Sends SIGTERM; the process must exit with 143 within a second.
fn terminate(site: &Site, child: Child) {
    let id = rustix::process::Pid::from_child(&child);
    let asked = Instant::now();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    site.wait(child).exits(143);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn the_request_above_the_limit_is_not_sent_in_the_same_minute() {
    let (site, lists) = site_with(30);
    let child = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    terminate(&site, child);
    // Rows fetched so far are kept, and the next run resumes.
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn requests_of_earlier_processes_count() {
    let (site, lists) = site_with(3);
    let first = start_limited(&site, "20");
    site.wait(first).exits(0);
    let so_far = site.requests();
    assert_eq!(so_far, 1 + 1 + 2 * 3);
    for _ in 0..2 {
        let idle = start_limited(&site, "20");
        site.wait(idle).exits(0);
    }
    assert_eq!(site.requests(), 8 + 5 + 5);
    let third = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    terminate(&site, third);
    // The terminated process counts too.
    let fourth = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    terminate(&site, fourth);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn requests_of_a_process_killed_while_waiting_count() {
    let (site, _) = site_with(30);
    let mut killed = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let next = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    terminate(&site, next);
}

#[test]
fn account_lookups_count() {
    let (site, _) = site_with(30);
    let mut tokens = site.tokens();
    tokens.as_object_mut().unwrap().remove("account_id");
    site.write_token_file(&tokens);
    let child = start_limited(&site, "10");
    assert_eq!(requests_after_a_second(&site, 10), 10);
    terminate(&site, child);
}

#[test]
fn retries_count() {
    let (site, _) = site_with(30);
    site.sandbox.with(|w| {
        let fault = Fault::on("/subscribers").times(12);
        w.fault(fault.answer(FaultKind::status(503)));
    });
    let child = start_limited(&site, "20");
    assert_eq!(requests_after_a_second(&site, 20), 20);
    terminate(&site, child);
}

#[test]
fn a_rate_limit_error_is_waited_out() {
    let (site, lists) = site_with(4);
    site.sandbox.with(|w| {
        w.settings.rate_limit = Some(RateLimit {
            limit: 4,
            window: Duration::from_secs(60),
            shut_out: Duration::from_millis(200),
        });
    });
    site.run(&["--rate-limit-wait", "250ms"]).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &lists));
    site.sandbox.with(|w| {
        let refused: Vec<usize> = (0..w.requests.len())
            .filter(|i| w.requests[*i].status == Some(403))
            .collect();
        // 9 API requests, 4 per window.
        assert_eq!(refused.len(), 2);
        for i in refused {
            let (this, next) = (&w.requests[i], &w.requests[i + 1]);
            assert!(next.at - this.at >= Duration::from_millis(250));
            assert_eq!(this.path_and_query, next.path_and_query);
        }
    });
}

#[test]
fn a_rate_limit_error_of_the_refresh_is_waited_out() {
    let (site, lists) = site_with(2);
    site.sandbox.with(|w| {
        w.fault(
            Fault::on("/oauth2/token")
                .times(2)
                .answer(FaultKind::rate_limit()),
        )
    });
    site.run_ok(&["--rate-limit-wait", "60ms"]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
    site.sandbox.with(|w| {
        let times: Vec<Instant> = w
            .token_requests()
            .iter()
            .map(|request| request.at)
            .collect();
        assert_eq!(times.len(), 3);
        assert!(times[1] - times[0] >= Duration::from_millis(60));
        assert!(times[2] - times[1] >= Duration::from_millis(60));
    });
}

#[test]
fn a_rate_limit_that_outlasts_the_waits_ends_with_75_and_publishes_what_was_fetched() {
    let (site, lists) = site_with(5);
    site.sandbox.with(|w| {
        let limit = Fault::on(format!("{}/subscribers", lists[3])).always();
        w.fault(limit.answer(FaultKind::rate_limit()));
    });
    site.run(&["--rate-limit-wait", "20ms"])
        .exits(75)
        .says("Rate Limit Error")
        .says("--requests-per-minute");
    assert_eq!(site.emails(), subscribed(&site, &lists[..3]));
    // The whole account is limited: the remaining lists are not tried.
    assert_eq!(
        site.sandbox
            .with(|w| w.count(&format!("{}/subscribers", lists[4]))),
        0
    );
    let tries = site
        .sandbox
        .with(|w| w.count(&format!("{}/subscribers", lists[3])));
    assert!((2..=6).contains(&tries), "{tries}");
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn a_rate_limit_in_the_middle_of_a_list_publishes_its_pages_so_far() {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let list = site.list("News");
    site.sandbox.with(|w| {
        add_readers(w, list, 500, w.now(), TimeDelta::hours(1));
        let limit = Fault::on("status=subscribed").skip(3).always();
        w.fault(limit.answer(FaultKind::rate_limit()));
    });
    site.run(&[]).exits(75);
    assert_eq!(site.rows().len(), 298);
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn retries_back_off() {
    for (place, kind) in [
        ("/lists?", FaultKind::status(500)),
        ("/subscribers?", FaultKind::html(502)),
        ("/subscribers?", FaultKind::ResetBefore),
        ("/oauth2/token", FaultKind::status(503)),
    ] {
        let (site, _) = site_with(1);
        site.sandbox
            .with(|w| w.fault(Fault::on(place).always().answer(kind)));
        site.run(&["--retry-wait", "50ms"]).exits(69);
        let times: Vec<Instant> = site.sandbox.with(|w| {
            let faulty = w.requests.iter().filter(|request| request.fault);
            faulty.map(|request| request.at).collect()
        });
        assert_eq!(times.len(), 5, "{place}");
        let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Exponential, with up to half of each wait as jitter.
        for (i, wait) in waits.iter().enumerate() {
            let least = Duration::from_millis(25 << i);
            assert!(*wait >= least, "{place}: {waits:?}");
        }
        assert!(waits[3] > waits[0], "{place}: {waits:?}");
        // With a first wait of 50 ms the sum is at most 750 ms; the rest is the work.
        assert!(times[4] - times[0] < Duration::from_secs(2), "{waits:?}");
    }
}

#[test]
fn backoff_has_jitter() {
    let (site, _) = site_with(1);
    site.sandbox
        .with(|w| w.fault(Fault::on("/lists?").always().answer(FaultKind::status(500))));
    let mut last_waits = Vec::new();
    for _ in 0..10 {
        site.forget_requests();
        site.run(&["--retry-wait", "10ms"]);
        site.sandbox.with(|w| {
            let times: Vec<Instant> = w.api_requests().iter().map(|request| request.at).collect();
            last_waits.push(times[4] - times[3]);
        });
    }
    // Between 40 and 80 ms.
    let spread = *last_waits.iter().max().unwrap() - *last_waits.iter().min().unwrap();
    assert!(
        spread > Duration::from_millis(8),
        "no jitter: {last_waits:?}"
    );
}

#[test]
fn every_request_has_a_user_agent_and_an_accept_header() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        let list = site.list("News");
        site.sandbox.with(|w| w.add_subscribers(list, 150));
        site.run_ok(&[]);
        let version = env!("CARGO_PKG_VERSION");
        site.sandbox.with(|w| {
            assert!(w.requests.len() > 4);
            for request in &w.requests {
                let agent = request.user_agent.as_deref();
                assert_eq!(agent, Some(format!("aweber-sync/{version}").as_str()));
                assert_eq!(request.accept.as_deref(), Some("application/json"));
                assert!(!request.query.contains("access_token"));
            }
        });
    }
}

#[test]
fn an_idle_run_makes_the_fewest_requests_that_the_api_allows() {
    // Rows in the window of the recent query, and the pages of an idle run for such a list.
    let now = at("2026-03-10T12:00:00Z");
    for (rows, pages) in [(0, 1), (1, 1), (50, 1), (99, 1)] {
        let site = Site::on(now);
        let list = site.list("News");
        site.add(list, reader("old@example.com", now - TimeDelta::days(90)));
        site.sandbox
            .with(|w| add_readers(w, list, rows, now, TimeDelta::minutes(1)));
        site.run_ok(&[]);
        site.forget_requests();
        site.run_exports(&[], &[]);
        let expected = [
            vec!["token".to_owned(), "lists".to_owned()],
            vec![format!("{list} recent"); pages],
        ];
        assert_eq!(site.asked(), expected.concat(), "{rows} rows");
    }
    // One page for each further 99 rows; and the count, since rows can be lost between several pages.
    for (rows, most) in [(100, 5), (150, 5), (198, 5), (199, 6), (297, 6)] {
        let site = Site::on(now);
        let list = site.list("News");
        site.sandbox
            .with(|w| add_readers(w, list, rows, now, TimeDelta::minutes(1)));
        site.run_ok(&[]);
        site.forget_requests();
        site.run_exports(&[], &[]);
        assert!(site.requests() <= most, "{rows} rows: {:?}", site.asked());
    }
}

#[test]
fn requests_of_the_lists_command_count_against_the_limit_of_the_next_run() {
    let site = Site::new();
    site.sandbox.with(|world| world.add_list("News"));
    site.run_ok(&[]);
    let before = site.requests();
    site.finish(site.command(&["lists"])).exits(0);
    let asked = site.requests() - before;
    let log = std::fs::read_to_string(site.beside_token(".requests")).unwrap();
    assert_eq!(log.lines().count(), before + asked, "{log}");
}
