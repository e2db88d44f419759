//! The commands that print something: lists, status, completions, man pages, and the bare program.

use crate::support::job::append_bytes;
use crate::support::{BINARY, Done, Site, files_below, sorted};
use aweber_sandbox::{NewSubscriber, Status};
use serde_json::{Value, json};
use std::process::Command;

pub(crate) fn command(site: &Site, arguments: &[&str]) -> Done {
    site.finish(site.command(arguments))
}

/// The output of a command that succeeds without messages.
pub(crate) fn stdout_of(site: &Site, arguments: &[&str]) -> String {
    let done = command(site, arguments);
    done.exits(0).is_silent();
    done.stdout
}

fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Two exported lists, with three and two subscribers.
pub(crate) fn exported() -> (Site, u64, u64) {
    let site = Site::new();
    let (news, tips) = (site.add_list(3), site.add_list(2));
    site.run_ok(&[]);
    (site, news, tips)
}

#[test]
fn lists_prints_a_table_or_one_json_object() {
    let site = Site::new();
    let [first, second] = site.sandbox.with(|world| {
        let first = world.add_list("News\tdaily");
        let second = world.add_list_with(12, "Größe", "awlist12");
        world.add_subscribers(first, 12);
        let waiting = NewSubscriber::new("w@example.com").status(Status::Unconfirmed);
        world.add_subscriber(first, waiting);
        let left = world.add_subscribers(second, 3);
        world.unsubscribe(second, left[0]);
        [first, second]
    });
    let unique = site
        .sandbox
        .with(|world| world.list(first).unwrap().unique_list_id.clone());
    let all = parse_json(&stdout_of(&site, &["lists", "--json"]));
    let account = site.sandbox.with(|world| world.account.id.to_string());
    let of = |id: u64, name: &str, unique: &str, counts: [u64; 3]| {
        json!({ "id": id, "name": name, "unique_list_id": unique, "subscribed": counts[0],
                "unconfirmed": counts[1], "unsubscribed": counts[2] })
    };
    let mut lists = all["lists"].as_array().unwrap().clone();
    lists.sort_by_key(|list| std::cmp::Reverse(list["id"].as_u64()));
    assert_eq!(
        lists,
        [
            of(first, "News\tdaily", &unique, [12, 1, 0]),
            of(second, "Größe", "awlist12", [2, 0, 1])
        ]
    );
    assert_eq!(
        (&all["version"], &all["account_id"]),
        (&json!(1), &json!(account))
    );

    let table = stdout_of(&site, &["lists"]);
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    // Columns are aligned, and a tab in a name does not shift them.
    let column = rows[0].find("NAME").unwrap();
    let names: Vec<&str> = rows.iter().map(|row| &row[column..]).collect();
    assert_eq!(
        sorted(names.into_iter().map(str::to_owned)),
        ["Größe", "NAME", "News daily"]
    );
    assert!(site.token_is_live());
}

#[test]
fn status_reports_healthy_and_unhealthy_jobs() {
    let (site, news, tips) = exported();
    site.sandbox.with(|world| {
        let waiting = NewSubscriber::new("waiting@example.com").status(Status::Unconfirmed);
        world.add_subscriber(tips, waiting)
    });
    site.run_ok(&[]);
    site.forget_requests();
    let text = stdout_of(&site, &["status"]);
    assert!(
        text.starts_with("healthy: last success 0 min ago\n"),
        "{text}"
    );
    assert!(text.contains("pending   1 await confirmation"), "{text}");
    let row = |list: u64| {
        text.lines()
            .find(|line| line.starts_with(&list.to_string()))
            .unwrap()
    };
    let spark = format!("{}█", "·".repeat(29));
    assert!(
        row(news).contains("         3        0  ")
            && row(news).ends_with(&format!("{spark}  News")),
        "{text}"
    );
    assert!(
        row(tips).contains("         2        1  ")
            && row(tips).ends_with(&format!("{spark}  News")),
        "{text}"
    );

    let printed = stdout_of(&site, &["status", "--json"]);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let all = parse_json(&printed);
    assert_eq!(all["running"], false);
    assert_eq!(
        (&all["version"], &all["healthy"], &all["pending"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(all["token"]["problem"], Value::Null);
    assert_eq!(all["token"]["file"], site.token_file().to_str().unwrap());
    assert_eq!(all["unpublished"], Value::Null);
    let runs = all["runs"].as_array().unwrap();
    let codes: Vec<_> = runs
        .iter()
        .map(|run| (&run["exit_code"], &run["rows"]))
        .collect();
    assert_eq!(codes, [(&json!(0), &json!(0)), (&json!(0), &json!(5))]);
    let lists = all["lists"].as_array().unwrap();
    assert_eq!(lists[0]["id"], news);
    assert_eq!(lists[0]["rows"], 3);
    assert_eq!(
        (&lists[0]["name"], &lists[0]["since"]),
        (&json!("News"), &Value::Null)
    );
    assert_eq!(lists[0]["first_export_complete"], true);
    let days = lists[0]["rows_by_day"].as_array().unwrap();
    assert_eq!((days.len(), &days[29]), (30, &json!(3)));

    site.sandbox.with(|world| world.revoke_everything());
    site.run(&[]).exits(77);
    site.forget_requests();
    let text = stdout_of(&site, &["status"]);
    assert!(
        text.starts_with(
            "not healthy: the last run ended with exit code 77: the account's lists: AWeber no longer accepts the refresh \
             token: AWeber answered 400…; last success 0 min ago\n"
        ),
        "{text}"
    );
    // Monitoring is told at once, not only when the last success is old.
    site.finish(site.command(&["status", "--max-age", "26h"]))
        .exits(1)
        .says("the last run ended with exit code 77");
    assert!(text.contains("     77  "), "{text}");
    let all = parse_json(&stdout_of(&site, &["status", "--json"]));
    assert_eq!(all["healthy"], false);
    let message = all["runs"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("no longer accepts the refresh token"),
        "{message}"
    );
    assert_eq!(site.requests(), 0, "status asks nothing of the network");
}

#[test]
fn max_age_fails_when_the_last_success_is_too_old() {
    let (site, ..) = exported();
    stdout_of(&site, &["status", "--max-age", "26h"]);
    let back = "UPDATE run SET began_at = began_at - 97200, ended_at = ended_at - 97200";
    site.ledger().execute(back, []).unwrap();
    command(&site, &["status", "--max-age", "26h"])
        .exits(1)
        .says("the last success was 1 day 3 h ago");
    assert_eq!(
        parse_json(&stdout_of(&site, &["status", "--json"]))["healthy"],
        true
    );
    let done = command(&site, &["status", "--json", "--max-age", "26h"]);
    assert_eq!(
        (done.code, &parse_json(&done.stdout)["healthy"]),
        (1, &json!(false))
    );
    stdout_of(&site, &["status", "--max-age", "28h"]);

    let never = Site::new();
    command(&never, &["status", "--max-age", "26h"])
        .exits(1)
        .says("no run has succeeded yet");
}

#[test]
fn status_does_not_wait_for_a_run_in_progress_and_reports_it() {
    let site = Site::new();
    site.add_list(250);
    let held = site.hold_on("status=subscribed", &[], 3);
    site.forget_requests();
    let text = stdout_of(&site, &["status"]);
    assert!(
        text.contains("         0  under way\n")
            && text.contains("\nrunning   a run is under way\n")
            && !text.contains("waiting"),
        "{text}"
    );
    let all = parse_json(&stdout_of(&site, &["status", "--json"]));
    assert_eq!(all["running"], true);
    let run = &all["runs"][0];
    assert_eq!(
        (&run["ended_at"], &run["exit_code"]),
        (&Value::Null, &Value::Null)
    );
    let (stopped, _) = site.stop(held, rustix::process::Signal::TERM);
    stopped.exits(143);
    let text = stdout_of(&site, &["status"]);
    let waiting = format!("waiting   199 rows for {}", site.exports().display());
    assert!(
        text.contains(&waiting) && text.contains("the next run publishes them"),
        "{text}"
    );
    assert!(
        text.contains("  News (first export not complete)\n"),
        "{text}"
    );
    assert!(!text.contains("running"), "{text}");
    assert_eq!(
        parse_json(&stdout_of(&site, &["status", "--json"]))["unpublished"]["rows"],
        199
    );
    assert_eq!(site.requests(), 0);
}

#[test]
fn status_shows_a_killed_run_names_and_remembered_days() {
    let site = Site::new();
    let list = site
        .sandbox
        .with(|world| world.add_list("Großer Brief\u{9b}\n"));
    site.sandbox.with(|world| world.add_subscribers(list, 2));
    site.run_ok(&["--since", "2026-01-02"]);
    let held = site.hold_on("/lists", &[], 1);
    site.kill(held).exits(128 + 9);
    let text = stdout_of(&site, &["status"]);
    assert!(text.contains("0         0  killed\n"), "{text}");
    assert!(!text.contains("running"), "{text}");
    assert!(
        text.contains("  Großer Brief   (since 2026-01-02)\n"),
        "{text}"
    );
    let all = parse_json(&stdout_of(&site, &["status", "--json"]));
    assert_eq!(all["running"], false);
    assert_eq!(all["lists"][0]["name"], "Großer Brief\u{9b}\n");
    assert_eq!(all["lists"][0]["since"], "2026-01-02");
}

#[test]
fn status_without_a_token_file_still_reads_the_ledger() {
    let (site, ..) = exported();
    std::fs::remove_file(site.token_file()).unwrap();
    let text = stdout_of(&site, &["status"]);
    assert!(
        text.starts_with("not healthy: there is no token file "),
        "{text}"
    );
    site.finish(site.command(&["status", "--max-age", "26h"]))
        .exits(1)
        .says("there is no token file");
    assert!(text.contains("token     there is no token file"), "{text}");
    assert!(text.contains("LAST RUNS"), "{text}");
    let all = parse_json(&stdout_of(&site, &["status", "--json"]));
    let problem = all["token"]["problem"].as_str().unwrap();
    assert!(problem.contains("there is no token file"), "{problem}");
    assert_eq!(all["lists"].as_array().unwrap().len(), 2);
}

#[test]
fn status_reports_a_damaged_or_newer_ledger() {
    let (site, ..) = exported();
    site.ledger()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    command(&site, &["status"])
        .exits(78)
        .says("written by a newer aweber-sync");
    std::fs::write(
        site.ledger_file(),
        "not a database at all, and long enough to be read as one",
    )
    .unwrap();
    command(&site, &["status"]).exits(74).says("is damaged: ");
}

#[test]
fn completions_are_valid_for_each_shell() {
    let completions_of = |shell: &str| {
        let output = Command::new(BINARY)
            .args(["completions", shell])
            .env_clear()
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions_of(shell);
        for word in ["authorize", "metrics-file", "max-age", "exclude-list"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("aweber-sync.bash");
    append_bytes(&file, completions_of("bash").as_bytes());
    // Completes `aweber-sync run --met`.
    let script = "source \"$1\"; COMP_WORDS=(aweber-sync run --met); COMP_CWORD=2; \
                  _aweber__sync aweber-sync --met run; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--metrics-file\n",
        "{output:?}"
    );
    let unknown = Command::new(BINARY)
        .args(["completions", "tcsh"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn man_writes_a_page_for_each_visible_command() {
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new(BINARY)
        .arg("man")
        .arg(directory.path())
        .env_clear()
        .status();
    assert!(status.unwrap().success());
    let files = files_below(directory.path());
    let names: Vec<_> = files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect();
    let commands = [
        "authorize",
        "check",
        "completions",
        "forget",
        "lists",
        "man",
        "revoke",
        "run",
        "status",
    ];
    let mut expected = vec!["aweber-sync.1".to_owned()];
    expected.extend(commands.map(|command| format!("aweber-sync-{command}.1")));
    assert_eq!(
        sorted(names.into_iter().map(str::to_owned)),
        sorted(expected)
    );
    let run = std::fs::read_to_string(directory.path().join("aweber-sync-run.1")).unwrap();
    for part in [".TH", "metrics\\-file", "AWEBER_SYNC_OUTPUT", "Exit codes"] {
        assert!(run.contains(part), "{part}");
    }
    let missing = directory.path().join("missing");
    let status = Command::new(BINARY)
        .arg("man")
        .arg(missing)
        .env_clear()
        .output();
    assert_eq!(status.unwrap().status.code(), Some(73));
}

#[test]
fn running_without_arguments_prints_help() {
    for environment in [None, Some(("AWEBER_SYNC_STATE_DIR", "/nowhere"))] {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(environment);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(
            printed.contains("Usage: aweber-sync [OPTIONS] <COMMAND>"),
            "{printed}"
        );
        assert!(
            printed.contains("completions") && printed.contains("man pages"),
            "{printed}"
        );
    }
}
