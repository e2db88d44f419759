//! Commands in other environments: run through another program, given input while they wait, or signalled.

use super::interrupt::skipped;
use super::{Done, Site};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// The command run through another program: `unshare`, `sh -c '… exec "$@"' sh`.
pub(crate) fn through(front: &[&str], command: &Command) -> Command {
    let mut whole = program_like(command, front[0]);
    whole
        .args(&front[1..])
        .arg(command.get_program())
        .args(command.get_args());
    whole
}

/// Another program with the environment and directory of that command, its output piped.
fn program_like(command: &Command, program: &str) -> Command {
    let mut other = Command::new(program);
    other
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap());
    }
    if let Some(directory) = command.get_current_dir() {
        other.current_dir(directory);
    }
    other
}

/// The command run through a shell script that ends in `exec "$@"` or runs `"$@"`.
pub(crate) fn through_shell(script: &str, command: &Command) -> Command {
    through(&["sh", "-c", script, "sh"], command)
}

/// As [`through_shell`], in its own mount namespace; reports a skip and returns `None` if that is not allowed.
pub(crate) fn in_mount_namespace(script: &str, command: &Command) -> Option<Command> {
    let allowed = Command::new("unshare").args(["--mount", "true"]).output();
    if allowed.is_ok_and(|output| output.status.success()) {
        let front = ["unshare", "--mount", "sh", "-c", script, "sh"];
        return Some(through(&front, command));
    }
    skipped("only root can mount in its own namespace");
    None
}

/// The command on its own terminal, without echo, with all output on standard output; reports a skip and returns
/// `None` without `script` of util-linux. No argument may need quotes.
pub(crate) fn on_terminal(command: &Command) -> Option<Command> {
    if Command::new("script").arg("--version").output().is_err() {
        skipped("script of util-linux is not installed");
        return None;
    }
    let mut line = format!("exec '{}'", command.get_program().to_str().unwrap());
    for argument in command.get_args() {
        line = format!("{line} '{}'", argument.to_str().unwrap());
    }
    let mut terminal = program_like(command, "script");
    terminal
        .args(["--quiet", "--return", "--echo", "never", "--command"])
        .args([&line, "/dev/null"]);
    Some(terminal)
}

/// Sends a signal (`TERM`, `INT`, `KILL`) to a process that the test has started.
pub(crate) fn send_signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

impl Site {
    /// Runs a command that prints an authorization URL and waits for a line, which `answer` makes from the URL.
    pub(crate) fn finish_with_answer(
        &self,
        mut command: Command,
        answer: impl Fn(&str) -> String,
    ) -> Done {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while stdout.read_line(&mut printed).unwrap() > 0 {
            let line = printed.lines().last().unwrap().trim();
            if line.contains("/oauth2/authorize?") || line.contains("/oauth/authorize?") {
                let line = format!("{}\n", answer(line));
                // The program may exit without reading, which breaks the pipe; its exit code tells the rest.
                let _ = child.stdin.take().unwrap().write_all(line.as_bytes());
            }
        }
        stdout.read_to_string(&mut printed).unwrap();
        let mut output = child.wait_with_output().unwrap();
        output.stdout = printed.into_bytes();
        self.read(output)
    }
}
