//! Failing disks: single calls that strace makes fail with a device error. `cargo test --test sweep -- errno` covers
//! all calls of all commands; these are the cases that need a closer look.

use crate::support::authorization::{authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::disk::{with_failing_calls, with_failing_token_write};
use crate::support::interrupt::has_strace_with_paths;
use crate::support::job::{Job, OutputKind};
use crate::support::token::refresh_token_in;
use crate::support::{Done, Site, files_below, mode, set_mode, sorted, subscribed};
use aweber_sandbox::ClientKind;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command with its own directory for temporary files.
fn with_temp_dir(site: &Site, mut command: Command) -> Command {
    std::fs::create_dir_all(site.path("tmp")).unwrap();
    command.env("TMPDIR", site.path("tmp"));
    command
}

/// Every place where a full disk or a quota can be met first, other than the ledger and the export: the failing call, on
/// which file, and the command.
const FULL: &[(&str, &str, &[&str])] = &[
    ("mkdir:error=ENOSPC", "state", &["run"]),
    ("openat:error=EDQUOT", "state/lock", &["run"]),
    ("openat:error=ENOSPC", "state/token.json.next", &["run"]),
    ("rename:error=EDQUOT", "state/token.json.next", &["run"]),
    (
        "pwrite64:error=EDQUOT:when=2",
        "state/token.json.next",
        &["run"],
    ),
    (
        "openat:error=ENOSPC",
        "state/ledger-1234567.sqlite3.new",
        &["run"],
    ),
    (
        "mkdir:error=ENOSPC",
        "exports",
        &["run", "--output", "exports/"],
    ),
    (
        "openat:error=ENOSPC",
        "state/token.json.authorizing.tmp",
        &["authorize", "--print-url"],
    ),
];

#[test]
fn a_full_disk_or_quota_is_named_wherever_it_is_met_and_the_next_run_speaks_of_no_kill() {
    if !has_strace_with_paths() {
        return;
    }
    for (call, file, arguments) in FULL {
        let site = Site::new();
        site.add_list(3);
        let tokens = site.tokens();
        if *file == "state" {
            std::fs::remove_dir_all(site.state_dir()).unwrap();
        }
        let mut command = site.command(arguments);
        command.env("AWEBER_CLIENT_ID", site.client_id());
        let files = [site.path(file)];
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let done = site.finish(with_failing_calls(&command, &files, &[call]));
        let label = format!("{call} on {file}: {}", arguments.join(" "));
        let cause = match call.contains("ENOSPC") {
            true => ": No space left on device (os error 28)\n",
            false => ": Disk quota exceeded (os error 122)\n",
        };
        done.case(&label)
            .fails()
            .says(cause)
            .says("\n  safe: ")
            .says("\n  next: free some ")
            .does_not_say("writable");
        site.write_token_file(&tokens);
        site.run_ok(&[]).case(&label).is_silent();
    }
}

/// A run whose new tokens went into a fallback copy, and the path of that copy.
fn with_fallback_copy() -> Option<(Site, u64, Done, PathBuf)> {
    if !has_strace_with_paths() {
        return None;
    }
    let site = Site::new();
    let list = site.add_list(3);
    let done = site.finish(with_failing_token_write(
        &site,
        &with_temp_dir(&site, site.command(&["run"])),
        true,
    ));
    done.exits(74);
    let copies = files_below(&site.path("tmp"));
    assert_eq!(copies.len(), 1, "{done}");
    Some((site, list, done, copies[0].clone()))
}

/// Whether the refresh token in a file is live.
fn holds_live_token(site: &Site, file: &Path) -> bool {
    let token = refresh_token_in(file).unwrap();
    site.sandbox
        .with(|world| world.is_live_refresh_token(&token))
}

#[test]
fn tokens_that_cannot_be_written_into_the_reserved_file_go_into_a_new_file() {
    if !has_strace_with_paths() {
        return;
    }
    let site = Site::new();
    let list = site.add_list(3);
    let done = site.finish(with_failing_token_write(
        &site,
        &with_temp_dir(&site, site.command(&["run"])),
        false,
    ));
    done.exits(0).says("check that disk");
    assert!(site.token_is_live(), "{done}");
    assert_eq!(mode(&site.token_file()), 0o600);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(files_below(&site.path("tmp")), Vec::<PathBuf>::new());
    assert!(!site.beside_token(".next").exists());
}

#[test]
fn tokens_that_cannot_be_written_beside_the_old_ones_are_kept_in_a_fallback_copy_for_the_next_run()
{
    let Some((site, list, done, copy)) = with_fallback_copy() else {
        return;
    };
    assert!(holds_live_token(&site, &copy), "{done}");
    assert_eq!(mode(&copy), 0o600);
    let advice = format!("kept in {}: leave that file there", copy.display());
    done.says(&advice)
        .says("token.json.next: Input/output error");

    site.forget_requests();
    let next = site.finish(with_temp_dir(&site, site.command(&["run"])));
    next.exits(0);
    assert!(site.token_is_live(), "{next}");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(!copy.exists(), "{next}");
    // The dead token was not sent, since AWeber may treat that as theft.
    assert_eq!(site.token_requests(), 1, "{next}");
}

#[test]
fn under_systemd_the_fallback_copy_is_in_the_runtime_directory() {
    if !has_strace_with_paths() {
        return;
    }
    let site = Site::new();
    let list = site.add_list(3);
    std::fs::create_dir(site.path("runtime")).unwrap();
    let mut command = with_temp_dir(&site, site.command(&["run"]));
    command.env("RUNTIME_DIRECTORY", site.path("runtime"));
    site.finish(with_failing_token_write(&site, &command, true))
        .exits(74);
    assert_eq!(files_below(&site.path("runtime")).len(), 1);
    assert_eq!(files_below(&site.path("tmp")), Vec::<PathBuf>::new());
    site.finish(command).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(files_below(&site.path("runtime")), Vec::<PathBuf>::new());
}

#[test]
fn a_fallback_copy_stays_until_its_disk_is_repaired() {
    let Some((site, list, _, copy)) = with_fallback_copy() else {
        return;
    };
    site.forget_requests();
    let (next, replacement) = (site.beside_token(".next"), site.beside_token(".next.tmp"));
    let command = with_temp_dir(&site, site.command(&["run"]));
    for calls in ["pwrite64:error=EIO:when=1+", "openat:error=EROFS:when=3+"] {
        let done = site.finish(with_failing_calls(
            &command,
            &[&next, &replacement],
            &[calls],
        ));
        let done = done.case(&calls);
        done.exits(74);
        assert_eq!(site.requests(), 0, "{done}");
        assert!(holds_live_token(&site, &copy), "{done}");
        done.says(&copy.display().to_string());
    }
    site.finish(command).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_fallback_copy_older_than_the_token_file_is_removed_unused() {
    let Some((site, _, _, copy)) = with_fallback_copy() else {
        return;
    };
    let old = std::fs::read(&copy).unwrap();
    let command = || with_temp_dir(&site, site.command(&["run"]));
    site.finish(command()).exits(0);
    std::fs::write(&copy, old).unwrap();
    set_mode(&copy, 0o600);
    let done = site.finish(command());
    done.exits(0);
    assert!(site.token_is_live(), "{done}");
    assert!(!copy.exists(), "{done}");
}

#[test]
fn a_fallback_copy_that_another_user_could_have_written_is_ignored() {
    let Some((site, _, _, copy)) = with_fallback_copy() else {
        return;
    };
    let command = || with_temp_dir(&site, site.command(&["run"]));
    site.finish(command()).exits(0);
    // A higher generation with an invalid token.
    let mut forged = site.tokens();
    forged["generation"] = 99.into();
    forged["refresh_token"] = "forged".into();
    let bait = site.path("bait");
    std::fs::write(&bait, forged.to_string()).unwrap();
    let put: [(&str, &dyn Fn()); 5] = [
        ("readable by others", &|| {
            set_mode(&bait, 0o644);
            std::fs::copy(&bait, &copy).unwrap();
        }),
        ("a link to a private file", &|| {
            set_mode(&bait, 0o600);
            symlink(&bait, &copy).unwrap();
        }),
        ("a second name of a private file", &|| {
            std::fs::hard_link(&bait, &copy).unwrap();
        }),
        ("owned by another user", &|| {
            std::fs::copy(&bait, &copy).unwrap();
            chown(&copy, Some(65534), Some(65534)).unwrap();
        }),
        ("a pipe", &|| {
            let made = Command::new("mkfifo")
                .args(["-m", "600"])
                .arg(&copy)
                .status();
            assert!(made.unwrap().success());
        }),
    ];
    for (what, put) in put {
        put();
        let done = site.finish(command());
        done.case(&what).exits(0);
        assert!(site.token_is_live(), "{what}: {done}");
        assert!(copy.symlink_metadata().is_ok(), "{what} was removed");
        std::fs::remove_file(&copy).unwrap();
    }
}

#[test]
fn first_tokens_that_cannot_be_written_are_kept_in_a_fallback_copy_and_authorize_finishes() {
    if !has_strace_with_paths() {
        return;
    }
    let site = unauthorized(ClientKind::Public);
    let list = site.add_list(3);
    let command = with_temp_dir(&site, authorize(&site, &[]));
    let (next, replacement) = (
        site.beside_token(".candidate.next"),
        site.beside_token(".candidate.next.tmp"),
    );
    // There is no rehearsal, since no token file exists yet.
    let calls = ["pwrite64:error=EIO:when=2+", "write:error=EIO:when=1+"];
    let broken = with_failing_calls(&command, &[&next, &replacement], &calls);
    let done = site.finish_with_answer(broken, code_at);
    done.exits(74);
    let copies = files_below(&site.path("tmp"));
    assert_eq!(copies.len(), 1, "{done}");

    // The user is not asked again.
    let finished = site.finish(command);
    finished.exits(0);
    assert!(site.token_is_live(), "{finished}");
    assert!(!copies[0].exists());
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_marker_that_could_not_be_removed_is_removed_by_the_next_run_even_after_another_batch() {
    if !has_strace_with_paths() {
        return;
    }
    let mut job = Job::with_open_batch(OutputKind::Directory);
    let marker = job.batch().marker.unwrap();
    let command = job.site.command(&["run"]);
    // The first call checks for an existing one.
    let calls = ["unlink:error=EIO:when=2"];
    let done = job
        .site
        .finish(with_failing_calls(&command, &[&marker], &calls));
    done.exits(0);
    assert_eq!(job.site.files().len(), 2, "{done}");
    assert!(marker.exists(), "{done}");
    let done = job.run_ok();
    job.assert_exported_once("with a leftover marker", &done);
}

#[test]
fn rows_are_in_the_metrics_of_one_run_whichever_commit_fails() {
    if !has_strace_with_paths() {
        return;
    }
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        for commit in 1.. {
            let mut job = Job::new(output);
            job.add_subscribers(3);
            let arguments = [&["run", "--metrics-file", "aweber.prom"], job.arguments()].concat();
            let command = job.site.command(&arguments);
            let journal = PathBuf::from(format!("{}-journal", job.site.ledger_file().display()));
            let calls = [format!("unlink:error=EIO:when={commit}")];
            let failing = with_failing_calls(&command, &[&journal], &[&calls[0]]);
            let runs = [failing, job.site.command(&arguments)].map(|run| {
                let done = job.site.finish(run);
                job.record_output(&done);
                (done, rows_in_metrics(&job.site))
            });
            let [(failed, first), (done, second)] = &runs;
            done.exits(0);
            job.assert_exported_once(&format!("{output:?}, commit {commit}"), done);
            assert_eq!(first + second, 3, "{output:?}, commit {commit}\n{failed}");
            if failed.code == 0 {
                assert!(commit > 3, "{failed}");
                break;
            }
            failed.exits(74);
        }
    }
}

/// Those of the last run.
fn rows_in_metrics(site: &Site) -> u64 {
    let text = std::fs::read_to_string(site.path("aweber.prom")).unwrap();
    let mut lines = text.lines();
    let rows = lines.find_map(|line| line.strip_prefix("aweber_sync_last_run_rows "));
    rows.unwrap().parse().unwrap()
}

#[test]
fn a_stage_file_that_cannot_be_opened_is_named_with_the_exit_code_of_its_disk() {
    if !has_strace_with_paths() {
        return;
    }
    for (output, code) in [(OutputKind::Directory, 73), (OutputKind::File, 74)] {
        let mut job = Job::with_open_batch(output);
        job.site.forget_requests();
        let stage = job.batch().stage;
        let command = job.site.command(&[&["run"], job.arguments()].concat());
        let calls = ["openat:error=EIO:when=1"];
        let done = job
            .site
            .finish(with_failing_calls(&command, &[&stage], &calls));
        done.case(&format_args!("{output:?}"))
            .exits(code)
            .says(&stage.display().to_string());
        assert_eq!(job.site.requests(), 0, "{output:?}");
        let done = job.run_ok();
        job.assert_exported_once("after the disk was repaired", &done);
    }
}

#[test]
fn a_log_on_a_full_disk_does_not_stop_a_command() {
    let site = Site::new();
    let list = site.add_list(3);
    // As in cron lines: 2>>/var/log/aweber-sync.log.
    for arguments in [
        &["run", "-vv"][..],
        &["run", "--log-format", "json", "-v"],
        &["lists"],
        &["status"],
    ] {
        let mut command = site.command(arguments);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        command.stderr(full.unwrap());
        site.finish(command)
            .case(&format_args!("{arguments:?}"))
            .exits(0);
    }
    assert_eq!(sorted(site.emails()), subscribed(&site, &[list]));
    // A pipe without a reader.
    let mut command = site.command(&["run", "-v"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stderr(writer);
    site.finish(command).exits(0);
    // A failing run exits with its own code, not with that of a panic.
    let mut command = site.command(&["run", "--list", "nobody knows it"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    command.stderr(full.unwrap());
    site.finish(command).exits(78);
}

#[test]
fn a_full_standard_output_ends_with_73_and_says_what_is_saved() {
    let site = Site::new();
    let list = site.add_list(3);
    site.run_ok(&[]);
    let list = list.to_string();
    for arguments in [&["lists"][..], &["status"], &["forget", "--list", &list]] {
        let mut command = site.command(arguments);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        command.stdout(full.unwrap());
        let done = site.finish(command);
        done.case(&format_args!("{arguments:?}"))
            .exits(73)
            .says("standard output")
            .says("\n  safe: ")
            .says("\n  next: ");
        assert!(site.token_is_live(), "{arguments:?}");
    }
}
