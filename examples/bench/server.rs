//! The server process as the bench sees it: how to start it, and the commands that it takes.

use crate::Result;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Number of lists that the subscribers are spread over, unless another one is given.
pub(crate) const LISTS: u64 = 5;

/// A server process, which ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    details: Value,
}

impl Server {
    /// Starts a server with options for [`crate::serve::serve`].
    pub(crate) fn start(options: &Value) -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut server = Server {
            child,
            input,
            output,
            details: Value::Null,
        };
        server.details = server.read()?;
        Ok(server)
    }

    /// One of the details that the server printed at its start.
    pub(crate) fn text(&self, key: &str) -> Result<String> {
        let text = self.details[key].as_str();
        Ok(text
            .ok_or_else(|| format!("the server printed no {key}"))?
            .to_owned())
    }

    pub(crate) fn lists(&self) -> Vec<u64> {
        let lists = self.details["lists"].as_array();
        lists
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect()
    }

    /// Sends a command line and returns the answer.
    pub(crate) fn command(&mut self, line: &str) -> Result<Value> {
        writeln!(self.input, "{line}")?;
        self.read()
    }

    /// Number of requests since this was last called.
    pub(crate) fn requests(&mut self) -> Result<u64> {
        let count = self.command("requests")?;
        Ok(count
            .as_u64()
            .ok_or("the server returned no request count")?)
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
