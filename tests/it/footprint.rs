//! N7: memory does not grow with the list, and commands that need no AWeber need nothing else either.

use crate::support::interrupt::has_strace;
use crate::support::job::{Job, OutputKind};
use crate::support::process::through;
use crate::support::{BINARY, is_whole};
use std::process::Command;

/// Peak memory in KiB of a first export of `subscribers` until its last request.
fn peak_of_first_export(subscribers: usize) -> u64 {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(subscribers);
    // The final count is the last request; only publishing follows.
    let held = job.site.hold_on("ws.show=total_size", &[], 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", held.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .unwrap();
    job.site.kill(held).is_silent();
    peak.parse().unwrap()
}

#[test]
fn twenty_times_as_many_subscribers_take_no_more_memory() {
    let one = if is_whole() { 2_000 } else { 1_000 };
    let [few, many] = [one, 20 * one].map(peak_of_first_export);
    eprintln!("peak: {few} KiB for {one} subscribers, {many} KiB for twenty times as many");
    assert!(many < few + 2 * 1024, "{few} KiB, then {many} KiB");
}

#[test]
fn version_and_help_need_no_environment_and_no_home() {
    let empty = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (
            vec!["--version"],
            concat!("aweber-sync ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        (vec!["--help"], "Usage: aweber-sync"),
        (vec!["run", "--help"], "Exit codes:"),
        (vec!["authorize", "--help"], "--print-url"),
    ] {
        let output = Command::new(BINARY)
            .args(&arguments)
            .env_clear()
            .current_dir(&empty)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(expected), "{arguments:?}\n{stdout}");
        assert!(output.stderr.is_empty());
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_run_without_a_home_names_the_variable_to_set() {
    let output = Command::new(BINARY)
        .arg("run")
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("AWEBER_SYNC_STATE_DIR"), "{stderr}");
}

/// How often a run waits for the disk.
fn syncs(job: &Job) -> usize {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let path = trace.path().to_str().unwrap();
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        path,
        "-e",
        "trace=fsync,fdatasync",
        "--",
    ];
    let run = job.site.command(&["run"]);
    let done = job.site.finish(through(&strace, &run));
    assert_eq!(done.code, 0, "{done}");
    let text = std::fs::read_to_string(trace.path()).unwrap();
    text.lines().filter(|line| line.contains("sync(")).count()
}

#[test]
fn a_run_syncs_no_more_than_what_it_promises() {
    if !has_strace() {
        return;
    }
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(130);
    let first = syncs(&job);
    let idle = [syncs(&job), syncs(&job)];
    job.add_subscribers(30);
    let new = syncs(&job);
    // Tokens 5, each commit of the ledger 5, the first one 4, a new file 5.
    assert_eq!((first, idle, new), (36, [14, 14], 28));
}
