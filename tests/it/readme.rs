//! README and docs say what the program says: its commands, options and variables, its exit codes, its messages.

use crate::support::docs::{
    COMMANDS, README, TROUBLESHOOTING, by_hand, help, section, split_options,
};
use crate::support::files_below;
use std::collections::BTreeSet;
use std::path::Path;

/// Options of every program, and of cargo, gh, sha256sum, SQLite's shell, systemd-creds, systemctl, docker and kubectl, that
/// the pages may name.
const FOREIGN: [&str; 24] = [
    "--repo",
    "--env-file",
    "--check",
    "--ignore-missing",
    "--locked",
    "--csv",
    "--skip",
    "--test",
    "--example",
    "--path",
    "--release",
    "--now",
    "--rm",
    "--user",
    "--read-only",
    "--failed",
    "--cap-drop",
    "--security-opt",
    "--from",
    "--from-literal",
    "--from-file",
    "--name",
    "--help",
    "--version",
];

/// Variables of `run` that have no option and no line of their own in the help: secrets.
const PINGS: [&str; 2] = ["AWEBER_SYNC_PING_URL", "AWEBER_SYNC_PING_URL_FILE"];

/// Every word made of these characters that begins like that.
fn words(text: &str, begins: &str, of: fn(char) -> bool) -> BTreeSet<String> {
    text.split(|c| !of(c))
        .filter(|word| word.starts_with(begins) && word.len() > begins.len())
        .map(|word| word.trim_end_matches('-').to_owned())
        .filter(|word| word.len() > begins.len())
        .collect()
}

fn variables(text: &str) -> BTreeSet<String> {
    words(text, "AWEBER_", |c| c.is_ascii_uppercase() || c == '_')
}

fn options(text: &str) -> BTreeSet<String> {
    words(text, "--", |c| c.is_ascii_lowercase() || c == '-')
}

/// The numbers in a row of the table of exit codes, or at the beginning of a line of the help's.
fn codes(text: &str) -> BTreeSet<u8> {
    let numbers = text.lines().flat_map(|line| {
        let cell = line
            .trim_start_matches('|')
            .split(['|', ':'])
            .next()
            .unwrap_or("");
        let first = cell.trim_start().split("  ").next().unwrap_or("");
        first
            .split(',')
            .filter_map(|word| word.trim().parse().ok())
            .collect::<Vec<u8>>()
    });
    numbers.collect()
}

#[test]
fn the_two_commands_stand_in_it() {
    let text = section(README, "## Try it");
    assert!(text.contains("```sh\ncargo run --example demo\ncargo test\n```"));
}

#[test]
fn it_has_at_most_300_lines() {
    assert!(README.lines().count() <= 300);
}

#[test]
fn it_lists_every_command() {
    let rows = section(README, "## Commands")
        .lines()
        .filter_map(|row| row.strip_prefix("| `aweber-sync "));
    let named = rows.map(|row| row.split([' ', '`']).next().unwrap());
    assert_eq!(named.collect::<Vec<_>>(), COMMANDS);
    let help = help("");
    let (_, said) = help.split_once("Commands:\n").unwrap();
    let (said, _) = said.split_once("\n\n").unwrap();
    let known = said.lines().filter(|line| !line.starts_with("   "));
    let known = known.map(|line| line.split_whitespace().next().unwrap());
    assert_eq!(
        known.filter(|name| *name != "help").collect::<Vec<_>>(),
        COMMANDS
    );
}

#[test]
fn every_variable_and_option_is_documented_and_no_other() {
    let said: String = COMMANDS.map(help).concat();
    let (_, generated) = split_options();
    let mut known = variables(&said);
    known.extend(PINGS.map(str::to_owned));
    assert_eq!(variables(&(by_hand() + generated)), known);
    for variable in variables(include_str!("../../examples/aweber-sync.env")) {
        assert!(
            known.contains(&variable),
            "examples/aweber-sync.env: {variable}"
        );
    }
    let named = options(&(by_hand() + generated))
        .into_iter()
        .filter(|option| !FOREIGN.contains(&option.as_str()));
    let known = options(&said)
        .into_iter()
        .filter(|option| option != "--help");
    assert_eq!(
        named.collect::<BTreeSet<_>>(),
        known.collect::<BTreeSet<_>>()
    );
}

#[test]
fn the_ten_usual_options_have_the_variables_of_the_program() {
    let rows = section(README, "## Options").lines();
    let rows: Vec<&str> = rows.filter(|row| row.starts_with("| `--")).collect();
    assert_eq!(rows.len(), 10);
    let variable = |row: &str| {
        let row = row.replace("\\|", "/");
        row.split('|').nth(2).unwrap().trim().to_owned()
    };
    let (_, generated) = split_options();
    let run = section(generated, "## aweber-sync run").to_owned() + generated;
    for row in rows {
        let option = options(row).into_iter().next().unwrap();
        let begins = format!("| `{option}");
        let documented = run.lines().find(|line| line.starts_with(&begins)).unwrap();
        assert_eq!(variable(row), variable(documented), "{option}");
    }
}

#[test]
fn it_explains_every_exit_code_and_no_other() {
    let help = help("run");
    let (_, said) = help.split_once("Exit codes:\n").unwrap();
    let in_help = codes(said);
    assert_eq!(codes(section(README, "## Exit codes")), in_help);
    assert!(in_help.len() > 8, "{in_help:?}");
}

/// The messages in the first cells of tables.
fn messages(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|row| row.strip_prefix("| `"));
    rows.map(|row| row.split_once('`').unwrap().0).collect()
}

#[test]
fn the_messages_that_are_explained_are_the_programs() {
    let sources = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let code: String = sources
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let all = messages(TROUBLESHOOTING);
    assert!(all.len() >= 38, "{}", all.len());
    for message in &all {
        // An ellipsis, a quoted name, or the option that named a list stands for what differs from case to case.
        for part in message
            .replace("--list", "…")
            .split(['…', '"', '\''])
            .map(str::trim)
        {
            assert!(code.contains(part), "no source file says \"{part}\"");
        }
    }
    let common = messages(section(README, "## When something is wrong"));
    assert_eq!(common.len(), 10);
    for message in common {
        assert!(all.contains(&message), "troubleshooting.md lacks {message}");
    }
}
