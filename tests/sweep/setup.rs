//! How scenarios start, and the changes among their steps: new subscribers, and earlier failures whose traces the next
//! command has to clean up.

use crate::scenario::{GROWING_FILE, TEMPORARY};
use crate::support::disk::with_failing_token_write;
use crate::support::interrupt::{KILLED, KillPoint};
use crate::support::{Site, files_below};
use aweber_sandbox::{ClientKind, NewSubscriber, Settings, Status, World};
use rustix::process::Signal;
use std::path::Path;

/// An account with subscribers, and a job that holds tokens for it.
pub(crate) fn authorized() -> Site {
    let site = Site::new();
    site.sandbox.with(add_lists);
    site
}

/// As [`authorized`], without tokens.
pub(crate) fn unauthorized() -> Site {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    site.sandbox.with(add_lists);
    site
}

/// Two lists, one longer than a page, and one subscriber who has not confirmed.
fn add_lists(world: &mut World) {
    let (news, offers) = (world.add_list("News"), world.add_list("Offers"));
    world.add_subscribers(news, 130);
    world.add_subscribers(offers, 5);
    world.add_subscriber(
        offers,
        NewSubscriber::new("waits@example.com").status(Status::Unconfirmed),
    );
}

/// Two new subscribers on each list.
pub(crate) fn subscribe_more(site: &Site) {
    site.sandbox.with(|world| {
        let lists: Vec<u64> = world.lists().map(|list| list.id).collect();
        for list in lists {
            world.add_subscribers(list, 2);
        }
    });
}

/// The next request for subscribers is answered with 401.
pub(crate) fn expire_access_token(site: &Site) {
    site.sandbox
        .with(|world| world.before("/subscribers", 1, World::expire_access_tokens));
}

/// A run killed after it has written the new tokens and before it renames their file.
pub(crate) fn kill_at_token_rename(site: &Site) {
    // The first rename is the rehearsal's.
    kill_run(site, &[], "rename", 2, None);
    assert!(site.beside_token(".next").exists());
}

/// A run that could not write the new tokens beside the token file, and has written them into another directory.
pub(crate) fn break_disk_at_new_token(site: &Site) {
    let mut run = site.command(&["run"]);
    run.env("TMPDIR", site.path(TEMPORARY));
    let done = site.finish(with_failing_token_write(site, &run, true));
    assert_eq!(done.code, 74, "{}", done);
    assert_eq!(files_below(&site.path(TEMPORARY)).len(), 1);
}

/// A first export stopped after a checkpoint, before the last page.
pub(crate) fn stop_first_export(site: &Site) {
    let held = site.hold_on("status=subscribed", &[], 2);
    let (stopped, _) = site.stop(held, Signal::TERM);
    assert_eq!(stopped.code, 143, "{}", stopped);
}

/// A run killed before the rename that publishes its batch.
pub(crate) fn kill_at_publication(site: &Site) {
    kill_run(site, &[], "renameat2", 1, None);
}

/// A run killed before its first write into the growing file.
pub(crate) fn kill_at_append(site: &Site) {
    let file = site.path(GROWING_FILE);
    kill_run(site, &["--output", GROWING_FILE], "write", 1, Some(&file));
}

fn kill_run(site: &Site, arguments: &[&str], call: &str, nth: usize, on: Option<&Path>) {
    let done = site.run_killed(arguments, KillPoint { call, nth, on });
    assert_eq!(done.code, KILLED, "{}", done);
}
