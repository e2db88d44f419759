//! Standard output that is closed: what would be printed there is not counted as printed.

use crate::support::job::{Job, OutputKind};
use crate::support::{BINARY, Done, Site};
use std::process::Command;

/// A command started by a shell with that redirection.
fn redirected(site: &Site, redirection: &str, arguments: &[&str]) -> Done {
    let plain = site.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec \"$@\" {redirection}"), "sh", BINARY])
        .args(plain.get_args())
        .env_clear()
        .current_dir(site.path(""))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    for (name, value) in plain.get_envs() {
        shell.env(name, value.unwrap());
    }
    site.finish(shell)
}

#[test]
fn rows_are_not_published_to_a_closed_standard_output() {
    let mut job = Job::new(OutputKind::Stdout);
    job.add_subscribers(3);
    let site = &job.site;
    redirected(site, ">&-", &["run", "--output", "-"])
        .exits(73)
        .says("standard output: it is closed")
        .says("safe: ")
        .says("next: ");
    assert_eq!(site.requests(), 0);
    // A batch that waits is not printed into the void either.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = site.command(&["run", "--output", "-"]);
    command.stdout(writer);
    site.finish(command).exits(73);
    site.forget_requests();
    redirected(site, ">&-", &["run", "--output", "-"])
        .exits(73)
        .says("closed");
    assert_eq!(site.requests(), 0);
    let done = job.run_ok();
    job.assert_exported_once("printed once it was open", &done);
}

#[test]
fn the_null_device_is_no_closed_output() {
    let job = Job::new(OutputKind::Stdout);
    job.add_subscribers(3);
    for redirection in [">/dev/null", ">>/dev/null"] {
        for arguments in [
            &["run", "--output", "-"][..],
            &["lists"],
            &["lists", "--json"],
            &["status", "--json"],
        ] {
            redirected(&job.site, redirection, arguments)
                .case(&format_args!("{arguments:?} {redirection}"))
                .exits(0);
        }
    }
}

/// Python's `DEVNULL` and Node's `'ignore'` open the null device for reading and writing, as Rust's runtime does for a
/// closed standard output. A monitor that wants only the exit code starts `status` so.
#[test]
fn a_monitor_may_throw_the_output_of_lists_and_status_away() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    job.site.run_ok(&[]);
    for arguments in [
        &["lists"][..],
        &["lists", "--json"],
        &["status", "--json", "--max-age", "1h"],
        &["status", "--max-age", "1h"],
    ] {
        redirected(&job.site, "1<>/dev/null", arguments)
            .case(&format_args!("{arguments:?}"))
            .exits(0);
    }
}
