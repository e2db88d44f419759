//! An independent judge of signatures: oauthlib, in a process of its own. `.ci/run` installs it and names its Python in
//! `OAUTHLIB_PYTHON`; without that, the tests are skipped where it is missing.

use super::interrupt::skipped;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A running judge, which ends on drop.
pub(crate) struct Judge {
    port: u16,
    process: Child,
    input: Option<ChildStdin>,
}

/// The judge's program run by a Python that has oauthlib; `None`: there is none, which is reported.
pub(crate) fn judge_command() -> Option<Command> {
    let required = std::env::var_os("OAUTHLIB_PYTHON").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../oauthlib-venv/bin/python");
    let python = required.clone().unwrap_or(match installed.exists() {
        true => installed,
        false => "python3".into(),
    });
    let imports = Command::new(&python)
        .args(["-c", "import oauthlib.oauth1"])
        .output();
    if !imports.is_ok_and(|output| output.status.success()) {
        assert!(required.is_none(), "{} has no oauthlib", python.display());
        skipped("no Python with oauthlib: bash .ci/steps.sh oauthlib installs one");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauthlib/judge.py"));
    Some(command)
}

impl Judge {
    /// Starts it; `None`: there is no oauthlib.
    pub(crate) fn start() -> Option<Judge> {
        let mut command = judge_command()?;
        let mut process = command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        Some(Judge {
            port: line.trim().parse().unwrap(),
            input: process.stdin.take(),
            process,
        })
    }

    /// Its verdict on each request, as [`request`] makes them: `None` if it accepts.
    pub(crate) fn verdicts(&self, requests: &[Value]) -> Vec<Option<String>> {
        let body = json!(requests).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

/// A request to judge. `client` and `token`: key and secret.
pub(crate) fn request(
    method: &str,
    url: &str,
    header: &str,
    client: [&str; 2],
    token: Option<[&str; 2]>,
) -> Value {
    json!({"method": method, "url": url, "header": header, "client": client, "token": token})
}
