//! Disks that break: calls that fail with an error of the device (strace injects it), one by one. All calls of all
//! commands are tried by `cargo test --test sweep -- errno`; here stand those from which something was learnt.

use crate::support::authorization::{authorize, mode, unauthorized};
use crate::support::browser::code_at;
use crate::support::disk::{cannot_store, failing};
use crate::support::killing::has_strace_that_sees_names;
use crate::support::story::{Outlet, Story};
use crate::support::token::refresh_token_in;
use crate::support::{Done, Site, files_below, sorted, subscribed};
use aweber_sandbox::ClientKind;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command with a directory for temporary files of its own.
fn with_temporary(site: &Site, mut command: Command) -> Command {
    std::fs::create_dir_all(site.path("tmp")).unwrap();
    command.env("TMPDIR", site.path("tmp"));
    command
}

/// A run whose new tokens went elsewhere; where they are.
fn kept_elsewhere() -> Option<(Site, u64, Done, PathBuf)> {
    if !has_strace_that_sees_names() {
        return None;
    }
    let site = Site::new();
    let list = site.add_list(3);
    let done = site.finish(cannot_store(
        &site,
        &with_temporary(&site, site.command(&["run"])),
        true,
    ));
    done.exits(74);
    let copies = files_below(&site.path("tmp"));
    assert_eq!(copies.len(), 1, "{done}");
    Some((site, list, done, copies[0].clone()))
}

/// The refresh token in a file is the one that works.
fn holds_live_token(site: &Site, file: &Path) -> bool {
    let token = refresh_token_in(file).unwrap();
    site.sandbox
        .with(|world| world.is_live_refresh_token(&token))
}

#[test]
fn new_tokens_that_cannot_be_written_into_their_room_go_into_a_new_file_and_the_run_goes_on() {
    if !has_strace_that_sees_names() {
        return;
    }
    let site = Site::new();
    let list = site.add_list(3);
    let done = site.finish(cannot_store(
        &site,
        &with_temporary(&site, site.command(&["run"])),
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
fn new_tokens_that_cannot_be_written_beside_the_old_are_kept_elsewhere_for_the_next_run() {
    let Some((site, list, done, copy)) = kept_elsewhere() else {
        return;
    };
    assert!(holds_live_token(&site, &copy), "{done}");
    assert_eq!(mode(&copy), 0o600);
    let told = format!("kept in {}: leave that file there", copy.display());
    done.says(&told).says("token.json.next: Input/output error");

    site.forget_requests();
    let next = site.finish(with_temporary(&site, site.command(&["run"])));
    next.exits(0);
    assert!(site.token_is_live(), "{next}");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(!copy.exists(), "{next}");
    // The dead token was not shown to AWeber, which may take that for a theft.
    assert_eq!(site.token_requests(), 1, "{next}");
}

#[test]
fn under_systemd_they_are_kept_in_the_directory_that_outlives_the_service() {
    if !has_strace_that_sees_names() {
        return;
    }
    let site = Site::new();
    let list = site.add_list(3);
    std::fs::create_dir(site.path("runtime")).unwrap();
    let mut command = with_temporary(&site, site.command(&["run"]));
    command.env("RUNTIME_DIRECTORY", site.path("runtime"));
    site.finish(cannot_store(&site, &command, true)).exits(74);
    assert_eq!(files_below(&site.path("runtime")).len(), 1);
    assert_eq!(files_below(&site.path("tmp")), Vec::<PathBuf>::new());
    site.finish(command).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(files_below(&site.path("runtime")), Vec::<PathBuf>::new());
}

#[test]
fn tokens_kept_elsewhere_stay_there_until_their_disk_is_healed() {
    let Some((site, list, _, copy)) = kept_elsewhere() else {
        return;
    };
    site.forget_requests();
    let (next, anew) = (site.beside_token(".next"), site.beside_token(".next.tmp"));
    let command = with_temporary(&site, site.command(&["run"]));
    for calls in ["pwrite64:error=EIO:when=1+", "openat:error=EROFS:when=3+"] {
        let done = site.finish(failing(&command, &[&next, &anew], &[calls]));
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
fn a_copy_that_is_older_than_the_token_file_is_removed_and_not_used() {
    let Some((site, _, _, copy)) = kept_elsewhere() else {
        return;
    };
    let old = std::fs::read(&copy).unwrap();
    let command = || with_temporary(&site, site.command(&["run"]));
    site.finish(command()).exits(0);
    std::fs::write(&copy, old).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o600)).unwrap();
    let done = site.finish(command());
    done.exits(0);
    assert!(site.token_is_live(), "{done}");
    assert!(!copy.exists(), "{done}");
}

#[test]
fn a_copy_that_others_could_have_put_there_is_not_believed() {
    let Some((site, _, _, copy)) = kept_elsewhere() else {
        return;
    };
    let command = || with_temporary(&site, site.command(&["run"]));
    site.finish(command()).exits(0);
    // Newer than anything, with a token of nobody's.
    let mut forged = site.tokens();
    forged["generation"] = 99.into();
    forged["refresh_token"] = "forged".into();
    let bait = site.path("bait");
    std::fs::write(&bait, forged.to_string()).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&bait, PermissionsExt::from_mode(mode)).unwrap();
    let put: [(&str, &dyn Fn()); 5] = [
        ("readable by others", &|| {
            set_mode(0o644);
            std::fs::copy(&bait, &copy).unwrap();
        }),
        ("a link to a private file", &|| {
            set_mode(0o600);
            symlink(&bait, &copy).unwrap();
        }),
        ("a second name of a private file", &|| {
            std::fs::hard_link(&bait, &copy).unwrap();
        }),
        ("somebody else's", &|| {
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
fn first_tokens_that_cannot_be_written_are_kept_elsewhere_and_authorize_finishes_with_them() {
    if !has_strace_that_sees_names() {
        return;
    }
    let site = unauthorized(ClientKind::Public);
    let list = site.add_list(3);
    let command = with_temporary(&site, authorize(&site, &[]));
    let (next, anew) = (
        site.beside_token(".candidate.next"),
        site.beside_token(".candidate.next.tmp"),
    );
    // No rehearsal: there is nothing to rewrite yet.
    let calls = ["pwrite64:error=EIO:when=2+", "write:error=EIO:when=1+"];
    let broken = failing(&command, &[&next, &anew], &calls);
    let done = site.finish_with_answer(broken, code_at);
    done.exits(74);
    let copies = files_below(&site.path("tmp"));
    assert_eq!(copies.len(), 1, "{done}");

    // Nobody is asked again.
    let finished = site.finish(command);
    finished.exits(0);
    assert!(site.token_is_live(), "{finished}");
    assert!(!copies[0].exists());
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_marker_that_could_not_be_removed_goes_with_the_next_run_also_if_a_batch_came_after_it() {
    if !has_strace_that_sees_names() {
        return;
    }
    let mut story = Story::left_open(Outlet::Directory);
    let marker = story.batch().marker.unwrap();
    let command = story.site.command(&["run"]);
    // The first looks whether there is one already.
    let calls = ["unlink:error=EIO:when=2"];
    let done = story.site.finish(failing(&command, &[&marker], &calls));
    done.exits(0);
    assert_eq!(story.site.files().len(), 2, "{done}");
    assert!(marker.exists(), "{done}");
    let done = story.run_ok();
    story.assert_everybody_once("with its marker left", &done);
}

#[test]
fn a_stage_file_that_cannot_be_opened_is_named_with_the_code_of_the_disk_it_is_on() {
    if !has_strace_that_sees_names() {
        return;
    }
    for (outlet, code) in [(Outlet::Directory, 73), (Outlet::File, 74)] {
        let mut story = Story::left_open(outlet);
        story.site.forget_requests();
        let stage = story.batch().stage;
        let command = story.site.command(&[&["run"], story.arguments()].concat());
        let calls = ["openat:error=EIO:when=1"];
        let done = story.site.finish(failing(&command, &[&stage], &calls));
        done.case(&format_args!("{outlet:?}"))
            .exits(code)
            .says(&stage.display().to_string());
        assert_eq!(story.site.requests(), 0, "{outlet:?}");
        let done = story.run_ok();
        story.assert_everybody_once("when the disk is healed", &done);
    }
}

#[test]
fn a_log_on_a_full_disk_keeps_no_run_from_its_work() {
    let site = Site::new();
    let list = site.add_list(3);
    // As cron lines have it: 2>>/var/log/aweber-sync.log.
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
    // A pipe whose reader has gone.
    let mut command = site.command(&["run", "-v"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stderr(writer);
    site.finish(command).exits(0);
    // And a failing one ends with its code, not with a panic's.
    let mut command = site.command(&["run", "--list", "nobody knows it"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    command.stderr(full.unwrap());
    site.finish(command).exits(78);
}

#[test]
fn words_that_find_no_room_on_standard_output_end_with_73_and_say_what_is_stored() {
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
