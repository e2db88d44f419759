//! N1: the window in which a kill can cost the token ends when AWeber's answer is written, so no system call may come
//! between reading and writing it. A trace shows that.

use crate::support::Site;
use crate::support::authorization::{authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::interrupt::has_strace_with_paths;
use crate::support::process::through;
use aweber_sandbox::{ClientKind, World};
use std::process::Command;

/// The command under strace, with file names.
fn traced(site: &Site, command: &Command) -> Command {
    let trace = site.path("trace");
    let front = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-s",
        "24",
        "-e",
        "trace=all",
        "-e",
        "signal=none",
        "-o",
    ];
    through(
        &[&front[..], &[trace.to_str().unwrap(), "--"]].concat(),
        command,
    )
}

/// For each token answer: the calls from its last read to the write that stores it.
fn from_read_to_write(site: &Site) -> Vec<Vec<String>> {
    let trace = std::fs::read_to_string(site.path("trace")).unwrap();
    let lines: Vec<&str> = trace
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, call)| call.trim())
        .collect();
    let mut windows = Vec::new();
    let mut requested = false;
    let mut since_read: Vec<String> = Vec::new();
    for line in lines {
        requested |= line.contains("POST /oauth2/token ");
        if !requested {
            continue;
        }
        let name = line.split('(').next().unwrap().to_owned();
        if name == "recvfrom" && !line.contains("= -1 ") {
            since_read.clear();
        }
        since_read.push(name);
        if line.starts_with("pwrite64(") && line.contains("/token.json.") {
            windows.push(std::mem::take(&mut since_read));
            requested = false;
        }
    }
    windows
}

#[test]
fn new_tokens_are_written_directly_after_they_are_read() {
    if !has_strace_with_paths() {
        return;
    }
    let site = Site::new();
    site.add_list(150);
    // A second refresh during the run, after a 401.
    site.sandbox
        .with(|world| world.before("/subscribers", 2, World::expire_access_tokens));
    site.finish(traced(&site, &site.command(&["run"]))).exits(0);
    let straight = ["recvfrom", "pwrite64"];
    assert_eq!(from_read_to_write(&site), [straight, straight]);

    let site = unauthorized(ClientKind::Public);
    let command = traced(&site, &authorize(&site, &[]));
    site.finish_with_answer(command, code_at).exits(0);
    assert_eq!(from_read_to_write(&site), [straight]);
}
