//! How scenarios start, and the changes among their steps: new subscribers, and earlier failures whose traces the next
//! command has to clean up.

use crate::scenario::{GROWING_FILE, ROTATED_FILE, TEMPORARY};
use crate::support::browser::code_at;
use crate::support::disk::with_failing_token_write;
use crate::support::interrupt::{KILLED, KillPoint};
use crate::support::{Site, files_below};
use aweber_sandbox::{
    ClientKind, Fault, FaultKind, NewSubscriber, Rotation, Settings, Status, World,
};
use rustix::process::Signal;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The credentials file of another program, below the site's directory.
pub(crate) const CREDENTIALS: &str = "user/credentials.json";

/// Holds the code that AWeber showed last, below the site's directory.
pub(crate) const TRADED_CODE: &str = "user/code";

/// The longer list.
pub(crate) const LIST: &str = "News";

/// An account with subscribers, and a job that holds tokens for it or not.
pub(crate) fn start(rotation: Rotation, is_authorized: bool) -> Site {
    let settings = Settings {
        rotation,
        ..Settings::default()
    };
    let site = Site::unauthorized(ClientKind::Public, settings);
    if is_authorized {
        site.authorize_anew();
    }
    std::fs::create_dir(site.path("user")).unwrap();
    site.sandbox.with(add_lists);
    site
}

/// Two lists, one longer than a page, and one subscriber who has not confirmed.
fn add_lists(world: &mut World) {
    let (news, offers) = (world.add_list(LIST), world.add_list("Offers"));
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

/// The tokens are behind a command from now on.
pub(crate) fn keep_tokens_by_command(site: &Site) {
    site.keep_tokens_by_command();
}

/// The token command cannot store the tokens of the next run; its journal has them.
pub(crate) fn fail_to_store(site: &Site) {
    site.hook("case $call$n in store1) ;; store*) exit 5;; esac");
    let done = site.run(&[]);
    assert_eq!(done.code, 74, "{}", done);
    assert!(site.beside_token(".next").exists());
    site.hook("");
}

/// The first two subscribers of each list leave.
pub(crate) fn some_leave(site: &Site) {
    site.sandbox.with(|world| {
        let lists: Vec<u64> = world.lists().map(|list| list.id).collect();
        for list in lists {
            let first: Vec<u64> = world.subscribers(list).take(2).map(|one| one.id).collect();
            first.iter().for_each(|id| world.unsubscribe(list, *id));
        }
    });
}

/// Makes the ledger one of version 1, as that program would have left it after runs for both kinds.
pub(crate) fn downgrade_ledger(site: &Site) {
    let sql = "
        CREATE TABLE list (id INTEGER PRIMARY KEY, progress TEXT NOT NULL, settled TEXT NOT NULL);
        INSERT INTO list SELECT list, json_set(progress, '$.statuses', json('[\"subscribed\",\"unsubscribed\"]')),
            json_set(settled, '$.statuses', json('[\"subscribed\",\"unsubscribed\"]')) FROM feed;
        CREATE TABLE batch_list (batch INTEGER NOT NULL, list INTEGER NOT NULL, rows INTEGER NOT NULL,
            PRIMARY KEY (batch, list)) WITHOUT ROWID;
        INSERT INTO batch_list SELECT batch, list, rows FROM batch_feed;
        DROP TABLE feed; DROP TABLE batch_feed; DROP TABLE unsubscription; DROP TABLE version_1;
        PRAGMA user_version = 1;";
    site.ledger().execute_batch(sql).unwrap();
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

/// A `--full` stopped after a checkpoint, before the last page.
pub(crate) fn stop_full_export(site: &Site) {
    let held = site.hold_on("status=subscribed", &["--full"], 2);
    let (stopped, _) = site.stop(held, Signal::TERM);
    assert_eq!(stopped.code, 143, "{}", stopped);
}

/// A subscriber whom only `--full` finds, on the first page.
pub(crate) fn add_with_old_date(site: &Site) {
    site.sandbox.with(|world| {
        let list = world.lists().find(|list| list.name == LIST).unwrap().id;
        let long_ago = world.ago(Duration::from_secs(700 * 86_400));
        let new = NewSubscriber::new("old@example.com").subscribed_at(long_ago);
        world.add_subscriber(list, new);
    });
}

/// Puts a refresh token, without an access token, into the file of another program.
pub(crate) fn write_credentials(site: &Site) {
    let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
    let content = json!({
        "client_id": site.client_id(),
        "token": { "refresh_token": tokens.refresh_token },
    });
    std::fs::write(site.path(CREDENTIALS), content.to_string()).unwrap();
}

/// AWeber issues tokens and does not tell the account.
pub(crate) fn refuse_accounts(site: &Site) {
    let fault = Fault::on_path("/1.0/accounts").always();
    let fault = fault.answer(FaultKind::html(503));
    site.sandbox.with(|world| world.fault(fault));
}

/// Undoes [`refuse_accounts`] and [`garble_next_answer`].
pub(crate) fn answer_well(site: &Site) {
    site.sandbox.with(World::clear_faults);
}

/// The next answer with tokens cannot be parsed.
pub(crate) fn garble_next_answer(site: &Site) {
    let garbled = FaultKind::replace_bytes(|body| [b"<html>", body.as_slice()].concat());
    let fault = Fault::on("/oauth2/token").times(1).answer(garbled);
    site.sandbox.with(|world| world.fault(fault));
}

/// The customer allows access anew.
pub(crate) fn authorize_anew(site: &Site) {
    site.authorize_anew();
}

/// The customer opens the address that `authorize --print-url` prints, and is shown a code.
pub(crate) fn ask_for_code(site: &Site) {
    let mut command = site.command(&["authorize", "--print-url"]);
    command.env("AWEBER_CLIENT_ID", site.client_id());
    let done = site.finish(command);
    assert_eq!(done.code, 0, "{}", done);
    std::fs::write(site.path(TRADED_CODE), code_at(done.stdout.trim())).unwrap();
}

/// A log rotation takes the growing file away.
pub(crate) fn rotate_growing_file(site: &Site) {
    let file = site.path(GROWING_FILE);
    if file.exists() {
        std::fs::rename(file, site.path(ROTATED_FILE)).unwrap();
    }
}

/// Undoes [`rotate_growing_file`].
pub(crate) fn undo_rotation(site: &Site) {
    std::fs::rename(site.path(ROTATED_FILE), site.path(GROWING_FILE)).unwrap();
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
