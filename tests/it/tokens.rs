//! N1 in the plain case: each refresh rotates the token, the new one is on disk before its use, and a failed refresh
//! changes nothing.

use crate::support::process::send_signal;
use crate::support::token::{unix_now, unreachable_url};
use crate::support::{Site, subscribed};
use aweber_sandbox::{Authorization, ClientKind, Fault, FaultKind, Settings};
use serde_json::json;
use std::time::Duration;

#[test]
fn the_refresh_on_start_stores_the_new_tokens_before_the_first_api_request() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        let list = site.add_list(3);
        let old = site.tokens();
        let live_on_disk = site.watch_token_file();
        let done = site.run_ok(&[]);

        assert_eq!(site.emails(), subscribed(&site, &[list]));
        let live_on_disk = live_on_disk.all();
        assert!(live_on_disk.iter().all(|live| *live), "{live_on_disk:?}");
        let new = site.tokens();
        site.sandbox.with(|world| {
            let first = &world.requests[0];
            assert_eq!(
                (first.method.as_str(), first.path.as_str()),
                ("POST", "/oauth2/token")
            );
            assert_eq!(
                world.token_requests().len(),
                1,
                "{}",
                site.path("").display()
            );
            assert!(!world.api_requests().is_empty());
            for request in world.api_requests() {
                assert_eq!(request.access_token(), new["access_token"].as_str());
            }
        });
        assert_ne!(new["refresh_token"], old["refresh_token"]);
        assert_ne!(new["access_token"], old["access_token"]);
        assert!(site.token_is_live(), "{done}");
    }
}

#[test]
fn a_public_client_sends_its_id_and_a_confidential_one_only_basic_auth() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        let old = site.tokens();
        site.run_ok(&[]);
        let mut expected = vec![
            ("grant_type".to_owned(), "refresh_token".to_owned()),
            (
                "refresh_token".to_owned(),
                old["refresh_token"].as_str().unwrap().to_owned(),
            ),
        ];
        let header = match site.client_secret() {
            Some(secret) => Authorization::Basic {
                id: site.client_id().to_owned(),
                secret: secret.to_owned(),
            },
            None => {
                expected.push(("client_id".to_owned(), site.client_id().to_owned()));
                Authorization::None
            }
        };
        site.sandbox.with(|world| {
            let request = world.token_requests()[0].clone();
            assert_eq!(request.form, expected);
            assert_eq!(request.authorization, header);
            assert_eq!(request.query, "");
        });
    }
}

#[test]
fn a_refresh_changes_only_what_it_renews_and_unknown_keys_survive() {
    let site = Site::new();
    let mut file = site.tokens();
    file["note"] = json!("mine: do not touch");
    file["nested"] = json!({"b": [1, 2.5, null], "a": {"refresh_token": "not this one"}});
    site.write_token_file(&file);
    let before = unix_now();
    site.run_ok(&[]);
    let after = unix_now();

    let new = site.tokens();
    let expires_at = new["expires_at"].as_i64().unwrap();
    assert!(
        (before + 7200..=after + 7200).contains(&expires_at),
        "{expires_at}"
    );
    let live = site
        .sandbox
        .with(|world| (world.live_access_tokens(), world.live_refresh_tokens()));
    let expected = json!({
        "version": 1,
        "generation": 2,
        "client_id": site.client_id(),
        "account_id": "1234567",
        "access_token": live.0.last(),
        "refresh_token": live.1.last(),
        "token_type": "bearer",
        "expires_at": expires_at,
        "note": "mine: do not touch",
        "nested": {"b": [1, 2.5, null], "a": {"refresh_token": "not this one"}},
    });
    assert_eq!(new, expected);
}

#[test]
fn a_long_number_under_an_unknown_key_keeps_its_digits() {
    let site = Site::new();
    let text = site.tokens().to_string();
    let text = text.replacen(
        '{',
        "{\"theirs\":12345678901234567890123,\"price\":40.10,",
        1,
    );
    std::fs::write(site.token_file(), text).unwrap();
    site.run_ok(&[]);
    let text = String::from_utf8(site.token_bytes()).unwrap();
    for number in ["12345678901234567890123", "40.10"] {
        // Not printed: the text contains tokens.
        assert!(text.contains(number), "{number} is gone");
    }
}

/// Failures of a refresh with their exit codes.
fn failures() -> Vec<(&'static str, FaultKind, i32)> {
    vec![
        (
            "always 500",
            FaultKind::envelope_a(500, "InternalServerError", "Sorry"),
            69,
        ),
        ("a gateway's 503", FaultKind::html(503), 69),
        ("reset", FaultKind::ResetBefore, 69),
        (
            "redirect",
            FaultKind::Redirect {
                status: 307,
                location: "/oauth2/token".to_owned(),
            },
            69,
        ),
        ("rate limit", FaultKind::rate_limit(), 75),
        (
            "invalid_client, 400",
            FaultKind::envelope_b(400, "invalid_client", "Unknown client"),
            78,
        ),
        (
            "invalid_client, 401",
            FaultKind::envelope_b(401, "invalid_client", "Unknown client"),
            78,
        ),
        (
            "envelope A",
            FaultKind::envelope_a(401, "UnauthorizedError", "Consumer key is invalid"),
            78,
        ),
        (
            "suspended",
            FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended"),
            78,
        ),
        (
            "blocked",
            FaultKind::envelope_a(410, "BlockedError", "Blocked"),
            78,
        ),
    ]
}

#[test]
fn a_failed_refresh_leaves_the_token_file_unchanged() {
    for (what, kind, code) in failures() {
        let site = Site::new();
        site.add_list(2);
        // A token file written by the program.
        site.run_ok(&[]);
        let before = site.token_bytes();
        site.forget_requests();
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").always().answer(kind)));
        let done = site.run(&[]);
        done.case(&what).exits(code);
        assert!(site.token_bytes() == before, "{what}: {done}");
        assert!(!site.beside_token(".next").exists(), "{what}: {done}");
        assert_eq!(site.api_requests(), 0, "{what}: {done}");

        site.sandbox.with(|world| world.clear_faults());
        site.run_ok(&[]);
        assert!(site.token_is_live(), "{what}");
    }
}

#[test]
fn a_failed_refresh_leaves_a_handwritten_token_file_unchanged() {
    for (what, kind, code) in failures() {
        let site = Site::new();
        let tokens = site.tokens();
        let text = format!(
            "{{ \"note\":\"by hand\",\n\t\"refresh_token\" : {},\n\"client_id\":{}, \"big\": 12345678901234567890123,\n \
             \"account_id\": 1234567, \"expires_at\": {}.25, \"access_token\":{}}}\n\n",
            tokens["refresh_token"],
            tokens["client_id"],
            tokens["expires_at"],
            tokens["access_token"],
        );
        site.write_token_file(&tokens);
        std::fs::write(site.token_file(), &text).unwrap();
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").always().answer(kind)));
        let done = site.run(&[]);
        done.case(&what).exits(code);
        // Not printed: the text contains tokens.
        assert!(site.token_bytes() == text.as_bytes(), "{what}: {done}");
    }
}

#[test]
fn an_unreachable_server_leaves_the_token_file_unchanged() {
    let site = Site::new();
    site.run_ok(&[]);
    let before = site.token_bytes();
    site.forget_requests();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_AUTH_URL", unreachable_url());
    site.finish(command)
        .exits(69)
        .says("cannot refresh the token")
        .says("the refresh token is kept");
    assert!(site.token_bytes() == before);
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_permanently_rejected_refresh_is_not_retried() {
    for (status, error) in [
        (400, "invalid_grant"),
        (400, "invalid_client"),
        (401, "invalid_client"),
    ] {
        let site = Site::new();
        let mut file = site.tokens();
        file["expires_at"] = json!(0);
        site.write_token_file(&file);
        let kind = FaultKind::envelope_b(status, error, "No");
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").always().answer(kind)));
        let done = site.run(&[]);
        done.fails();
        assert_eq!(site.requests(), 1, "{done}");
    }
}

#[test]
fn sigterm_during_a_refresh_stores_the_answer_first() {
    for signals in [&["TERM"][..], &["TERM", "TERM", "INT"]] {
        let site = Site::new();
        site.add_list(2);
        let delay = FaultKind::DelayBefore(Duration::from_millis(400));
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").answer(delay)));
        let child = site.command(&["run"]).spawn().unwrap();
        let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
            world.token_requests().len() == 1
        });
        assert!(arrived);
        for signal in signals {
            send_signal(&child, signal);
        }
        let done = site.wait(child);
        done.exits(143);
        assert_eq!(site.tokens()["generation"], 2, "{done}");
        assert!(site.token_is_live(), "{done}");
        assert_eq!(site.api_requests(), 0, "{done}");
        assert_eq!(site.rows().len(), 0);
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 2);
    }
}

#[test]
fn two_state_directories_that_share_a_token_file_do_not_refresh_concurrently() {
    let site = Site::new();
    let delay = FaultKind::DelayBefore(Duration::from_millis(500));
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(delay)));
    let first = site.command(&["run"]).spawn().unwrap();
    let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
        world.token_requests().len() == 1
    });
    assert!(arrived);
    let mut second = site.command(&["run"]);
    second
        .env("AWEBER_SYNC_STATE_DIR", site.path("other-state"))
        .env("AWEBER_SYNC_TOKEN_FILE", site.token_file());
    let refused = site.finish(second);
    let requests_meanwhile = site.token_requests();
    let first = site.wait(first);

    refused.exits(75);
    assert_eq!(requests_meanwhile, 1);
    first.exits(0);
    assert!(site.token_is_live());
}
