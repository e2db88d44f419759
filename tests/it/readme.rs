//! The README says what the program says: its help block, its options and variables, its exit codes.

use crate::support::files_below;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");

/// Options of cargo, of SQLite's shell, systemctl, systemd-run, docker and kubectl that the README may name.
const FOREIGN: [&str; 16] = [
    "--csv",
    "--skip",
    "--test",
    "--example",
    "--path",
    "--release",
    "--now",
    "--pipe",
    "--wait",
    "--property",
    "--rm",
    "--read-only",
    "--cap-drop",
    "--security-opt",
    "--from",
    "--from-literal",
];

/// Options that it names by their short forms, or not at all.
const UNNAMED: [&str; 3] = ["--help", "--quiet", "--verbose"];

/// Variables of `run` that stand in no help, since they have no option: secrets.
const PINGS: [&str; 2] = ["AWEBER_SYNC_PING_URL", "AWEBER_SYNC_PING_URL_FILE"];

const COMMANDS: [&str; 7] = [
    "authorize",
    "run",
    "lists",
    "status",
    "forget",
    "revoke",
    "completions",
];

fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_aweber-sync"))
        .args(command.split_whitespace())
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // clap pads empty lines; editors and reviewers do not.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The README around its help block, and the block.
fn split() -> (String, String) {
    let (before, rest) = README
        .split_once("run --help</code></summary>\n\n```text\n")
        .unwrap();
    let (block, after) = rest.split_once("```\n").unwrap();
    (format!("{before}{after}"), block.to_owned())
}

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
fn the_help_block_is_what_the_program_says() {
    let (_, block) = split();
    let said = help("run");
    assert_eq!(block, said, "the help block of README.md is to be:\n{said}");
}

#[test]
fn the_two_commands_stand_in_it() {
    let (_, rest) = README.split_once("## Try it\n").unwrap();
    assert!(rest.contains("```sh\ncargo run --example demo\ncargo test\n```"));
}

#[test]
fn it_lists_every_command() {
    let (_, rest) = README.split_once("## Commands\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let rows = table
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
fn it_names_every_variable_and_option_and_no_other() {
    let (text, _) = split();
    let said: String = COMMANDS.map(help).concat();
    let mut known = variables(&said);
    known.extend(PINGS.map(str::to_owned));
    assert_eq!(variables(&text), known);
    let named = options(&text)
        .into_iter()
        .filter(|option| !FOREIGN.contains(&option.as_str()));
    let known = options(&said)
        .into_iter()
        .filter(|option| !UNNAMED.contains(&option.as_str()));
    assert_eq!(
        named.collect::<BTreeSet<_>>(),
        known.collect::<BTreeSet<_>>()
    );
}

#[test]
fn it_explains_every_exit_code_and_no_other() {
    let (_, rest) = README.split_once("## Exit codes\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let help = help("run");
    let (_, said) = help.split_once("Exit codes:\n").unwrap();
    let in_help = codes(said);
    assert_eq!(codes(table), in_help);
    assert!(in_help.len() > 8, "{in_help:?}");
}

#[test]
fn the_messages_that_it_explains_are_the_programs() {
    let (_, rest) = README.split_once("## When something is wrong\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let sources = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let code: String = sources
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
    let messages: Vec<&str> = rows.map(|row| row.split_once('`').unwrap().0).collect();
    assert!(messages.len() > 10);
    for message in messages {
        // An ellipsis, or a quoted name, stands for what differs from case to case.
        for part in message.split(['…', '"', '\'']).map(str::trim) {
            assert!(code.contains(part), "no source file says \"{part}\"");
        }
    }
}
