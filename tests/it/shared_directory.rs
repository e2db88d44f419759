//! Two jobs with a common output directory, and a first export that was killed at its start.

use crate::support::{Site, published, read_csv, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber};
use rustix::process::Signal;
use std::time::Duration;

/// A job that has run once and names its next batch by the same second as every other such job.
fn job_named_in_the_future() -> (Site, u64) {
    let site = Site::new();
    let list = site.add_list(1);
    site.run_ok(&[]);
    let later = 4_102_444_800_i64;
    site.ledger()
        .execute("UPDATE batch SET named_at = ?1", [later])
        .unwrap();
    site.sandbox.with(|world| world.add_subscribers(list, 250));
    (site, list)
}

#[test]
fn two_jobs_with_the_same_batch_name_share_a_directory_without_conflict() {
    let (first, list) = job_named_in_the_future();
    let (second, others) = job_named_in_the_future();
    let shared = first.path("shared");
    std::fs::create_dir(&shared).unwrap();
    let output = shared.to_str().unwrap().to_owned();
    let arguments = ["--output", output.as_str()];
    // The second runs while the first waits for an answer, its stage file in the directory.
    let late =
        Fault::on("ws.start=198").answer(FaultKind::DelayBefore(Duration::from_millis(1_500)));
    first.sandbox.with(|world| world.fault(late));
    let child = first
        .command(&["run", "--output", &output])
        .spawn()
        .unwrap();
    let arrived = first.sandbox.wait_until(Duration::from_secs(20), |world| {
        world.count("ws.start=198") > 0
    });
    assert!(arrived);
    second.run_ok(&arguments);
    first.wait(child).exits(0);
    let rows = published(&shared)
        .iter()
        .flat_map(|file| read_csv(file))
        .collect::<Vec<_>>();
    let before = [first.emails(), second.emails()].concat();
    let all = sorted(
        rows.into_iter()
            .map(|row| row["email"].clone())
            .chain(before),
    );
    let wanted = [subscribed(&first, &[list]), subscribed(&second, &[others])].concat();
    assert_eq!(all, sorted(wanted));
    let hidden = std::fs::read_dir(&shared).unwrap().count() - published(&shared).len();
    assert_eq!(hidden, 0);
}

#[test]
fn since_is_remembered_after_a_kill_at_the_first_query() {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("News");
        let long_ago = world.now() - chrono::TimeDelta::days(90);
        world.add_subscriber(
            list,
            NewSubscriber::new("old@example.com").subscribed_at(long_ago),
        );
        list
    });
    let held = site.hold_on("/subscribers?", &["--since", "today"], 1);
    site.stop(held, Signal::KILL);
    let new = site
        .sandbox
        .with(|world| world.add_subscriber(list, NewSubscriber::new("new@example.com")));
    assert!(new > 0);
    site.run_ok(&[]);
    assert_eq!(site.emails(), ["new@example.com"]);
}
