//! `authorize --import`: the credentials files of other programs, with tokens granted by the sandbox.

use crate::support::authorization::{assert_connected, unauthorized};
use crate::support::{Done, Site};
use aweber_sandbox::ClientKind::{self, Confidential, Public};
use aweber_sandbox::Tokens;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// File in fixtures/credentials, its placeholder, the kind of client, whether the file contains the client id.
const FILES: [(&str, &str, ClientKind, bool); 9] = [
    ("python.json", "python", Confidential, true),
    ("node.json", "node", Confidential, true),
    ("ruby.json", "ruby", Confidential, true),
    ("php.ini", "php", Confidential, true),
    ("php-pkce.ini", "pkce", Public, true),
    ("csharp.json", "csharp", Confidential, true),
    ("postman.json", "postman", Confidential, true),
    ("postman-plain.json", "plain", Confidential, true),
    ("aweber-cli.json", "cli", Public, false),
];

/// Writes the fixture with the sandbox's tokens and client as `credentials` in the site's directory.
fn write_credentials(site: &Site, file: &str, mark: &str, tokens: &Tokens) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/credentials");
    let mut text = std::fs::read_to_string(fixtures.join(file)).unwrap();
    let mut put = |from: String, to: &str| text = text.replace(&from, to);
    put(format!("AT-{mark}-fake"), &tokens.access_token);
    put(format!("RT-{mark}-fake"), &tokens.refresh_token);
    put(format!("client-{mark}-example"), site.client_id());
    // PHP reads the semicolon as part of the value.
    put(
        format!("CS-{mark};fake=="),
        site.client_secret().unwrap_or(""),
    );
    put(
        format!("CS-{mark}-fake"),
        site.client_secret().unwrap_or(""),
    );
    assert!(text.contains(&tokens.refresh_token), "{file}");
    let path = site.path("credentials");
    std::fs::write(&path, text).unwrap();
    path
}

fn import(site: &Site, credentials: &Path, named: bool) -> Command {
    let mut command = site.command(&["authorize", "--import", credentials.to_str().unwrap()]);
    if !named {
        command.args(["--client-id", site.client_id()]);
    }
    command
}

#[test]
fn the_table_names_every_fixture() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/credentials");
    let mut names: Vec<String> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut table: Vec<&str> = FILES.iter().map(|(file, ..)| *file).collect();
    table.sort_unstable();
    assert_eq!(names, table);
}

#[test]
fn credentials_of_every_supported_program_are_imported_and_run_works() {
    for (file, mark, kind, named) in FILES {
        let site = unauthorized(kind);
        let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
        let credentials = write_credentials(&site, file, mark, &tokens);
        let before = std::fs::read(&credentials).unwrap();
        let done = site.finish(import(&site, &credentials, named));
        done.case(&file)
            .exits(0)
            .says("invalidates that program's token");
        let imported = site.tokens();
        assert_eq!(imported["client_id"], site.client_id(), "{file}");
        assert_eq!(
            imported["client_secret"],
            json!(site.client_secret()),
            "{file}"
        );
        assert_eq!(imported["account_id"], "1234567", "{file}");
        assert!(std::fs::read(&credentials).unwrap() == before, "{file}");
        assert_connected(&site, &done);
    }
}

#[test]
fn an_import_with_an_expired_access_token_stores_the_new_tokens_before_using_them() {
    for (file, mark, kind, named) in FILES {
        let site = unauthorized(kind);
        let tokens = site.sandbox.with(|world| {
            let tokens = world.grant(site.client_id());
            world.expire_access_tokens();
            tokens
        });
        let credentials = write_credentials(&site, file, mark, &tokens);
        let places = [site.token_file(), site.beside_token(".candidate")];
        let live_on_disk = site.at_each_request(move |world| {
            let on_disk = places
                .iter()
                .filter_map(|file| crate::support::token::refresh_token_in(file));
            on_disk
                .into_iter()
                .any(|token| world.is_live_refresh_token(&token))
        });
        let done = site.finish(import(&site, &credentials, named));
        done.case(&file).exits(0);
        assert!(
            live_on_disk.all().iter().all(|live| *live),
            "{file}: {done}"
        );
        assert_eq!(site.token_requests(), 1, "{file}: {done}");
        assert_connected(&site, &done);
    }
}

fn assert_not_imported(site: &Site, done: &Done, words: &[&str]) {
    done.exits(78);
    for words in words {
        done.says(words);
    }
    assert_eq!(site.requests(), 0, "{done}");
    assert!(!site.token_file().exists());
    assert!(!site.beside_token(".candidate").exists());
}

#[test]
fn an_import_without_a_client_id_asks_for_one() {
    let site = unauthorized(Public);
    let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
    let credentials = write_credentials(&site, "aweber-cli.json", "cli", &tokens);
    let done = site.finish(import(&site, &credentials, true));
    assert_not_imported(&site, &done, &["--import", "--client-id"]);
}

#[test]
fn a_file_without_credentials_is_rejected_by_name() {
    let site = unauthorized(Public);
    for content in [
        "",
        "{}",
        "{\"access_token\":\"a\"",
        "hello",
        "{\"client_id\":\"c\"}",
        "<?php",
    ] {
        let file = site.path("credentials");
        std::fs::write(&file, content).unwrap();
        let done = site.finish(import(&site, &file, false));
        assert_not_imported(
            &site,
            &done,
            &[file.to_str().unwrap(), "nothing was changed"],
        );
    }
    let missing = site.path("missing");
    let done = site.finish(import(&site, &missing, false));
    assert_not_imported(&site, &done, &[missing.to_str().unwrap()]);
}

#[test]
fn dead_credentials_ask_for_authorize_and_keep_the_current_tokens() {
    let site = Site::new();
    site.run_ok(&[]);
    let before = site.token_bytes();
    let tokens = Tokens {
        access_token: "AT-dead".to_owned(),
        refresh_token: "RT-dead".to_owned(),
        expires_at: 0,
    };
    let credentials = write_credentials(&site, "php-pkce.ini", "pkce", &tokens);
    site.finish(import(&site, &credentials, true))
        .exits(77)
        .says("aweber-sync authorize");
    assert!(site.token_bytes() == before);
    site.run_ok(&[]);
    assert!(site.token_is_live());
}

#[test]
fn credentials_of_another_account_need_force() {
    let site = Site::new();
    site.run_ok(&[]);
    let before = site.token_bytes();
    let tokens = site.sandbox.with(|world| {
        world.account.id = 7_654_321;
        world.grant("public-client")
    });
    let credentials = write_credentials(&site, "php-pkce.ini", "pkce", &tokens);
    site.finish(import(&site, &credentials, true))
        .exits(78)
        .says("--force");
    assert!(site.token_bytes() == before);
    // The account lookup did not spend the other program's tokens.
    assert!(
        site.sandbox
            .with(|world| world.is_live_refresh_token(&tokens.refresh_token))
    );

    let mut command = import(&site, &credentials, true);
    command.arg("--force");
    site.finish(command).exits(0);
    assert_eq!(site.tokens()["account_id"], "7654321");
    assert!(site.token_is_live());
}
