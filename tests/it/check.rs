//! `check`: it names what is odd about the set-up and about AWeber, is silent about the rest, changes nothing and asks
//! little.

mod refusals;
mod report;
mod rotation;
mod settings;
mod setup;
mod tls;

use crate::support::{Done, Site, files_below};
use aweber_sandbox::{ClientKind, NewSubscriber, Settings, Status, World};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const HOUR: u64 = 3600;

/// A site with a list that shows every assumption: 130 subscribers, one every hour, some confirmed, unconfirmed or gone.
pub(crate) fn telling_site(settings: Settings) -> (Site, u64) {
    let site = Site::with(ClientKind::Public, settings);
    let list = site.sandbox.with(telling_list);
    (site, list)
}

pub(crate) fn telling_list(world: &mut World) -> u64 {
    let list = world.add_list("News");
    let ago = |world: &World, seconds: u64| world.ago(Duration::from_secs(seconds));
    for n in 0..130 {
        let at = ago(world, (130 - n) * HOUR + 60);
        let new = NewSubscriber::new(format!("reader{n}@example.com")).subscribed_at(at);
        let new = match n % 10 {
            0..5 => new.unsubscribed_at(ago(world, (130 - n) * HOUR / 2), "unsubscribe link"),
            5..8 => new.verified_at(at + chrono::TimeDelta::minutes(7)),
            8 => new.status(Status::Unconfirmed),
            _ => new,
        };
        world.add_subscriber(list, new);
    }
    // An import that kept its date: the order of addition is not that of the times.
    let old = ago(world, 100 * HOUR);
    let import = |email: &str| NewSubscriber::new(email).subscribed_at(old);
    world.add_subscriber(list, import("import@example.com"));
    let left = ago(world, 60 * HOUR);
    world.add_subscriber(
        list,
        import("gone@example.com").unsubscribed_at(left, "customer cp"),
    );
    list
}

fn check(site: &Site, arguments: &[&str]) -> Done {
    site.finish(site.command(&[&["check"], arguments].concat()))
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}\n{done}"))
}

/// The ids of the assumptions with their effects, without those that are as expected.
fn odd(done: &Done) -> BTreeMap<String, String> {
    let value = json(done);
    let all = value["assumptions"].as_array().unwrap();
    assert!(all.len() > 20, "{done}");
    let odd = all.iter().filter(|one| one["effect"] != "as_expected");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    odd.map(|one| (text(&one["id"]), text(&one["effect"])))
        .collect()
}

/// The text of a finding.
fn finding(done: &Done, id: &str) -> String {
    let value = json(done);
    let all = [&value["setup"], &value["connection"]].map(|part| part.as_array().unwrap().clone());
    let found: Vec<String> = all
        .iter()
        .flatten()
        .filter(|one| one["id"] == id)
        .map(|one| {
            format!(
                "{} {}",
                one["verdict"].as_str().unwrap(),
                one["text"].as_str().unwrap()
            )
        })
        .collect();
    found.join("\n")
}

/// Every file with its content, but the locks and the note of the latest requests.
fn contents(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let kept = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        !name.ends_with("lock") && !name.ends_with(".requests")
    };
    let files = files_below(&site.path("")).into_iter().filter(kept);
    files
        .map(|file| (file.clone(), std::fs::read(file).unwrap()))
        .collect()
}

#[test]
fn it_is_silent_about_the_usual_aweber_and_changes_nothing() {
    let (site, _) = telling_site(Settings::default());
    site.run_ok(&[]);
    let (before, tokens) = (contents(&site), site.tokens());
    let world = site
        .sandbox
        .with(|w| (w.secrets().len(), w.live_refresh_tokens()));
    site.forget_requests();
    let done = check(&site, &["--json"]);
    done.exits(0).is_silent();
    assert_eq!(odd(&done), BTreeMap::new(), "{done}");
    assert!(contents(&site) == before, "{done}");
    assert_eq!(site.tokens(), tokens);
    let after = site
        .sandbox
        .with(|w| (w.secrets().len(), w.live_refresh_tokens()));
    assert_eq!(after, world);
    site.sandbox.with(|w| {
        assert!(w.requests.len() <= 30, "{}", w.requests.len());
        assert!(w.requests.iter().all(|request| request.method == "GET"));
        assert_eq!(json(&done)["requests"], w.requests.len());
    });
    // What the next run exports is as before, too.
    site.run_ok(&[]);
    assert_eq!(site.files().len(), 1);
}

#[test]
fn its_text_has_eighty_columns_and_ends_with_what_to_do() {
    let (site, _) = telling_site(Settings {
        count_error: 5,
        ..Settings::default()
    });
    for arguments in [&["-v"][..], &[]] {
        let done = check(&site, arguments);
        done.exits(0)
            .prints("SET-UP")
            .prints("CONNECTION")
            .prints("ASSUMPTIONS about AWeber, list ");
        done.prints("costs   count_truth")
            .prints("so: a list is read twice");
        let last = done.stdout.split("\nNEXT\n").nth(1).unwrap();
        assert!(last.contains("\n  aweber-sync check --report "), "{done}");
        assert!(
            last.ends_with("aweber-sync run, and then schedule it\n"),
            "{done}"
        );
        for line in done.stdout.lines() {
            let has_path = line.contains(site.path("").to_str().unwrap());
            assert!(line.chars().count() <= 80 || has_path, "{line}\n{done}");
        }
    }
}
