//! One process from its start to its end: what it cost.

use crate::Result;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// What one process cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system together.
    pub(crate) cpu: Duration,
    /// The most memory it held, in bytes.
    pub(crate) peak: u64,
}

/// The cost of one thing, measured several times, and what it did.
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
    /// Of that name, with nothing measured yet.
    pub(crate) fn new(what: &str) -> Measured {
        Measured {
            what: what.to_owned(),
            ..Measured::default()
        }
    }
}

/// Runs a command to its end. Its exit code has to be `code`.
pub(crate) fn run(command: &mut Command, code: i32) -> Result<Cost> {
    command.stdin(Stdio::null());
    if code != 0 {
        // It says why it ends like that.
        command.stderr(Stdio::null());
    }
    let began = Instant::now();
    let child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
    let used = child.wait4()?;
    let wall = began.elapsed();
    if used.status.code() != Some(code) {
        return Err(format!("{command:?} ended with {}", used.status).into());
    }
    Ok(Cost {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        peak: used.rusage.maxrss,
    })
}

/// How often the command syncs a file or directory, if strace is there to count. The command runs once more for it.
pub(crate) fn fsyncs(command: &Command, scratch: &Path) -> Result<Option<u64>> {
    let log = scratch.join("strace.log");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]);
    traced.arg(&log).arg(command.get_program());
    traced.args(command.get_args());
    for (name, value) in command.get_envs() {
        let value: Option<&OsStr> = value;
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced.stdin(Stdio::null()).stdout(Stdio::null());
    match traced.stderr(Stdio::null()).status() {
        // Not there, or not allowed to trace.
        Err(_) => return Ok(None),
        Ok(status) if !status.success() => return Ok(None),
        Ok(_) => {}
    }
    let log = std::fs::read_to_string(log)?;
    Ok(Some(
        log.lines().filter(|line| line.contains("sync(")).count() as u64,
    ))
}
