//! `--probe-rotation` finds out which of the four behaviours the server has, and leaves the newest tokens in force.

use super::check;
use crate::support::Site;
use crate::support::process::on_terminal;
use aweber_sandbox::{ClientKind, Rotation, Settings};

fn site(rotation: Rotation, kind: ClientKind) -> Site {
    Site::with(
        kind,
        Settings {
            rotation,
            ..Settings::default()
        },
    )
}

#[test]
fn it_tells_the_four_behaviours_apart_and_leaves_the_newest_tokens_in_force() {
    for (rotation, word, code) in [
        (Rotation::DeadAtOnce, "dead_at_once", 0),
        (Rotation::Tolerated, "lives_on", 0),
        (Rotation::UntilUsed, "until_newer_is_used", 0),
        (Rotation::FamilyKill, "ends_authorization", 77),
    ] {
        for kind in [ClientKind::Public, ClientKind::Confidential] {
            for kills in [true, false] {
                let site = site(rotation, kind);
                site.sandbox
                    .with(|w| w.settings.refresh_kills_access = kills);
                let done = check(&site, &["--probe-rotation", "--yes", "--json"]).case(&word);
                done.exits(code)
                    .prints(&format!("\"behaviour\": \"{word}\""));
                assert!(site.token_requests() <= 6, "{done}");
                assert!(!site.beside_token(".next").exists(), "{done}");
                if code == 77 {
                    done.says("as it warned").says_next("aweber-sync authorize");
                    continue;
                }
                // The newest tokens of the sandbox are those in the file.
                assert!(site.token_is_live(), "{done}");
                let newest = site
                    .sandbox
                    .with(|w| w.refresh_tokens_by_grant()[0].last().cloned());
                assert_eq!(
                    site.tokens()["refresh_token"].as_str(),
                    newest.as_deref(),
                    "{done}"
                );
                site.run_ok(&[]);
            }
        }
    }
}

#[test]
fn a_server_that_keeps_the_token_is_told_after_one_request() {
    let site = Site::with(
        ClientKind::Public,
        Settings {
            omit_refresh_token: true,
            ..Settings::default()
        },
    );
    let done = check(&site, &["--probe-rotation", "--yes"]);
    done.exits(0)
        .prints("a refresh returns the same refresh token (token requests: 1)");
    assert!(site.token_is_live());
}

#[test]
fn without_a_terminal_or_yes_nothing_is_spent() {
    let site = site(Rotation::DeadAtOnce, ClientKind::Public);
    let before = site.tokens();
    let done = check(&site, &["--probe-rotation"]);
    done.exits(2)
        .says("--probe-rotation needs --yes")
        .says_safe("nothing was changed");
    assert_eq!((site.requests(), site.tokens()), (0, before));
    let done = check(&site, &["--yes"]);
    done.exits(2).says("--probe-rotation");
}

#[test]
fn on_a_terminal_only_a_yes_spends_a_token() {
    for (typed, code) in [("yes", 0), ("y", 2), ("", 2)] {
        let site = site(Rotation::Tolerated, ClientKind::Public);
        let before = site.tokens();
        let probe = site.command(&["check", "--probe-rotation"]);
        let Some(command) = on_terminal(&probe) else {
            return;
        };
        let done = site.finish_with_input(command, &format!("{typed}\n"));
        done.case(&typed).exits(code).prints("Type yes to go on: ");
        match code {
            0 => done.prints("the old refresh token lives on"),
            _ => done.prints("error: the probe was declined"),
        };
        assert_eq!(site.requests() == 0, code != 0, "{done}");
        assert_eq!(site.tokens() == before, code != 0, "{done}");
        assert!(site.token_is_live(), "{done}");
    }
}

#[test]
fn a_dead_refresh_token_ends_it_as_a_run() {
    let site = site(Rotation::DeadAtOnce, ClientKind::Public);
    site.sandbox.with(|world| world.revoke_everything());
    let before = site.tokens();
    let done = check(&site, &["--probe-rotation", "--yes"]);
    done.exits(77)
        .says("AWeber no longer accepts the refresh token");
    assert_eq!(site.tokens(), before);
}
