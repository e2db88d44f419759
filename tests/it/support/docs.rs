//! The pages for users, and the help that they are compared with.

use std::process::{Command, Stdio};

pub(crate) const README: &str = include_str!("../../../README.md");
pub(crate) const OPTIONS: &str = include_str!("../../../docs/options.md");
pub(crate) const FILES: &str = include_str!("../../../docs/files.md");
pub(crate) const DEPLOY: &str = include_str!("../../../docs/deploy.md");
pub(crate) const MONITORING: &str = include_str!("../../../docs/monitoring.md");
pub(crate) const TROUBLESHOOTING: &str = include_str!("../../../docs/troubleshooting.md");

pub(crate) const COMMANDS: [&str; 9] = [
    "authorize",
    "run",
    "check",
    "lists",
    "status",
    "forget",
    "revoke",
    "completions",
    "man",
];

/// The help of a command, without the padding that clap gives to empty lines.
pub(crate) fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_aweber-sync"))
        .args(command.split_whitespace())
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The section of a page that begins with this heading.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// The part of `docs/options.md` that is written by hand, and the one that is generated from the help.
pub(crate) fn split_options() -> (&'static str, &'static str) {
    let (before, rest) = OPTIONS
        .split_once("<!-- The rest of this file is generated")
        .unwrap();
    (before, rest.split_once(" -->\n\n").unwrap().1)
}

/// Everything that is written by hand.
pub(crate) fn by_hand() -> String {
    let (options, _) = split_options();
    [README, options, FILES, DEPLOY, MONITORING, TROUBLESHOOTING].concat()
}
