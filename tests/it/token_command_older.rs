//! Older tokens behind a token command, in its journal or in a file are not sent, and replace no newer ones.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::token_command_fails::{assert_next_run_is_well, site_with_command};

#[test]
fn a_command_that_returns_older_tokens_than_it_stored_ends_the_run_before_they_are_sent() {
    let site = site_with_command();
    let old = site.token_bytes();
    site.run_ok(&[]);
    let new = site.token_bytes();
    // A replica without the last write.
    std::fs::write(site.token_file(), &old).unwrap();
    let requests = site.requests();
    for arguments in [&["run"][..], &["lists"], &["authorize"], &["revoke"]] {
        let done = site.finish(site.command(arguments));
        done.case(&arguments[0])
            .exits(74)
            .says("has lost a write: it returns tokens of generation 1, after it had stored 2")
            .says_next("restore the newest data of that store");
    }
    let status = site.finish(site.command(&["status", "--max-age", "1h"]));
    status.exits(1).prints("has lost a write");
    assert_eq!(site.requests(), requests);

    // It comes back.
    std::fs::write(site.token_file(), &new).unwrap();
    assert_next_run_is_well(&site, "comes back");

    // It does not: as the message says.
    std::fs::write(site.token_file(), &old).unwrap();
    std::fs::remove_file(site.beside_token(".stored")).unwrap();
    site.finish_with_answer(authorize(&site, &[]), code_at)
        .exits(0);
    assert_next_run_is_well(&site, "authorized again");
}

#[test]
fn an_older_journal_never_replaces_newer_tokens_of_the_store() {
    for arguments in [&["check"][..], &["lists"], &["run"]] {
        let site = site_with_command();
        site.run_ok(&[]);
        site.hook("case $call$n in store1) exit 5;; esac");
        site.run(&[]).exits(74);
        site.hook("");
        assert!(site.beside_token(".next").exists());
        // The store gets newer tokens by another way.
        let mut newer = site.tokens();
        newer["generation"] = 668.into();
        newer["refresh_token"] = site
            .sandbox
            .with(|world| world.grant(site.client_id()))
            .refresh_token
            .into();
        std::fs::write(site.token_file(), newer.to_string()).unwrap();
        let done = site.finish(site.command(arguments));
        assert!(
            site.tokens()["generation"].as_u64() >= Some(668),
            "{arguments:?}: {done}"
        );
        assert!(site.token_is_live(), "{arguments:?}: {done}");
    }
}

#[test]
fn tokens_that_are_spent_are_not_sent_after_the_option_was_changed() {
    // A run without the command does not take over its journal.
    let site = site_with_command();
    site.run_ok(&[]);
    site.hook("case $call$n in store1) exit 5;; esac");
    site.run(&[]).exits(74);
    site.hook("");
    let requests = site.requests();
    let mut run = site.command(&["run"]);
    run.env_remove("AWEBER_SYNC_TOKEN_COMMAND");
    site.finish(run)
        .exits(74)
        .says("were stored by a token command (generation 2)")
        .says_next("give --token-command (AWEBER_SYNC_TOKEN_COMMAND) again")
        .says("then aweber-sync run");
    assert!(!site.path("state/token.json").exists());
    assert_eq!(site.requests(), requests);
    assert_next_run_is_well(&site, "with the command again");

    // A copy of the store's tokens, which a run without the command refreshes.
    let file = site.path("state/token.json");
    let old = site.token_bytes();
    std::fs::write(&file, &old).unwrap();
    crate::support::set_mode(&file, 0o600);
    let mut run = site.command(&["run"]);
    run.env_remove("AWEBER_SYNC_TOKEN_COMMAND");
    site.finish(run).exits(0);
    let requests = site.requests();
    let shown = file.display();
    site.run(&[])
        .exits(74)
        .says(&format!(
            "newer tokens than those of the token command are in {shown}"
        ))
        .says(&format!("store\" <'{shown}' && rm '{shown}'"));
    assert_eq!(site.requests(), requests);
    // As the message says.
    std::fs::rename(&file, site.token_file()).unwrap();
    assert_next_run_is_well(&site, "moved into the store");

    // The copy of before, without the command.
    std::fs::write(&file, &old).unwrap();
    crate::support::set_mode(&file, 0o600);
    let requests = site.requests();
    let mut run = site.command(&["run"]);
    run.env_remove("AWEBER_SYNC_TOKEN_COMMAND");
    site.finish(run)
        .exits(74)
        .says("were stored by a token command");
    assert_eq!(site.requests(), requests);
    assert_next_run_is_well(&site, "the older copy is no harm");
}

#[test]
fn the_advice_for_a_lost_store_whose_journal_has_the_newest_tokens_works() {
    let site = site_with_command();
    site.run_ok(&[]);
    site.hook("case $call$n in store1) exit 5;; esac");
    site.run(&[]).exits(74);
    let without = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command.env_remove("AWEBER_SYNC_TOKEN_COMMAND");
        site.finish(command)
    };
    let noted = site.beside_token(".stored");
    without(&["run"]).exits(74).says(&format!(
        "if that store is lost: rm '{}', then aweber-sync run",
        noted.display()
    ));
    std::fs::remove_file(noted).unwrap();
    without(&["run"]).exits(0);
}

#[test]
fn status_during_a_run_that_stores_finds_no_lost_write() {
    let site = site_with_command();
    site.run_ok(&[]);
    // A run stores generation 3 once `get` has read generation 2.
    let stored = site.beside_token(".stored");
    site.hook(&format!(
        "get() {{ cat tokens; echo 3 >'{}'; }}",
        stored.display()
    ));
    let status = site.finish(site.command(&["status", "--max-age", "1h"]));
    status.exits(0);
}

#[test]
fn a_lost_write_is_no_harm_while_the_journal_has_the_tokens() {
    let site = site_with_command();
    let old = site.token_bytes();
    site.run_ok(&[]);
    // Killed before it removed the journal, and the store has lost the write since.
    std::fs::rename(site.token_file(), site.beside_token(".next")).unwrap();
    crate::support::set_mode(&site.beside_token(".next"), 0o600);
    std::fs::write(site.token_file(), &old).unwrap();
    assert_next_run_is_well(&site, "stored again");
}
