//! The limits of a process: too few open files, too small files. Each ends with an error that says what to do, never
//! with a panic or a signal, and never costs the token.

use crate::support::{BINARY, Done, Site, subscribed};
use std::process::{Command, Stdio};

/// A command under a limit of the shell.
fn limited(site: &Site, limit: &str, arguments: &[&str]) -> Done {
    let plain = site.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("ulimit {limit}; exec \"$@\""), "sh", BINARY])
        .args(plain.get_args())
        .env_clear()
        .current_dir(site.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in plain.get_envs() {
        shell.env(name, value.unwrap());
    }
    site.finish(shell)
}

fn assert_no_panic(done: &Done, case: &str, codes: &[i32]) {
    let done = done.case(&case);
    done.does_not_say("internal error");
    assert!(codes.contains(&done.code), "{case}: {done}");
    if done.code != 0 {
        done.says("safe: ").says("next: ");
    }
}

#[test]
fn too_few_open_files_end_with_an_error_and_lose_nothing() {
    for arguments in [
        &["run"][..],
        &["run", "--output", "grown.csv"],
        &["lists"],
        &["status"],
        &["forget", "--list", "1"],
        &["authorize", "--print-url", "--client-id", "public-client"],
        &["revoke"],
    ] {
        let site = Site::new();
        let list = site.add_list(250);
        for files in 4..=20 {
            let case = format!("{arguments:?} with {files} open files");
            let done = limited(&site, &format!("-n {files}"), arguments);
            assert_no_panic(&done, &case, &[0, 69, 73, 74, 78]);
            if done.code == 0 {
                break;
            }
            assert!(site.token_is_live(), "{case}: {done}");
        }
        if arguments[0] == "run" {
            site.run_ok(&arguments[1..]);
            if arguments.len() == 1 {
                assert_eq!(site.emails(), subscribed(&site, &[list]));
            }
        }
    }
}

#[test]
fn too_small_files_end_with_an_error_and_lose_nothing() {
    // In blocks of 512 bytes.
    for blocks in [0, 1, 2, 8, 40, 100, 110, 150] {
        let site = Site::new();
        let list = site.add_list(1500);
        let case = format!("files of {blocks} blocks");
        let done = limited(&site, &format!("-f {blocks}"), &["run"]);
        assert_no_panic(&done, &case, &[73, 74]);
        assert!(site.token_is_live(), "{case}: {done}");
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &[list]), "{case}");
    }
}

#[test]
fn durations_of_any_length_are_accepted() {
    let site = Site::new();
    site.add_list(2);
    for option in [
        "--timeout",
        "--lock-wait",
        "--retry-wait",
        "--rate-limit-wait",
        "--max-duration",
    ] {
        for long in ["1000000000h", "4294967295", "18446744073709551615s"] {
            let done = site.run(&[option, long]);
            done.case(&format_args!("{option} {long}")).exits(0);
        }
    }
    site.finish(site.command(&["status", "--max-age", "1000000000h"]))
        .exits(0);
}

#[test]
fn statuses_may_have_blanks_around_them() {
    let site = Site::new();
    let list = site.add_list(2);
    let mut command = site.command(&["run"]);
    command.env(
        "AWEBER_SYNC_STATUS",
        " subscribed, unconfirmed ,unsubscribed",
    );
    site.finish(command).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}
