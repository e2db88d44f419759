//! Runs a process and measures its cost.

use crate::Result;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// The cost of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Peak resident memory, in bytes.
    pub(crate) peak: u64,
}

/// Several measurements of the same work, and counts of what it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) what: String,
    pub(crate) costs: Vec<Cost>,
    pub(crate) requests: Option<u64>,
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) fsyncs: Option<u64>,
}

impl Measured {
    pub(crate) fn new(what: impl Into<String>) -> Measured {
        Measured {
            what: what.into(),
            ..Measured::default()
        }
    }
}

/// Runs a command to its end; fails if its exit code is not `code`.
pub(crate) fn run(command: &mut Command, code: i32) -> Result<Cost> {
    command.stdin(Stdio::null());
    if code != 0 {
        // Its error message is expected.
        command.stderr(Stdio::null());
    }
    let start = Instant::now();
    let child = command
        .spawn()
        .map_err(|e| format!("cannot run {command:?}: {e}"))?;
    let used = child.wait4()?;
    let wall = start.elapsed();
    if used.status.code() != Some(code) {
        return Err(format!("{command:?} ended with {}", used.status).into());
    }
    Ok(Cost {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        peak: used.rusage.maxrss,
    })
}

/// Calls that do not depend on the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) fsyncs: u64,
    /// SQLite alone reads at an offset.
    pub(crate) ledger_reads: u64,
}

/// Runs the command once more under strace and counts its calls; `None` if strace is missing or may not trace.
pub(crate) fn calls(command: &Command, scratch: &Path) -> Result<Option<Calls>> {
    let log = scratch.join("strace.log");
    let output = log.to_string_lossy();
    let trace = "trace=fsync,fdatasync,pread64";
    let options = ["-f", "-qq", "-e", trace, "-o", &output];
    let mut traced = wrap(command, "strace", &options);
    traced
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !traced.status().is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let log = std::fs::read_to_string(log)?;
    let count = |call: &str| log.lines().filter(|line| line.contains(call)).count() as u64;
    Ok(Some(Calls {
        fsyncs: count("sync("),
        ledger_reads: count("pread64("),
    }))
}

/// The same command run by a tool. The environment is that of the command, which must have cleared it.
pub(crate) fn wrap(command: &Command, tool: &str, arguments: &[&str]) -> Command {
    let mut wrapped = Command::new(tool);
    wrapped
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped
}
