//! `authorize`: from a code to a token file that `run` can use, in every supported way.

use crate::support::authorization::{assert_connected, authorize, unauthorized};
use crate::support::browser::{code_at, parameter, redirect_from};
use crate::support::process::{on_terminal, send_signal};
use crate::support::token::unix_now;
use crate::support::{Done, Site, mode, set_mode};
use aweber_sandbox::{Authorization, ClientKind, Fault, FaultKind};
use serde_json::json;
use std::time::Duration;

const KINDS: [ClientKind; 2] = [ClientKind::Public, ClientKind::Confidential];

#[test]
fn both_client_kinds_connect_with_a_code_on_standard_input() {
    for kind in KINDS {
        let site = unauthorized(kind);
        let before = unix_now();
        let done = site.finish_with_answer(authorize(&site, &[]), code_at);
        done.exits(0).is_silent();
        let tokens = site.tokens();
        let expires_at = tokens["expires_at"].as_i64().unwrap();
        assert!((before + 7200..=unix_now() + 7200).contains(&expires_at));
        let (access, refresh) = site.sandbox.with(|world| {
            (
                world.live_access_tokens().pop(),
                world.live_refresh_tokens().pop(),
            )
        });
        let mut expected = json!({
            "version": 1,
            "generation": tokens["generation"],
            "client_id": site.client_id(),
            "account_id": "1234567",
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "expires_at": expires_at,
        });
        if let Some(secret) = site.client_secret() {
            expected["client_secret"] = json!(secret);
        }
        assert_eq!(tokens, expected);
        assert_connected(&site, &done);
    }
}

#[test]
fn the_authorization_url_has_three_scopes_and_pkce_only_for_public_clients() {
    for kind in KINDS {
        let site = unauthorized(kind);
        site.finish_with_answer(authorize(&site, &[]), code_at)
            .exits(0);
        site.sandbox.with(|world| {
            let page = world.requests[0].clone();
            let mut names: Vec<&str> = page.params.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let mut expected = vec![
                "client_id",
                "redirect_uri",
                "response_type",
                "scope",
                "state",
            ];
            if kind == ClientKind::Public {
                expected.extend(["code_challenge", "code_challenge_method"]);
                expected.sort_unstable();
                assert_eq!(page.param("code_challenge_method"), Some("S256"));
            }
            assert_eq!(names, expected);
            assert_eq!(
                page.param("scope"),
                Some("account.read list.read subscriber.read")
            );
            assert_eq!(
                page.param("redirect_uri"),
                Some("urn:ietf:wg:oauth:2.0:oob")
            );
            assert_eq!(page.param("response_type"), Some("code"));
            assert!(page.param("state").unwrap().len() >= 16);
        });
    }
}

#[test]
fn the_code_exchange_uses_either_basic_auth_or_a_verifier() {
    for kind in KINDS {
        let site = unauthorized(kind);
        site.finish_with_answer(authorize(&site, &[]), code_at)
            .exits(0);
        site.sandbox.with(|world| {
            let exchange = world.token_requests()[0].clone();
            let mut names: Vec<&str> = exchange
                .form
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            names.sort_unstable();
            match kind {
                ClientKind::Public => {
                    assert_eq!(
                        names,
                        [
                            "client_id",
                            "code",
                            "code_verifier",
                            "grant_type",
                            "redirect_uri"
                        ]
                    );
                    assert_eq!(exchange.authorization, Authorization::None);
                }
                ClientKind::Confidential => {
                    assert_eq!(names, ["code", "grant_type", "redirect_uri"]);
                    assert!(matches!(
                        exchange.authorization,
                        Authorization::Basic { .. }
                    ));
                }
            }
        });
    }
}

#[test]
fn print_url_and_code_work_in_two_processes() {
    for kind in KINDS {
        let site = unauthorized(kind);
        let printed = site.finish(authorize(&site, &["--print-url"]));
        printed.exits(0);
        assert_eq!(site.requests(), 0);
        let url = printed.stdout.trim();
        assert_eq!(printed.stdout, format!("{url}\n"));
        let begun = site.beside_token(".authorizing");
        assert_eq!(mode(&begun), 0o600);
        let begun = std::fs::read_to_string(begun).unwrap();
        let begun: serde_json::Value = serde_json::from_str(&begun).unwrap();
        assert_eq!(
            begun["code_verifier"].is_string(),
            kind == ClientKind::Public
        );
        if let Some(verifier) = begun["code_verifier"].as_str() {
            printed.does_not_print(verifier);
        }
        if let Some(secret) = site.client_secret() {
            printed.does_not_print(secret);
            assert!(!begun.to_string().contains(secret));
        }

        let done = site.finish(authorize(&site, &["--code", &code_at(url)]));
        assert_connected(&site, &done);
    }
}

#[test]
fn code_accepts_the_whole_redirect_address_and_needs_no_client_id() {
    let site = unauthorized(ClientKind::Public);
    let uri = ["--redirect-uri", "https://localhost"];
    let printed = site.finish(authorize(&site, &[&["--print-url"], &uri[..]].concat()));
    let address = redirect_from(printed.stdout.trim());
    let done = site.finish(site.command(&["authorize", "--code", &address]));
    assert_connected(&site, &done);
}

#[test]
fn a_pasted_redirect_address_works_like_the_bare_code() {
    for kind in KINDS {
        let site = unauthorized(kind);
        let command = authorize(&site, &["--redirect-uri", "https://localhost"]);
        let done = site.finish_with_answer(command, |url| {
            let address = redirect_from(url);
            assert!(
                address.starts_with("https://localhost/?state="),
                "{address}"
            );
            format!("  {address}\r")
        });
        assert_connected(&site, &done);
    }
}

#[test]
fn a_redirect_with_the_state_of_another_authorization_is_not_exchanged() {
    let site = unauthorized(ClientKind::Public);
    let command = authorize(&site, &["--redirect-uri", "https://localhost"]);
    let done = site.finish_with_answer(command, |url| {
        let address = redirect_from(url);
        let state = parameter(&address, "state").unwrap();
        address.replace(&state, "somebody-elses-state")
    });
    done.exits(77).says("another authorization");
    assert_eq!(site.token_requests(), 0);
    assert!(!site.token_file().exists());
}

#[test]
fn reauthorizing_keeps_unknown_keys_and_the_ledger_and_needs_no_options() {
    for kind in KINDS {
        let site = unauthorized(kind);
        let first = site.finish_with_answer(authorize(&site, &[]), code_at);
        assert_connected(&site, &first);
        let mut file = site.tokens();
        file["note"] = json!("mine");
        site.write_token_file(&file);
        site.sandbox.with(|world| world.revoke_everything());
        site.run(&[]).exits(77);

        site.finish_with_answer(site.command(&["authorize"]), code_at)
            .exits(0);
        let new = site.tokens();
        assert_eq!(new["note"], "mine");
        assert!(new["generation"].as_u64() > file["generation"].as_u64());
        assert_eq!(new["client_secret"], json!(site.client_secret()));
        // Subscribers exported before stay exported.
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 3);
    }
}

#[test]
fn an_authorization_killed_after_receiving_tokens_is_finished_by_the_next() {
    for kind in KINDS {
        let site = unauthorized(kind);
        let silence = Fault::on("/1.0/accounts").answer(FaultKind::Never { work_done: false });
        site.sandbox.with(|world| world.fault(silence));
        let url = site.finish(authorize(&site, &["--print-url"])).stdout;
        let child = authorize(&site, &["--code", &code_at(url.trim())])
            .spawn()
            .unwrap();
        let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
            !world.api_requests().is_empty()
        });
        assert!(arrived);
        send_signal(&child, "KILL");
        site.wait(child).exits(128 + 9);
        assert_eq!(mode(&site.beside_token(".candidate")), 0o600);

        site.run(&[]).exits(78).says("not finished");
        assert_eq!(site.token_requests(), 1);

        let done = site.finish(site.command(&["authorize"]));
        assert_eq!(site.token_requests(), 1, "{done}");
        done.does_not_print("/oauth2/authorize");
        assert_connected(&site, &done);
    }
}

#[test]
fn an_authorization_killed_while_storing_tokens_is_finished_by_the_next() {
    let site = Site::new();
    let bytes = site.token_bytes();
    std::fs::remove_file(site.token_file()).unwrap();
    let mut next = vec![b' '; 64 * 1024];
    next[..bytes.len()].copy_from_slice(&bytes);
    std::fs::write(site.beside_token(".candidate.next"), next).unwrap();
    set_mode(&site.beside_token(".candidate.next"), 0o600);
    let done = site.finish(site.command(&["authorize"]));
    assert_connected(&site, &done);
}

#[test]
fn a_terminal_gets_a_prompt_and_a_browser_without_secrets_in_its_environment() {
    let site = unauthorized(ClientKind::Confidential);
    let browser = site.path("bin/xdg-open");
    let opened = site.path("opened");
    std::fs::create_dir(site.path("bin")).unwrap();
    let text = "#!/bin/sh\n{ echo \"$@\"; env; } >opened.tmp; mv opened.tmp opened\n";
    std::fs::write(&browser, text).unwrap();
    set_mode(&browser, 0o755);
    let mut command = authorize(&site, &[]);
    command
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", site.path("bin").display()),
        )
        .env("DISPLAY", ":99");
    let Some(command) = on_terminal(&command) else {
        return;
    };
    let done = site.finish_with_answer(command, code_at);
    done.prints("Open this page in a browser")
        .prints("Paste the code");
    assert_connected(&site, &done);

    let shown = site
        .sandbox
        .wait_until(Duration::from_secs(5), |_| opened.exists());
    assert!(shown, "no browser was started");
    let environment = std::fs::read_to_string(&opened).unwrap();
    assert!(environment.contains("/oauth2/authorize?"), "{environment}");
    assert!(environment.contains("DISPLAY=:99"), "{environment}");
    assert!(
        !environment.contains(site.client_secret().unwrap()),
        "{environment}"
    );
}

#[test]
fn on_a_terminal_a_wrong_paste_is_asked_for_again_three_times() {
    let prompts = |done: &Done| done.stdout.matches("Paste the code").count();
    let on_terminal = |site: &Site, pasted: &dyn Fn(&str) -> String| {
        let command = on_terminal(&authorize(site, &[]))?;
        Some(site.finish_with_answer(command, pasted))
    };
    let site = unauthorized(ClientKind::Public);
    let other = "https://localhost/?code=abc&state=of-another-authorization";
    let twice_wrong = |url: &str| format!("\n{other}\nmistyped\n{}", code_at(url));
    let Some(done) = on_terminal(&site, &twice_wrong) else {
        return;
    };
    done.prints("no code was given")
        .prints("belongs to another authorization")
        .prints("AWeber does not accept the code");
    assert_eq!((prompts(&done), site.token_requests()), (4, 2), "{done}");
    assert_connected(&site, &done);

    let site = unauthorized(ClientKind::Public);
    let always_wrong = |_: &str| "two words\n".repeat(6);
    let done = on_terminal(&site, &always_wrong).unwrap();
    done.exits(77)
        .prints("error: invalid code: contains white space")
        .prints("next: aweber-sync authorize");
    assert_eq!((prompts(&done), site.requests()), (4, 0), "{done}");

    // What a customer has refused was no mistake.
    let refused = |_: &str| "https://localhost/?error=access_denied&state=x\n".repeat(2);
    let done = on_terminal(&site, &refused).unwrap();
    done.exits(77).prints("error: AWeber did not allow it");
    assert_eq!(prompts(&done), 1, "{done}");
}

#[test]
fn a_code_may_begin_with_a_hyphen_and_come_from_standard_input() {
    let site = unauthorized(ClientKind::Public);
    let printed = site.finish(authorize(&site, &["--print-url"]));
    let code = code_at(printed.stdout.trim());
    site.finish(authorize(&site, &["--code", "-abc"])).fails();
    let sent = site
        .sandbox
        .with(|world| world.token_requests()[0].field("code").map(str::to_owned));
    assert_eq!(sent.as_deref(), Some("-abc"));
    site.finish(authorize(&site, &["--code", "-"])).fails();
    let command = authorize(&site, &["--code", "-"]);
    let done = site.finish_with_input(command, &format!("{code}\n"));
    assert_connected(&site, &done);
}
