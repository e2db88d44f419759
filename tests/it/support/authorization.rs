//! Connecting an account as a user does, and the state after that.

use super::{Done, Site, mode, subscribed};
use aweber_sandbox::{ClientKind, Settings};
use std::process::Command;

/// `authorize` with the client configured as a user would.
pub(crate) fn authorize(site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.command(&[&["authorize"], arguments].concat());
    command.env("AWEBER_CLIENT_ID", site.client_id());
    if let Some(secret) = site.client_secret() {
        command.env("AWEBER_CLIENT_SECRET", secret);
    }
    command
}

/// A site without a token file.
pub(crate) fn unauthorized(kind: ClientKind) -> Site {
    Site::unauthorized(kind, Settings::default())
}

/// Asserts that the account is connected and reported, no temporary file is left, and `run` works.
pub(crate) fn assert_connected(site: &Site, done: &Done) {
    done.exits(0)
        .prints("Example Trading Ltd")
        .prints("1234567");
    assert!(site.token_is_live(), "{done}");
    assert_eq!(mode(&site.token_file()), 0o600);
    for left in [
        ".next",
        ".candidate",
        ".candidate.next",
        ".authorizing",
        ".authorizing.tmp",
    ] {
        assert!(!site.beside_token(left).exists(), "{left}: {done}");
    }
    let list = site.add_list(3);
    let run = site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(site, &[list]), "{run}");
}
