//! What README and docs show of runs, lists and status is what the program prints, and their commands work.

use crate::support::docs::{DEPLOY, FILES, MONITORING, README, section};
use crate::support::{Done, Site};
use aweber_sandbox::{NewSubscriber, Status};
use std::time::Duration;

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
    let (_, rest) = MONITORING
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
    let text = section(MONITORING, "## status as a check");
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
fn every_metric_is_documented_and_no_other() {
    let (site, _) = account();
    let file = site.path("aweber.prom");
    site.run_ok(&["--metrics-file", file.to_str().unwrap()]);
    let text = std::fs::read_to_string(file).unwrap();
    let written = text.lines().filter(|line| !line.starts_with('#'));
    let written: Vec<&str> = written
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let rows = section(MONITORING, "## Metrics").lines();
    let documented = rows.filter_map(|row| row.strip_prefix("| `"));
    let documented: Vec<&str> = documented
        .map(|row| row.split('`').next().unwrap())
        .collect();
    assert_eq!(documented, written);
}

/// Returns false, and says so, where the shell of SQLite is missing.
fn has_sqlite3() -> bool {
    let version = std::process::Command::new("sqlite3")
        .arg("--version")
        .output();
    if version.is_err() {
        crate::support::interrupt::skipped("sqlite3 is not installed");
    }
    version.is_ok()
}

/// The first block of shell commands.
fn script_in(text: &str) -> &str {
    let (_, rest) = text.split_once("```sh\n").unwrap();
    rest.split_once("```").unwrap().0
}

/// Runs the commands of a page in a home that has the state directory at its default place.
fn at_home_in_a_shell(site: &Site, script: &str) -> Done {
    let place = site.path(".local/state/aweber-sync");
    if !place.exists() {
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(site.state_dir(), place).unwrap();
    }
    let command = site.command(&[]);
    site.finish(crate::support::process::through_shell(script, &command))
}

#[test]
fn the_first_export_and_the_cron_line_write_to_the_same_directory() {
    let (site, newsletter) = account();
    let place = site.path(".local/state/aweber-sync");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::rename(site.state_dir(), &place).unwrap();
    let bin = site.path(".cargo/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_aweber-sync"), bin.join("aweber-sync")).unwrap();
    let set_up = "unset AWEBER_SYNC_STATE_DIR; PATH=$HOME/.cargo/bin:$PATH";

    let first = section(README, "## Your first export, in five minutes");
    let blocks = first.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    let script: String = blocks
        .filter(|block| !block.contains("authorize"))
        .collect();
    assert!(script.contains("aweber-sync run\n") && script.contains("head"));
    let done = at_home_in_a_shell(&site, &format!("{set_up}\n{script}"));
    let (checked, csv) = done.stdout.split_once("list_id,list_name,id,").unwrap();
    assert_eq!((done.code, csv.lines().count()), (0, 3), "{done}");
    // One of the lists is full of oddities, so that a report is asked for.
    assert!(
        checked.contains("\nNEXT\n") && checked.contains("--report"),
        "{done}"
    );

    let (_, cron) = README.split_once("### Cron\n").unwrap();
    let (_, cron) = cron.split_once("```crontab\n").unwrap();
    let line = cron.lines().next().unwrap();
    assert!(
        include_str!("../../examples/crontab")
            .lines()
            .any(|other| other == line)
    );
    site.sandbox
        .with(|world| world.add_subscribers(newsletter, 2));
    let job = line.strip_prefix("17 3 * * * ").unwrap();
    let done = at_home_in_a_shell(&site, &format!("unset AWEBER_SYNC_STATE_DIR\n{job}"));
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done}");
    assert_eq!(std::fs::read_dir(place.join("exports")).unwrap().count(), 2);
}

#[test]
fn the_cron_line_for_one_file_per_list_gives_each_list_its_own() {
    let (site, newsletter) = account();
    let customers = newsletter + 1;
    let bin = site.path(".cargo/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_aweber-sync"), bin.join("aweber-sync")).unwrap();
    let text = DEPLOY.split_once("### One file per list\n").unwrap().1;
    let (_, block) = text.split_once("```crontab\n17 3 * * * ").unwrap();
    let line = block.lines().next().unwrap();
    assert!(line.contains("6000001 6000002"), "{line}");
    let line = line.replace("6000001 6000002", &format!("{newsletter} {customers}"));
    for nights in 1..=2 {
        let done = at_home_in_a_shell(&site, &line);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done}");
        site.sandbox
            .with(|world| world.add_subscribers(newsletter, 2));
        for (list, rows, files) in [(newsletter, 40 + 2 * nights, nights), (customers, 4, 1)] {
            let directory = site.path(&format!("subscribers/{list}"));
            let found = crate::support::files_below(&directory);
            let all: String = found
                .iter()
                .map(|file| std::fs::read_to_string(file).unwrap())
                .collect();
            let of_list = all
                .lines()
                .filter(|line| line.starts_with(&format!("{list},")));
            assert_eq!((of_list.count(), found.len()), (rows, files), "{list}");
            assert_eq!(all.lines().count(), rows + files, "{list}: another list");
        }
    }
}

#[test]
fn the_commands_that_erase_a_person_do_so() {
    let (site, newsletter) = account();
    site.run_ok(&[]);
    let script = script_in(section(FILES, "## Erasing a person"));
    let shown = script.trim().rsplit(' ').next().unwrap();
    let count = || -> (i64, i64) {
        let ledger = site.ledger();
        let of = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            ledger.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        (of("subscription"), of("pending"))
    };
    let before = count();
    // Everyone left once before.
    let left = "INSERT INTO unsubscription SELECT list, subscriber, subscribed_at, batch FROM subscription";
    let everyone = site.ledger().execute(left, []).unwrap();
    let ids = |table: &str| -> i64 {
        let sql = format!("SELECT min(subscriber) FROM {table} WHERE list = {newsletter}");
        site.ledger().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    for id in [ids("subscription"), ids("pending")] {
        site.sandbox
            .with(|world| world.delete(newsletter, id as u64));
        let script = script.replace(shown, &id.to_string());
        let script = script.replace("aweber-sync", env!("CARGO_BIN_EXE_aweber-sync"));
        let done = at_home_in_a_shell(&site, &script);
        done.exits(0)
            .prints(&format!("Forgotten: subscriber {id}, "));
    }
    assert_eq!(count(), (before.0 - 1, before.1 - 1));
    let departures: i64 = site
        .ledger()
        .query_row("SELECT count(*) FROM unsubscription", [], |row| row.get(0))
        .unwrap();
    assert_eq!(departures, everyone as i64 - 1);
    site.run_ok(&["--full"]);
    assert_eq!(site.rows().len(), 133);
    assert_eq!(count(), (before.0 - 1, before.1 - 1));
}

#[test]
fn the_lines_that_load_the_export_into_sqlite_work() {
    if !has_sqlite3() {
        return;
    }
    let (site, _) = account();
    site.run_ok(&[]);
    let (_, rest) = section(FILES, "## Loading the export")
        .split_once("**SQLite**")
        .unwrap();
    let done = at_home_in_a_shell(&site, script_in(rest));
    assert_eq!((done.code, done.stdout.as_str()), (0, "133\n"), "{done}");
}
