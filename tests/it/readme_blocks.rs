//! What the README shows of runs, lists and status is what the program prints in the account that the README tells of.

use crate::support::{Done, Site};
use aweber_sandbox::{NewSubscriber, Status};
use std::time::Duration;

const README: &str = include_str!("../../README.md");
const STATE: &str = "/home/you/.local/state/aweber-sync";
const DAY: u64 = 86_400;

/// The account of `cargo run --example sandbox`.
fn account() -> (Site, u64) {
    let site = Site::new();
    let newsletter = site.sandbox.with(|world| {
        let lists = ["Newsletter", "Customers", "Oddities"].map(|name| world.add_list(name));
        world.add_subscribers(lists[0], 42);
        for number in 0..3 {
            let new = NewSubscriber::new(format!("waiting{number}@example.org"));
            world.add_subscriber(lists[0], new.status(Status::Unconfirmed));
        }
        for number in 0..4 {
            let at = world.ago(Duration::from_secs(DAY * (9 - number)));
            let new = NewSubscriber::new(format!("customer{number}@example.com"));
            world.add_subscriber(lists[1], new.subscribed_at(at));
        }
        world.add_nasty_subscribers(lists[2]);
        lists[0]
    });
    (site, newsletter)
}

/// What was printed, as it would be at home, without blanks at the ends of lines.
fn at_home(site: &Site, text: &str) -> String {
    let text = text.replace(site.state_dir().to_str().unwrap(), STATE);
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// Numbers that differ from run to run as zeros.
fn masked(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect()
}

/// The times that rows of `status` begin with as zeros.
fn without_times(text: &str) -> String {
    let row = |line: &str| match (line.get(..19), line.get(19..)) {
        (Some(time), Some(rest)) if masked(time) == "0000-00-00 00:00:00" => masked(time) + rest,
        _ => line.to_owned(),
    };
    text.lines().map(|line| row(line) + "\n").collect()
}

fn talking(site: &Site) -> Done {
    site.run_ok(&["--log", "info"])
}

#[test]
fn the_runs_that_it_begins_with_look_as_the_program_prints_them() {
    let (site, newsletter) = account();
    let mut said = vec![talking(&site).stderr, talking(&site).stderr];
    site.sandbox
        .with(|world| world.add_subscribers(newsletter, 2));
    said.push(talking(&site).stderr);
    let (_, rest) = README.split_once("```console\n").unwrap();
    let (block, _) = rest.split_once("```\n").unwrap();
    let shown: Vec<&str> = block
        .lines()
        .filter(|line| line.starts_with("aweber-sync: "))
        .collect();
    let said: String = said.iter().map(|line| at_home(&site, line)).collect();
    assert_eq!(
        masked(&(shown.join("\n") + "\n")),
        masked(&said),
        "the lines are to be:\n{said}"
    );
}

#[test]
fn the_output_of_lists_and_status_is_what_the_program_prints() {
    let (site, newsletter) = account();
    site.run_ok(&[]);
    // The first export was nine days ago, and two have come since.
    for sql in [
        "UPDATE run SET began_at = began_at - 777600, ended_at = ended_at - 777600",
        "UPDATE batch SET published_at = published_at - 777600",
    ] {
        site.ledger().execute(sql, []).unwrap();
    }
    site.sandbox
        .with(|world| world.add_subscribers(newsletter, 2));
    site.run_ok(&[]);
    let print = |arguments: &[&str]| {
        let done = site.finish(site.command(arguments));
        done.exits(0);
        at_home(&site, &done.stdout)
    };
    let said = format!(
        "$ aweber-sync lists\n{}\n$ aweber-sync status\n{}",
        print(&["lists"]),
        print(&["status"])
    );
    let (_, rest) = README
        .split_once("```console\n$ aweber-sync lists\n")
        .unwrap();
    let (block, _) = rest.split_once("```\n").unwrap();
    let shown = format!("$ aweber-sync lists\n{block}");
    assert_eq!(
        without_times(&shown),
        without_times(&said),
        "the block is to be:\n{said}"
    );
}

#[test]
fn every_field_of_the_json_of_status_is_documented() {
    let (site, _) = account();
    site.run_ok(&[]);
    let done = site.finish(site.command(&["status", "--json"]));
    let all: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let (_, rest) = README.split_once("`status --json`").unwrap();
    let (text, _) = rest.split_once("\n## ").unwrap();
    let mut fields: Vec<String> = all.as_object().unwrap().keys().cloned().collect();
    for part in [&all["token"], &all["runs"][0], &all["lists"][0]] {
        fields.extend(part.as_object().unwrap().keys().cloned());
    }
    assert!(fields.len() > 20, "{fields:?}");
    for field in fields {
        assert!(
            text.contains(&format!("`{field}`")),
            "{field} is not explained"
        );
    }
}

#[test]
fn the_lines_that_load_the_export_into_sqlite_work() {
    if std::process::Command::new("sqlite3")
        .arg("--version")
        .output()
        .is_err()
    {
        crate::support::interrupt::skipped("sqlite3 is not installed");
        return;
    }
    let (site, _) = account();
    site.run_ok(&[]);
    let (_, rest) = README.split_once("## Loading the export\n").unwrap();
    let (_, rest) = rest.split_once("**SQLite**").unwrap();
    let (_, rest) = rest.split_once("```sh\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    let mut command = site.command(&[]);
    command = crate::support::process::through_shell(script, &command);
    std::fs::create_dir_all(site.path(".local/state")).unwrap();
    std::os::unix::fs::symlink(site.state_dir(), site.path(".local/state/aweber-sync")).unwrap();
    let done = site.finish(command);
    assert_eq!((done.code, done.stdout.as_str()), (0, "123\n"), "{done}");
}
