//! `--token-command`: every command works with tokens that live in a store of the user's own, and leaves none of them in
//! the state directory.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::support::interrupt::KILLED;
use crate::support::process::through;
use crate::support::{Site, files_below, subscribed};
use aweber_sandbox::{ClientKind, Settings};
use serde_json::{Value, json};

/// A site whose tokens are behind a command.
fn site_with_command() -> Site {
    let site = Site::new();
    site.keep_tokens_by_command();
    site
}

/// No file of the state directory contains one of the tokens that AWeber has issued.
fn assert_no_token_in_state_dir(site: &Site) {
    let secrets = site.sandbox.with(|world| world.secrets());
    for file in files_below(&site.state_dir()) {
        let content = std::fs::read(&file).unwrap();
        let content = String::from_utf8_lossy(&content);
        for secret in &secrets {
            assert!(!content.contains(secret), "a token in {}", file.display());
        }
    }
}

#[test]
fn authorize_run_lists_status_and_revoke_keep_the_tokens_behind_the_command() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    site.keep_tokens_by_command();
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    done.exits(0)
        .prints("The tokens are in the store of the token command");
    assert!(site.token_is_live());

    let list = site.add_list(120);
    site.hook("");
    site.run_ok(&[]).is_silent();
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.token_is_live());
    let calls = ["get", "get", "store", "get", "store", "get"];
    assert_eq!(site.calls(), calls, "load; rehearse; store");
    site.finish(site.command(&["lists"]))
        .exits(0)
        .prints("News");

    let status = site.finish(site.command(&["status", "--max-age", "1h"]));
    status
        .exits(0)
        .prints("token     the store of the token command (refreshed by every run)");
    let status = site.finish(site.command(&["status", "--json"]));
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["token"]["file"], Value::Null);
    assert_eq!(status["healthy"], true);
    let check = site.finish(site.command(&["check"]));
    check
        .exits(0)
        .prints("ok      tokens        the store of the token command: account")
        .prints("ok      storing       the next tokens can be stored");
    assert_no_token_in_state_dir(&site);

    let revoked = site.finish(site.command(&["revoke"]));
    revoked
        .exits(0)
        .prints("those in the store of the token command are removed");
    assert!(!site.token_file().exists());
    assert_no_token_in_state_dir(&site);
    site.run(&[])
        .exits(78)
        .says("there are no tokens in the store of the token command")
        .says_next("aweber-sync authorize");
}

#[test]
fn a_refresh_after_a_401_and_a_second_authorization_are_stored_too() {
    let site = site_with_command();
    let list = site.add_list(150);
    site.sandbox.with(|world| {
        world.before(
            "/subscribers",
            2,
            aweber_sandbox::World::expire_access_tokens,
        )
    });
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert_eq!(site.tokens()["generation"], 3);
    site.finish_with_answer(authorize(&site, &[]), code_at)
        .exits(0);
    assert!(site.token_is_live());
    assert!(site.tokens()["generation"].as_u64().unwrap() > 3);
    site.run_ok(&[]);
}

#[test]
fn an_imported_file_and_handmade_tokens_are_taken_over() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    site.keep_tokens_by_command();
    site.add_list(3);
    let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
    let content = json!({ "client_id": site.client_id(), "note": "mine", "refresh_token": tokens.refresh_token });
    site.write_token_file(&content);
    // Its account is not known, so it is stored twice.
    site.run_ok(&[]);
    assert!(site.token_is_live());
    assert_eq!(site.tokens()["note"], "mine");
    assert_eq!(site.tokens()["generation"], 2);

    let other = Site::unauthorized(ClientKind::Public, Settings::default());
    other.keep_tokens_by_command();
    other.add_list(3);
    let tokens = other.sandbox.with(|world| world.grant(other.client_id()));
    let content = json!({ "client_id": other.client_id(), "refresh_token": tokens.refresh_token });
    std::fs::write(other.path("credentials.json"), content.to_string()).unwrap();
    other
        .finish(other.command(&["authorize", "--import", "credentials.json"]))
        .exits(0);
    other.run_ok(&[]);
    assert!(other.token_is_live());
}

#[test]
fn a_store_may_format_the_tokens_in_another_way() {
    let site = site_with_command();
    site.add_list(3);
    // One line, keys sorted, no line feed at the end.
    site.hook(
        r#"store() { python3 -c 'import json,sys; sys.stdout.write(json.dumps(json.load(sys.stdin), sort_keys=True))' >new && mv new tokens; }"#,
    );
    site.run_ok(&[]).is_silent();
    let text = std::fs::read_to_string(site.token_file()).unwrap();
    assert!(!text.contains('\n') && text.starts_with("{\"access_token\""));
    // Killed between `store` and the removal of the journal: it holds the same tokens.
    std::fs::write(site.beside_token(".next"), site.reformatted()).unwrap();
    crate::support::set_mode(&site.beside_token(".next"), 0o600);
    site.run_ok(&[]).is_silent();
    assert!(site.token_is_live());
    assert!(!site.beside_token(".rescued").exists());
}

impl Site {
    /// The stored tokens over several lines.
    fn reformatted(&self) -> String {
        format!("{:#}\n", self.tokens())
    }
}

#[test]
fn the_command_inherits_no_secret_and_gets_none_as_an_argument() {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    site.keep_tokens_by_command();
    site.add_list(3);
    site.hook("env >>environment; ps -eo args >>processes");
    let mut command = site.command(&["run"]);
    command
        .env("AWEBER_CLIENT_SECRET", site.client_secret().unwrap())
        .env(
            "AWEBER_SYNC_PING_URL",
            format!("{}/hidden-check", site.sandbox.api_url()),
        )
        .env("OWN_VARIABLE", "passed on");
    site.finish(command).exits(0);
    let environment = std::fs::read_to_string(site.vault("environment")).unwrap();
    let processes = std::fs::read_to_string(site.vault("processes")).unwrap();
    assert!(environment.contains("OWN_VARIABLE=passed on"));
    assert!(environment.contains("AWEBER_SYNC_STATE_DIR="));
    assert!(processes.contains("store.sh' get"), "{processes}");
    for text in [&environment, &processes] {
        assert!(!text.contains("hidden-check"), "{text}");
        for secret in site.sandbox.with(|world| world.secrets()) {
            assert!(!text.contains(&secret), "{secret} in {text}");
        }
    }
}

#[test]
fn two_state_directories_with_one_store_share_the_lock_by_the_same_token_file() {
    let site = site_with_command();
    site.add_list(3);
    let held = site.hold(&[], 2);
    let mut other = site.command(&["run", "--state-dir", "other"]);
    other.env("AWEBER_SYNC_TOKEN_FILE", site.path("state/token.json"));
    site.finish(other).exits(75).says("token.json.lock");
    assert_eq!(site.kill(held).code, KILLED);
    let mut other = site.command(&["run", "--state-dir", "other"]);
    other.env("AWEBER_SYNC_TOKEN_FILE", site.path("state/token.json"));
    site.finish(other).exits(0);
    site.run_ok(&[]);
}

#[test]
fn tokens_move_from_a_file_to_a_store_and_back() {
    let site = Site::new();
    site.add_list(3);
    site.run_ok(&[]);
    site.keep_tokens_by_command();
    site.run_ok(&[]);
    std::fs::copy(site.token_file(), site.path("state/token.json")).unwrap();
    crate::support::set_mode(&site.path("state/token.json"), 0o600);
    std::fs::remove_dir_all(site.path("vault")).unwrap();
    site.run_ok(&[]);
    assert_eq!(site.tokens()["generation"], 4);
}

#[test]
fn an_empty_store_beside_a_token_file_ends_with_the_command_that_moves_the_tokens() {
    let site = Site::new();
    site.keep_tokens_by_command();
    let file = site.path("state/token.json");
    std::fs::rename(site.token_file(), &file).unwrap();
    let shown = file.display().to_string();
    let calls = [
        (&["run"][..], "next: to move them: sh -c "),
        (&["check"], "a run would end with exit code 78"),
        (&["status", "--max-age", "1h"], "error: there are no tokens"),
    ];
    for (arguments, said) in calls {
        let done = site.finish(site.command(arguments));
        done.fails().says(said).says(&format!(
            "of the token command, but there are some in {shown}"
        ));
    }
    assert_eq!(site.token_requests(), 0);
    // As the message says.
    let done = site.run(&[]);
    let (_, line) = done.stderr.split_once("to move them: ").unwrap();
    let run = site.command(&[]);
    site.finish(through(&["sh", "-c", line.trim()], &run))
        .exits(0);
    assert!(!file.exists());
    site.run_ok(&[]);
}

#[test]
fn check_finds_a_failing_get_and_works_with_one_that_answers() {
    let site = site_with_command();
    site.add_list(3);
    site.run_ok(&[]);
    let before = site.token_bytes();
    site.hook("");
    site.finish(site.command(&["check"]))
        .exits(0)
        .prints("the store of the token command");
    assert!(!site.calls().iter().any(|call| call == "erase"));
    assert!(site.token_bytes() == before);
    site.hook("[ $call != get ] || { echo sealed >&2; exit 3; }");
    let done = site.finish(site.command(&["check"]));
    done.exits(74)
        .prints("FAILED  token")
        .says("`get` ended with exit code 3: sealed")
        .says_next("repair the token command (sh -c \"$AWEBER_SYNC_TOKEN_COMMAND get\"");
}
