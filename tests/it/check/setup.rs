//! The set-up: what a run would fail on, or ignore silently, is named before AWeber is asked.

use super::{check, contents, finding, telling_site};
use crate::support::{Done, Site, set_mode};
use aweber_sandbox::{ClientKind, Settings};
use std::fs::File;

/// As [`check`], with these variables.
fn check_with(site: &Site, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let mut command = site.command(&[&["check", "--json"], arguments].concat());
    command.envs(variables.iter().copied());
    site.finish(command)
}

#[test]
fn without_tokens_it_checks_the_rest_and_says_what_is_missing() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    let done = check(&site, &[]);
    done.exits(78)
        .prints("FAILED  tokens        there is no token file");
    done.prints("next: aweber-sync authorize")
        .says_next("aweber-sync authorize");
    done.prints("note    state")
        .prints("does not exist yet")
        .prints("clock");
    assert!(!site.state_dir().exists(), "{done}");
    site.sandbox.with(|world| {
        assert_eq!(world.requests.len(), 1, "{done}");
        assert_eq!(world.requests[0].access_token(), None);
    });
}

#[test]
fn unknown_variables_and_literal_tildes_are_warnings() {
    let (site, _) = telling_site(Settings::default());
    let output = site.path("~/exports/").display().to_string();
    let variables = [
        ("AWEBER_SYNC_OUTPUTS", "x"),
        ("AWEBER_SYNC_OUTPUT", output.as_str()),
        ("AWEBER_SYNC_EXCEL", ""),
        ("AWEBER_EMPTY", ""),
    ];
    let done = check_with(&site, &[], &variables);
    done.exits(0)
        .prints("set AWEBER_SYNC_OUTPUT instead")
        .does_not_print("AWEBER_EMPTY");
    assert_eq!(
        finding(&done, "variables"),
        "warning unknown variable AWEBER_SYNC_OUTPUTS: nothing reads it"
    );
    assert!(
        finding(&done, "paths").starts_with("warning --output contains a literal ~: "),
        "{done}"
    );
    assert!(!site.path("~").exists());
    let done = check_with(&site, &[], &[]);
    assert!(
        finding(&done, "variables").starts_with("ok 7 AWEBER_… variables are set"),
        "{done}"
    );
    assert_eq!(finding(&done, "paths"), "");
}

#[test]
fn an_invalid_option_of_run_is_a_failure_beside_the_others() {
    let (site, _) = telling_site(Settings::default());
    for (arguments, code, says) in [
        (["--since", "nonsense"], 2, "not a day"),
        (["--columns", "nonsense"], 2, "nonsense"),
        (["--list", "Nobody"], 78, "unknown --list"),
    ] {
        let done = check_with(&site, &arguments, &[]).case(&says);
        done.exits(code).prints(says).prints("\"id\": \"clock\"");
    }
    let done = check_with(&site, &[], &[("AWEBER_SYNC_PING_URL", "nonsense")]);
    done.exits(78).prints("invalid ping URL");
}

#[test]
fn a_run_under_way_is_a_held_lock() {
    let (site, _) = telling_site(Settings::default());
    let lock = File::create(site.state_dir().join("lock")).unwrap();
    lock.lock().unwrap();
    let done = check(&site, &[]);
    done.exits(75)
        .prints("another run holds the lock")
        .prints("CONNECTION");
    assert_eq!(site.sandbox.with(|w| w.count("/lists")), 0, "{done}");
    lock.unlock().unwrap();
    check(&site, &[])
        .exits(0)
        .prints("free: no run is under way");
}

#[test]
fn tokens_that_a_run_could_not_use_are_failures() {
    let (site, _) = telling_site(Settings::default());
    set_mode(&site.token_file(), 0o644);
    check(&site, &[])
        .exits(78)
        .prints("other users can read or change the token")
        .prints("chmod 600");
    set_mode(&site.token_file(), 0o600);
    let done = check(&site, &["--client-id", "other"]);
    done.exits(78).prints("belongs to the client");
}

#[test]
fn half_stored_tokens_are_left_to_the_next_run_or_to_refresh() {
    let (site, _) = telling_site(Settings::default());
    let mut newer = site.tokens();
    let granted = site.sandbox.with(|world| world.grant(site.client_id()));
    newer["generation"] = 2.into();
    newer["refresh_token"] = granted.refresh_token.into();
    newer["access_token"] = granted.access_token.into();
    std::fs::write(site.beside_token(".next"), newer.to_string()).unwrap();
    set_mode(&site.beside_token(".next"), 0o600);
    let before = contents(&site);
    let done = check(&site, &[]);
    done.exits(0)
        .prints("note    storing")
        .prints("check --refresh");
    assert!(contents(&site) == before, "{done}");
    check(&site, &["--refresh"])
        .exits(0)
        .prints("ok      storing");
    assert!(!site.beside_token(".next").exists());
    assert_eq!(site.tokens()["generation"], 3);
    assert!(site.token_is_live());
}

#[test]
fn the_ledger_is_checked_and_its_since_is_shown() {
    let (site, list) = telling_site(Settings::default());
    site.run_ok(&["--since", "2026-01-02"]);
    let done = check(&site, &["--json"]);
    assert!(
        finding(&done, "ledger").starts_with("ok whole, version "),
        "{done}"
    );
    let since = format!("note --since is remembered: list {list} from 2026-01-02");
    assert_eq!(finding(&done, "since"), since);
    site.ledger()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    check(&site, &["--json"]).exits(78).prints("has version 99");
    std::fs::write(site.ledger_file(), "not a database").unwrap();
    check(&site, &["--json"]).exits(74).prints("is damaged");
}

#[test]
fn the_output_is_the_one_of_the_options() {
    let (site, _) = telling_site(Settings::default());
    let directory = site.path("out/");
    let name = directory.to_str().unwrap();
    check(&site, &["--output", name])
        .exits(0)
        .prints("one file a batch");
    assert!(!directory.exists());
    site.run_ok(&["--output", name]);
    std::fs::remove_dir_all(&directory).unwrap();
    let done = check(&site, &["--output", name]);
    done.exits(73)
        .prints("although it was used before")
        .prints("mkdir -m 700");
    let file = site.path("nowhere/rows.csv");
    let done = check(&site, &["--output", file.to_str().unwrap()]);
    done.exits(73).prints("no such directory");
    check(&site, &["--output", "-"])
        .exits(0)
        .prints("standard output");
}

#[test]
fn missing_ca_certificates_are_a_failure() {
    let (site, _) = telling_site(Settings::default());
    let empty = site.path("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let variables = [
        ("AWEBER_API_URL", "https://127.0.0.1:1"),
        ("SSL_CERT_FILE", empty.to_str().unwrap()),
    ];
    let done = check_with(&site, &[], &variables);
    done.exits(78)
        .prints("cannot set up TLS")
        .prints("ca-certificates");
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let (site, _) = telling_site(Settings::default());
    let variables = [
        ("AWEBER_API_URL", "https://api.example"),
        (
            "HTTPS_PROXY",
            "http://user:obviously-fake-password@127.0.0.1:1",
        ),
    ];
    let done = check_with(&site, &[], &variables);
    done.exits(69).prints("127.0.0.1, by HTTPS_PROXY");
    done.does_not_print("obviously-fake-password")
        .does_not_say("obviously-fake-password");
}
