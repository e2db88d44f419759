//! N5: state that another user owns or can write is refused with 78 before any request, left untouched, and named. Needs
//! root, which can give files away.

use crate::support::Site;
use crate::support::disk::is_root;
use crate::support::process::through;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// A user that is not this one.
const OTHER: u32 = 1234;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A site with one run behind it, after which `change` was made.
fn changed(change: impl Fn(&Site)) -> Site {
    let site = Site::new();
    site.add_list(2);
    site.run_ok(&[]);
    change(&site);
    site.forget_requests();
    site
}

#[track_caller]
fn assert_refused(site: &Site, says: &str, next: &str) {
    let before = site.token_bytes();
    for arguments in [&["run"][..], &["lists"], &["revoke"]] {
        let done = site.finish(site.command(arguments));
        done.case(&format_args!("{arguments:?}"))
            .exits(78)
            .says(says)
            .says_next(next);
        assert_eq!(site.requests(), 0, "{done}");
        assert!(site.token_bytes() == before, "{done}");
    }
}

#[test]
fn root_is_told_to_run_as_the_owner_of_the_state_directory() {
    if !is_root() {
        return;
    }
    let site = changed(|site| chown(site.state_dir(), Some(OTHER), Some(OTHER)).unwrap());
    assert_refused(
        &site,
        "belongs to user #1234, not to root",
        "run it as that user: sudo -u '#1234'",
    );
}

#[test]
fn a_state_directory_that_others_can_write_is_refused_with_the_chmod() {
    for mode in [0o770, 0o775, 0o777, 0o1777, 0o2770] {
        let site = changed(|site| set_mode(&site.state_dir(), mode));
        assert_refused(&site, "other users can write to", "chmod go-w '");
        set_mode(&site.state_dir(), 0o700);
        site.run_ok(&[]);
    }
}

#[test]
fn a_token_directory_that_others_can_write_is_refused() {
    let site = changed(|site| {
        std::fs::create_dir(site.path("shared")).unwrap();
        std::fs::rename(site.token_file(), site.path("shared/token.json")).unwrap();
        symlink(site.path("shared/token.json"), site.token_file()).unwrap();
        set_mode(&site.path("shared"), 0o777);
    });
    assert_refused(&site, "shared", "chmod go-w '");
    set_mode(&site.path("shared"), 0o755);
    site.run_ok(&[]);
}

#[test]
fn planted_tokens_are_neither_used_nor_touched() {
    for (what, plant) in [
        (
            "writable by all",
            (|path: &Path| set_mode(path, 0o666)) as fn(&Path),
        ),
        ("another user's", |path| {
            chown(path, Some(OTHER), Some(OTHER)).unwrap()
        }),
        ("a second name of it", |path| {
            std::fs::hard_link(path, path.with_extension("second")).unwrap();
        }),
        ("a link", |path| {
            let target = path.with_extension("target");
            std::fs::rename(path, &target).unwrap();
            symlink(target, path).unwrap();
        }),
    ] {
        if !is_root() {
            return;
        }
        let planted = |site: &Site| site.beside_token(".next");
        let site = changed(|site| {
            let mut tokens = site.tokens();
            tokens["generation"] = json!(999);
            tokens["refresh_token"] = json!("planted");
            std::fs::write(planted(site), tokens.to_string()).unwrap();
            set_mode(&planted(site), 0o600);
            plant(&planted(site));
        });
        let content = std::fs::read(planted(&site)).unwrap();
        let done = site.run(&[]);
        done.case(&what).exits(78).says("token.json.next");
        assert!(std::fs::read(planted(&site)).unwrap() == content, "{done}");
        assert_ne!(site.tokens()["refresh_token"], "planted", "{done}");
        assert_eq!(site.requests(), 0, "{done}");
    }
}

#[test]
fn a_ledger_that_others_own_or_can_write_or_that_is_a_link_is_refused() {
    for (what, change) in [
        (
            "writable",
            (|site: &Site| set_mode(&site.ledger_file(), 0o660)) as fn(&Site),
        ),
        ("another user's", |site| {
            chown(site.ledger_file(), Some(OTHER), Some(OTHER)).unwrap();
        }),
        ("a link", |site| {
            std::fs::rename(site.ledger_file(), site.path("moved.sqlite3")).unwrap();
            symlink(site.path("moved.sqlite3"), site.state_dir().join("link")).unwrap();
            std::fs::rename(site.state_dir().join("link"), ledger_path(site)).unwrap();
        }),
    ] {
        if !is_root() {
            return;
        }
        let site = changed(change);
        let done = site.run(&[]);
        done.case(&what).exits(78).says("ledger-");
        assert_eq!(site.requests(), 0, "{done}");
    }
}

fn ledger_path(site: &Site) -> PathBuf {
    site.state_dir().join("ledger-1234567.sqlite3")
}

#[test]
fn a_state_directory_below_one_with_the_sticky_bit_and_one_behind_a_link_work() {
    let site = Site::new();
    site.add_list(2);
    set_mode(&site.path(""), 0o1777);
    site.run_ok(&[]);
    symlink(site.state_dir(), site.path("link")).unwrap();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_STATE_DIR", site.path("link"));
    site.finish(command).exits(0);
}

#[test]
fn another_user_gets_nothing_from_a_state_directory_that_is_readable() {
    if !is_root() {
        return;
    }
    let site = changed(|site| {
        set_mode(&site.path(""), 0o755);
        set_mode(&site.state_dir(), 0o755);
    });
    let front = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let done = site.finish(through(&front, &site.command(&["status"])));
    done.exits(74);
    let done = site.finish(through(&front, &site.command(&["run"])));
    done.exits(78).says("belongs to user root");
}
