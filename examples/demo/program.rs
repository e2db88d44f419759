//! The program under demonstration: building it, and running it as a user would, with every output searched for
//! secrets.

use crate::{Result, check, teller};
use aweber_sandbox::Sandbox;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longer than this nothing in the demo takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds the program into the target directory and with the profile that this demo was built with.
pub(crate) fn build() -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    // TARGET/PROFILE/examples/demo
    let directory = |n| me.ancestors().nth(n).unwrap_or(Path::new("/"));
    let (profile, target) = (directory(2), directory(3));
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    teller::text("Building the program: cargo build --bin aweber-sync");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build
        // Naming the demo too takes the libraries as they were built for it, instead of with fewer features.
        .args(["build", "--quiet", "--bin=aweber-sync", "--example=demo"])
        .args(["--profile", name, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        // What cargo tells a program about its package would make the inner cargo build some libraries anew.
        let text = variable.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&variable);
        }
    }
    check(build.status()?.success(), "the program cannot be built")?;
    Ok(profile.join("aweber-sync"))
}

/// The program, set up for a sandbox.
pub(crate) struct Program<'a> {
    binary: PathBuf,
    sandbox: &'a Sandbox,
    environment: [(&'static str, String); 5],
    /// How often `run` was started.
    pub(crate) runs: Cell<u32>,
}

impl<'a> Program<'a> {
    /// With everything in `state`.
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

    /// Says how it is set up.
    pub(crate) fn show_environment(&self) {
        let lines = self.environment.iter();
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("export {name}={value}"))
            .collect();
        teller::output(&format!("\n{}", lines.join("\n")));
    }

    /// `aweber-sync run`, which must end well; what it said.
    pub(crate) fn run(&self) -> Result<String> {
        let output = self.start("run")?.wait_with_output()?;
        self.finish(&output, "")
    }

    /// `aweber-sync authorize`; the part of the person with the browser is `visit`: from the address to the code.
    pub(crate) fn authorize(&self, visit: impl FnOnce(&str) -> Result<String>) -> Result<String> {
        let mut child = self.start("authorize")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut said = String::new();
        let url = loop {
            let from = said.len();
            check(
                lines.read_line(&mut said)? > 0,
                "authorize showed no address",
            )?;
            if said[from..].trim().starts_with("http") {
                break said[from..].trim().to_owned();
            }
        };
        teller::output(&said);
        let code = visit(&url)?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        writeln!(input, "{code}")?;
        drop(input);
        let mut rest = String::new();
        lines.read_to_string(&mut rest)?;
        self.finish(&child.wait_with_output()?, rest.trim_start())
    }

    /// `aweber-sync run`, killed (SIGKILL) as soon as it has asked `times` times for `held`, the last time without an
    /// answer.
    pub(crate) fn run_and_kill(&self, held: &str, times: u32) -> Result<()> {
        let before_kill = self.sandbox.with(|world| world.count(held)) + times as usize;
        let mut child = self.start("run")?;
        let is_held = self
            .sandbox
            .wait_until(PATIENCE, |world| world.count(held) >= before_kill);
        teller::command(&format!("kill -9 {}", child.id()));
        child.kill()?;
        let output = child.wait_with_output()?;
        let said = self.searched(&output)?;
        check(
            is_held,
            format!("the run never asked for {held}; it said: {said}"),
        )?;
        let killed = output.status.code().is_none();
        check(killed, format!("the run ended before the kill: {said}"))
    }

    /// Starts it, as typed.
    fn start(&self, command: &str) -> Result<Child> {
        teller::command(&format!("aweber-sync {command}"));
        self.runs.set(self.runs.get() + u32::from(command == "run"));
        let mut process = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            // The user's own settings have no part in this.
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
        let said = earlier.to_owned() + &self.searched(output)?;
        teller::output(&format!("{said}\n"));
        check(
            output.status.success(),
            format!("the last command ended with {}", output.status),
        )?;
        Ok(said)
    }

    /// What it printed, without a secret in it.
    fn searched(&self, output: &Output) -> Result<String> {
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat())
            .into_owned();
        let secrets = self.sandbox.with(|world| world.secrets());
        let shown = secrets.iter().any(|secret| said.contains(secret.as_str()));
        check(!shown, "the program printed a secret")?;
        Ok(said)
    }
}

/// Opens a page as a browser would, and takes the code that stands on it.
pub(crate) fn code_on_page(url: &str) -> Result<String> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("that is no page of the sandbox")?;
    let mut stream = TcpStream::connect(host)?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let code = page
        .split_once("<code id=\"code\">")
        .and_then(|(_, rest)| rest.split_once("</code>"));
    let (code, _) = code.ok_or_else(|| format!("AWeber's page shows no code: {page}"))?;
    Ok(code.to_owned())
}
