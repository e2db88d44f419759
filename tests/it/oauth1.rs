//! A job with tokens of OAuth 1.0a: each attempt signed anew, nothing refreshed, and the promises kept.

use crate::commands::stdout_of;
use crate::support::interrupt::KILLED;
use crate::support::token::unreachable_url;
use crate::support::{Site, files_below, subscribed};
use aweber_sandbox::{Authorization, Fault, FaultKind, Rotation, Settings, World};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashSet;

fn site() -> Site {
    Site::oauth1(Settings::default())
}

/// A parameter of the header of each signed request so far.
fn sent(world: &World, name: &str) -> Vec<String> {
    let requests = world.requests.iter();
    requests
        .map(|request| {
            let Authorization::Other(header) = &request.authorization else {
                panic!("not signed in the header: {request:?}");
            };
            let (_, rest) = header.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn each_attempt_is_signed_anew_and_nothing_is_refreshed() {
    let site = site();
    let list = site.add_list(350);
    let before = site.token_bytes();
    site.sandbox.with(|world| {
        world.fault(Fault::on("/lists").times(2).answer(FaultKind::status(503)));
        world.fault(
            Fault::on("ws.start=99")
                .times(1)
                .answer(FaultKind::ResetAfter),
        );
        world.fault(
            Fault::on("ws.start=198")
                .times(1)
                .answer(FaultKind::HalfBody),
        );
        world.fault(
            Fault::on("ws.start=198")
                .times(2)
                .answer(FaultKind::rate_limit()),
        );
    });
    site.run_ok(&[]).is_silent();
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.run_ok(&[]).is_silent();
    site.sandbox.with(|world| {
        assert_eq!(world.count("/oauth"), 0, "no token request");
        let nonces = sent(world, "oauth_nonce");
        let different: HashSet<_> = nonces.iter().collect();
        assert_eq!(different.len(), nonces.len());
        for request in &world.requests {
            assert!(!request.path_and_query.contains("oauth_"), "{request:?}");
        }
    });
    assert_eq!(site.token_bytes(), before);
}

#[test]
fn lists_status_and_revoke_work() {
    let site = site();
    let list = site.add_list(2);
    site.run_ok(&[]);
    assert!(stdout_of(&site, &["lists"]).contains(&list.to_string()));
    let shown = stdout_of(&site, &["status"]);
    assert!(shown.starts_with("healthy"), "{shown}");
    assert!(shown.contains("(OAuth 1.0a: never expires)"), "{shown}");
    let shown: Value = serde_json::from_str(&stdout_of(&site, &["status", "--json"])).unwrap();
    assert_eq!(shown["token"]["oauth1"], true);
    assert_eq!(shown["token"]["access_token_expires_at"], Value::Null);

    std::fs::write(site.beside_token(".rescued"), site.token_bytes()).unwrap();
    std::fs::write(site.beside_token(".candidate"), site.token_bytes()).unwrap();
    site.forget_requests();
    let printed = stdout_of(&site, &["revoke"]);
    assert!(
        printed.contains("OAuth 1.0a has no revocation"),
        "{printed}"
    );
    assert!(
        printed.contains("disconnect the app in your AWeber account"),
        "{printed}"
    );
    assert_eq!(site.requests(), 0);
    assert!(!site.token_file().exists());
    for file in files_below(&site.path("")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for secret in site.sandbox.with(|world| world.secrets()) {
            assert!(!text.contains(&secret), "{}", file.display());
        }
    }
    site.run(&[]).exits(78).says("aweber-sync authorize");
}

#[test]
fn a_clock_that_is_off_is_corrected_by_aweber_s_and_named() {
    for (minutes, named) in [(20, "1200 s behind"), (-20, "1200 s ahead")] {
        let site = site();
        let list = site.add_list(120);
        site.sandbox.with(|world| {
            let now = world.now() + chrono::Duration::minutes(minutes);
            world.set_now(now);
        });
        let done = site.run_ok(&[]);
        // The clock of the sandbox stands still, so a second more or less is possible.
        let seconds = named.split(' ').next().unwrap().parse::<i64>().unwrap();
        let near = (seconds - 3..=seconds + 3).any(|near| {
            done.stderr
                .contains(&named.replace(&seconds.to_string(), &near.to_string()))
        });
        assert!(near, "{done}");
        assert_eq!(done.stderr.lines().count(), 1, "said once: {done}");
        assert_eq!(site.emails(), subscribed(&site, &[list]));
        site.sandbox.with(|world| {
            assert_eq!(world.requests[0].status, Some(401));
            assert!(
                world.requests[1..]
                    .iter()
                    .all(|own| own.status != Some(401))
            );
        });
    }
}

#[test]
fn a_timestamp_refused_without_a_date_ends_the_run_and_names_the_clock() {
    let site = site();
    site.add_list(3);
    site.sandbox.with(|world| {
        world.settings.send_date = false;
        let now = world.now() + chrono::Duration::hours(1);
        world.set_now(now);
    });
    site.run(&[])
        .exits(78)
        .says("the clock of this machine differs from AWeber's")
        .says_next("set the clock");
    assert!(site.token_is_live());
}

#[test]
fn a_disconnected_app_ends_with_77_and_a_rejected_key_with_78() {
    let site = site();
    let list = site.add_list(3);
    let before = site.token_bytes();
    site.sandbox.with(|world| world.revoke_everything());
    site.run(&[])
        .exits(77)
        .says("Invalid Token")
        .says_next("aweber-sync authorize");
    assert_eq!(site.token_bytes(), before);
    let mut file = site.tokens();
    file["client_id"] = json!("another-key");
    site.write_token_file(&file);
    site.run(&[]).exits(78).says("Consumer key is invalid");
    // A wrong secret: the answer repeats what was signed.
    let granted = site
        .sandbox
        .with(|world| world.grant_signed(site.client_id()));
    file["client_id"] = json!(site.client_id());
    file["client_secret"] = json!("wrong");
    file["access_token"] = json!(granted.token);
    file["access_token_secret"] = json!(granted.secret);
    site.write_token_file(&file);
    let mut run = site.command(&["run", "-vv"]);
    run.env("RUST_BACKTRACE", "1");
    site.finish(run).exits(77).says("Invalid signature");
    file["client_secret"] = json!(site.client_secret());
    site.write_token_file(&file);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_401_for_one_list_ends_with_69_and_the_others_are_exported() {
    let site = site();
    let (one, other) = (site.add_list(3), site.add_list(4));
    let refused = FaultKind::envelope_a(401, "UnauthorizedError", "Unauthorized");
    let path = format!("/lists/{one}/");
    site.sandbox
        .with(|world| world.fault(Fault::on(&path).always().answer(refused)));
    site.run(&[]).exits(69).says("but accepts the token for");
    assert_eq!(site.emails(), subscribed(&site, &[other]));
    site.sandbox.with(|world| world.clear_faults());
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[one, other]));
}

#[test]
fn a_missing_permission_is_named_once() {
    let site = site();
    site.sandbox
        .with(|world| world.settings.personal_fields = false);
    let (one, other) = (site.add_list(150), site.add_list(2));
    let done = site.run_ok(&[]);
    done.says("'Request Subscriber Data'")
        .says("labs.aweber.com/apps");
    done.says_next("turn it on at labs.aweber.com/apps, then aweber-sync authorize, and ");
    assert_eq!(done.stderr.lines().count(), 2, "{done}");
    assert_eq!(site.rows().len(), 152, "the rows are exported nevertheless");
    site.sandbox.with(|world| {
        world.settings.personal_fields = true;
        world.add_subscribers(one, 1);
        world.add_subscribers(other, 1);
    });
    site.run_ok(&[]).is_silent();
}

#[test]
fn killed_runs_lose_and_double_nothing() {
    for nth in 1..=4 {
        let site = site();
        let list = site.add_list(350);
        let held = site.hold_on("/subscribers", &[], nth);
        let (killed, _) = site.stop(held, Signal::KILL);
        killed.exits(KILLED);
        assert!(site.token_is_live());
        site.run_ok(&[]);
        assert_eq!(
            site.emails(),
            subscribed(&site, &[list]),
            "killed at request {nth}"
        );
    }
}

#[test]
fn an_account_that_is_not_known_yet_is_looked_up_and_kept() {
    let site = site();
    let list = site.add_list(2);
    let mut file = site.tokens();
    file.as_object_mut().unwrap().remove("account_id");
    file["note"] = json!("mine");
    site.write_token_file(&file);
    site.run_ok(&[]);
    let tokens = site.tokens();
    assert_eq!(
        (&tokens["account_id"], &tokens["note"]),
        (&json!("1234567"), &json!("mine"))
    );
    assert_eq!(tokens["version"], 2);
    assert_eq!(tokens["access_token_secret"], file["access_token_secret"]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn newer_tokens_that_a_killed_process_left_are_activated() {
    let site = site();
    site.add_list(2);
    let mut newer = site.tokens();
    newer["generation"] = json!(2);
    let mut file = site.tokens();
    file["access_token_secret"] = json!("older");
    site.write_token_file(&file);
    let mut journal = newer.to_string().into_bytes();
    journal.resize(64 * 1024, b' ');
    std::fs::write(site.beside_token(".next"), journal).unwrap();
    crate::support::set_mode(&site.beside_token(".next"), 0o600);
    site.run_ok(&[]).says("finished that");
    assert_eq!(
        site.tokens()["access_token_secret"],
        newer["access_token_secret"]
    );
}

#[test]
fn a_signature_goes_to_no_other_host() {
    let site = site();
    let elsewhere = Site::oauth1(Settings {
        rotation: Rotation::Tolerated,
        ..Settings::default()
    });
    let list = site.add_list(250);
    let target = format!("{}/1.0/accounts", elsewhere.sandbox.api_url());
    let redirect = FaultKind::Redirect {
        status: 302,
        location: target.clone(),
    };
    site.sandbox.with(|world| {
        world.settings.link_origin = Some(elsewhere.sandbox.api_url());
        world.fault(Fault::on("/lists").times(1).answer(redirect));
    });
    site.run(&[]);
    site.sandbox.with(|world| world.settings.link_origin = None);
    site.run_ok(&[]);
    assert_eq!(elsewhere.requests(), 0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    let mut plain = site.command(&["run"]);
    plain.env("AWEBER_API_URL", "http://api.aweber.com");
    site.finish(plain).exits(78);
    let mut unreachable = site.command(&["run"]);
    unreachable.env("AWEBER_API_URL", unreachable_url());
    site.finish(unreachable).exits(69);
}

/// Sends a GET with that header to the API of the sandbox; returns the whole answer.
fn send_again(site: &Site, path: &str, header: &str) -> String {
    use std::io::{Read, Write};
    let url = site.sandbox.api_url();
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {header}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_header_seen_on_the_way_is_of_no_use_to_others() {
    let site = site();
    site.add_list(2);
    site.run_ok(&[]);
    let seen = site.sandbox.with(|world| world.requests[0].clone());
    let Authorization::Other(header) = seen.authorization else {
        panic!("{seen:?}");
    };
    for (path, refused) in [
        (seen.path_and_query.clone(), "Nonce already used"),
        ("/1.0/accounts".to_owned(), "Invalid signature"),
        (seen.path_and_query + "&name=x", "Invalid signature"),
    ] {
        let answer = send_again(&site, &path, &header);
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains(refused), "{answer}");
    }
    let later = chrono::Duration::seconds(301);
    site.sandbox
        .with(|world| world.set_now(world.now() + later));
    let answer = send_again(&site, "/1.0/accounts", &header);
    assert!(answer.contains("Expired timestamp"), "{answer}");
}
