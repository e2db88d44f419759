//! Runs the program as a user would and searches all of its output for secrets.

use crate::checks::check;
use crate::{Result, output};
use aweber_sandbox::Sandbox;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// No run takes this long, on any machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program, configured for a sandbox.
pub(crate) struct Program<'a> {
    binary: PathBuf,
    sandbox: &'a Sandbox,
    environment: [(&'static str, String); 5],
    /// Number of `run` commands started.
    pub(crate) runs: Cell<u32>,
}

impl<'a> Program<'a> {
    /// Configures the program to keep all of its files in `state`.
    pub(crate) fn new(binary: PathBuf, sandbox: &'a Sandbox, state: &Path) -> Program<'a> {
        let environment = [
            ("AWEBER_API_URL", sandbox.api_url()),
            ("AWEBER_AUTH_URL", sandbox.auth_url()),
            ("AWEBER_CLIENT_ID", "public-client".to_owned()),
            ("AWEBER_SYNC_STATE_DIR", state.display().to_string()),
            ("AWEBER_SYNC_LOG", "info".to_owned()),
        ];
        Program {
            binary,
            sandbox,
            environment,
            runs: Cell::new(0),
        }
    }

    pub(crate) fn print_environment(&self) {
        let lines = self.environment.iter();
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("export {name}={value}"))
            .collect();
        output::command_output(&format!("\n{}", lines.join("\n")));
    }

    /// Runs `aweber-sync run`, which must succeed; returns its output.
    pub(crate) fn run(&self) -> Result<String> {
        let output = self.start("run")?.wait_with_output()?;
        self.finish(&output, "")
    }

    /// Runs `aweber-sync authorize`; `visit` stands for the user with the browser: it takes the URL and returns the code.
    pub(crate) fn authorize(&self, visit: impl FnOnce(&str) -> Result<String>) -> Result<String> {
        let mut child = self.start("authorize")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut shown = String::new();
        let url = loop {
            let start = shown.len();
            let length = lines.read_line(&mut shown)?;
            check(length > 0, "authorize printed no URL")?;
            if shown[start..].trim().starts_with("http") {
                break shown[start..].trim().to_owned();
            }
        };
        output::command_output(&shown);
        let code = visit(&url)?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        writeln!(input, "{code}")?;
        drop(input);
        let mut rest = String::new();
        lines.read_to_string(&mut rest)?;
        self.finish(&child.wait_with_output()?, rest.trim_start())
    }

    /// Runs `aweber-sync run` and kills it (SIGKILL) at its `nth` request whose URL contains `url_part`. The sandbox must
    /// leave that request unanswered.
    pub(crate) fn run_and_kill(&self, url_part: &str, nth: u32) -> Result<()> {
        let expected = self.sandbox.with(|world| world.count(url_part)) + nth as usize;
        let mut child = self.start("run")?;
        let arrived = self
            .sandbox
            .wait_until(DEADLINE, |world| world.count(url_part) >= expected);
        output::command(&format!("kill -9 {}", child.id()));
        child.kill()?;
        let output = child.wait_with_output()?;
        let text = self.text_without_secrets(&output)?;
        let message = format!("the run never requested {url_part}; its output: {text}");
        check(arrived, message)?;
        let killed = output.status.code().is_none();
        check(killed, format!("the run ended before the kill: {text}"))
    }

    fn start(&self, command: &str) -> Result<Child> {
        output::command(&format!("aweber-sync {command}"));
        self.runs.set(self.runs.get() + u32::from(command == "run"));
        let mut process = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            // The user's own settings must not change the demo.
            if name.to_string_lossy().starts_with("AWEBER_") {
                process.env_remove(&name);
            }
        }
        process
            .arg(command)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(process.spawn()?)
    }

    fn finish(&self, output: &Output, earlier: &str) -> Result<String> {
        let text = earlier.to_owned() + &self.text_without_secrets(output)?;
        output::command_output(&format!("{text}\n"));
        let message = format!("the last command ended with {}", output.status);
        check(output.status.success(), message)?;
        Ok(text)
    }

    /// Returns the output; fails if it contains a secret.
    fn text_without_secrets(&self, output: &Output) -> Result<String> {
        let bytes = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let secrets = self.sandbox.with(|world| world.secrets());
        let leaked = secrets.iter().any(|secret| text.contains(secret.as_str()));
        check(!leaked, "the program printed a secret")?;
        Ok(text)
    }
}

/// Opens the authorization page as a browser would and returns the code shown on it.
pub(crate) fn code_on_page(url: &str) -> Result<String> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("not a URL of the sandbox")?;
    let mut stream = TcpStream::connect(host)?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let code = page
        .split_once("<code id=\"code\">")
        .and_then(|(_, rest)| rest.split_once("</code>"));
    let (code, _) = code.ok_or_else(|| format!("no code on the authorization page: {page}"))?;
    Ok(code.to_owned())
}
