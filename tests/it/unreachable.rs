//! AWeber is unreachable, closed to this account, or another server answers: the message, and what is kept.

use crate::support::calendar::{add_readers, at};
use crate::support::{Site, subscribed};
use aweber_sandbox::{AccountState, ClientKind, Fault, FaultKind, Settings, World};
use chrono::TimeDelta;

/// Two lists of 30 subscribers.
fn site_with(settings: Settings) -> (Site, [u64; 2]) {
    let site = Site::with(ClientKind::Public, settings);
    site.set_now(at("2026-03-10T12:00:00Z"));
    let lists = ["News", "Offers"].map(|name| site.list(name));
    site.sandbox.with(|w| {
        for list in lists {
            add_readers(w, list, 30, w.now(), TimeDelta::days(1));
        }
    });
    (site, lists)
}

fn site() -> (Site, [u64; 2]) {
    site_with(Settings::default())
}

/// A loopback address where nothing listens.
fn closed_port() -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", taken.local_addr().unwrap())
}

#[test]
fn an_unreachable_aweber_ends_with_69_and_no_token_is_spent() {
    let (site, _) = site();
    let before = site.tokens();
    let mut command = site.command(&["run"]);
    command
        .env("AWEBER_API_URL", closed_port())
        .env("AWEBER_AUTH_URL", closed_port());
    site.finish(command)
        .exits(69)
        .says("no connection")
        .says_safe("the refresh token is kept")
        .says("next: ");
    assert_eq!(site.tokens()["refresh_token"], before["refresh_token"]);
    assert!(site.token_is_live());
    site.run_ok(&[]);
    assert_eq!(site.rows().len(), 60);
}

#[test]
fn an_unreachable_api_ends_with_69_and_says_what_is_safe() {
    let (site, lists) = site();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_API_URL", closed_port());
    site.finish(command)
        .exits(69)
        .says("no connection")
        .says("safe: ")
        .says("next: ");
    assert!(site.token_is_live());
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn a_server_that_disappears_during_a_run_is_not_tried_for_every_remaining_list() {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let lists: Vec<u64> = (0..40).map(|i| site.list(&format!("List {i}"))).collect();
    site.sandbox.with(|w| {
        for list in &lists {
            add_readers(w, *list, 2, w.now(), TimeDelta::days(1));
        }
        let gone = Fault::on("/subscribers").skip(20).always();
        w.fault(gone.answer(FaultKind::ResetBefore));
    });
    let done = site.run(&[]);
    done.exits(69);
    assert!(site.requests() <= 2 + 20 + 10, "{}", site.requests());
    assert_eq!(site.emails(), subscribed(&site, &lists[..10]));
    done.says("left to the next run");
    // The number of completed lists is right.
    done.does_not_say("38 of 40");
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}

#[test]
fn a_token_with_missing_scopes_ends_with_77_and_names_the_scopes() {
    for (status, has) in [
        (401, &["account.read", "list.read"][..]),
        (403, &["account.read", "list.read"]),
        (401, &["account.read"]),
        (403, &["account.read"]),
    ] {
        let settings = Settings {
            require_scope_status: status,
            ..Settings::default()
        };
        let (site, lists) = site_with(settings);
        let tokens = site.sandbox.with(|w| w.grant_scopes("public-client", has));
        let mut file = site.tokens();
        file["access_token"] = tokens.access_token.into();
        file["refresh_token"] = tokens.refresh_token.into();
        site.write_token_file(&file);
        let done = site.run(&[]);
        done.exits(77);
        let scopes = "account.read list.read subscriber.read";
        done.says(scopes).says("aweber-sync authorize");
        assert!(site.requests() <= 6, "{done}");
        assert!(site.files().is_empty());
        site.authorize_anew();
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &lists));
    }
}

#[test]
fn a_closed_suspended_or_blocked_account_has_its_exit_code_and_advice() {
    for (state, code, says) in [
        (AccountState::Closed, 77, "aweber-sync authorize"),
        (AccountState::Suspended, 78, "support"),
        (AccountState::Blocked, 78, "support"),
    ] {
        let (site, lists) = site();
        site.run_ok(&[]);
        site.sandbox.with(|w| w.account_state = state);
        site.run(&[]).exits(code).says(says).says("safe: ");
        assert_eq!(site.files().len(), 1);
        site.sandbox.with(|w| w.account_state = AccountState::Open);
        if !site.token_is_live() {
            site.authorize_anew();
        }
        site.run_exports(&[], &[]);
        assert_eq!(site.emails(), subscribed(&site, &lists));
    }
}

#[test]
fn an_access_token_that_expires_after_every_second_request_is_renewed() {
    let settings = Settings {
        access_dies_after_requests: Some(2),
        ..Settings::default()
    };
    let (site, lists) = site_with(settings);
    site.sandbox
        .with(|w| add_readers(w, lists[0], 350, w.now(), TimeDelta::hours(1)));
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
    assert!(site.token_is_live());
}
