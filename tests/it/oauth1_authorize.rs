//! `authorize --oauth1` and `--import` of such tokens: from a verifier to a token file that `run` can use.

use crate::support::authorization::{assert_connected, authorize};
use crate::support::browser::{code_at, open, parameter};
use crate::support::interrupt::KILLED;
use crate::support::process::send_signal;
use crate::support::{Done, Site, files_below, mode, set_mode};
use aweber_sandbox::{Authorization, Fault, FaultKind, Settings};
use serde_json::{Value, json};
use std::time::Duration;

fn unauthorized() -> Site {
    Site::unauthorized_oauth1(Settings::default())
}

fn connect(site: &Site) -> Done {
    site.finish_with_answer(authorize(site, &["--oauth1"]), code_at)
}

/// The one code of the page `authorize_app`.
fn app_code(site: &Site) -> String {
    let app = site.sandbox.with(|world| world.consumer().app_id);
    code_at(&format!(
        "{}/1.0/oauth/authorize_app/{app}",
        site.sandbox.auth_url()
    ))
}

#[test]
fn a_verifier_on_standard_input_connects_the_account() {
    let site = unauthorized();
    let done = connect(&site);
    done.exits(0).is_silent();
    let tokens = site.tokens();
    let live = site.sandbox.with(|world| world.live_signed_tokens());
    assert_eq!(live.len(), 1);
    let expected = json!({
        "version": 2,
        "generation": tokens["generation"],
        "client_id": site.client_id(),
        "client_secret": site.client_secret(),
        "account_id": "1234567",
        "access_token": live[0],
        "access_token_secret": tokens["access_token_secret"],
    });
    assert_eq!(tokens, expected);
    assert_connected(&site, &done);
    site.sandbox.with(|world| {
        let paths: Vec<&str> = world.requests[..4].iter().map(|own| own.path.as_str()).collect();
        let expected = ["request_token", "authorize", "access_token"];
        assert_eq!(paths[..3], expected.map(|name| format!("/1.0/oauth/{name}")));
        assert_eq!(world.count("/oauth2/"), 0, "nothing is refreshed");
        // In the header only.
        for request in world.requests.iter().filter(|own| !own.path.ends_with("/authorize")) {
            let is_signed = matches!(&request.authorization, Authorization::Other(header) if header.starts_with("OAuth "));
            assert!(is_signed, "{request:?}");
            assert!(!request.path_and_query.contains("oauth_"), "{request:?}");
            assert!(request.form.is_empty(), "{request:?}");
        }
    });
}

#[test]
fn print_url_and_code_connect_in_two_processes() {
    for pasted_address in [false, true] {
        let site = unauthorized();
        let printed = site.finish(authorize(&site, &["--oauth1", "--print-url"]));
        printed.exits(0);
        let url = printed.stdout.trim();
        assert_eq!(printed.stdout, format!("{url}\n"));
        assert!(url.starts_with(&format!("{}/1.0/oauth/authorize?", site.sandbox.auth_url())));
        let begun = site.beside_token(".authorizing");
        assert_eq!(mode(&begun), 0o600);
        let begun = std::fs::read_to_string(begun).unwrap();
        assert!(!begun.contains(site.client_secret().unwrap()));
        let verifier = code_at(url);
        let pasted = match pasted_address {
            true => {
                let token = parameter(url, "oauth_token").unwrap();
                format!("https://localhost/?oauth_token={token}&oauth_verifier={verifier}")
            }
            false => verifier,
        };
        // The kind is known from the first half.
        let done = site.finish(authorize(&site, &["--code", &pasted]));
        assert_connected(&site, &done);
    }
}

#[test]
fn the_one_code_of_authorize_app_needs_nothing_else() {
    let site = unauthorized();
    let command = site.command(&["authorize", "--oauth1", "--code", "-"]);
    let done = site.finish_with_input(command, &format!("{}\n", app_code(&site)));
    assert_eq!(site.tokens()["client_secret"], json!(site.client_secret()));
    assert_connected(&site, &done);

    let site = unauthorized();
    let done = site.finish_with_answer(authorize(&site, &["--oauth1"]), |_| app_code(&site));
    assert_connected(&site, &done);
}

#[test]
fn a_consumer_secret_from_a_file_stays_there() {
    let site = unauthorized();
    let file = site.path("secret");
    std::fs::write(&file, site.client_secret().unwrap()).unwrap();
    set_mode(&file, 0o600);
    let mut command = site.command(&["authorize", "--oauth1", "--client-id", site.client_id()]);
    command.env("AWEBER_CLIENT_SECRET_FILE", &file);
    site.finish_with_answer(command, code_at).exits(0);
    for file in files_below(&site.state_dir()) {
        let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(
            !content.contains(site.client_secret().unwrap()),
            "{}",
            file.display()
        );
    }
    let mut run = site.command(&["run"]);
    run.env("AWEBER_CLIENT_SECRET_FILE", &file);
    site.finish(run).exits(0);
    let before = site.requests();
    site.run(&[])
        .exits(78)
        .says("missing client secret")
        .says_next("set AWEBER_CLIENT_SECRET");
    assert_eq!(site.requests(), before);
}

#[test]
fn a_copy_of_the_consumer_secret_leaves_the_token_file_once_it_is_in_a_file() {
    let site = unauthorized();
    connect(&site).exits(0);
    let before = site.tokens();
    assert_eq!(before["client_secret"], json!(site.client_secret()));
    let file = site.path("secret");
    std::fs::write(&file, site.client_secret().unwrap()).unwrap();
    crate::support::set_mode(&file, 0o600);
    let mut run = site.command(&["run"]);
    run.env("AWEBER_CLIENT_SECRET_FILE", &file);
    site.finish(run).exits(0);
    let tokens = site.tokens();
    assert!(tokens.get("client_secret").is_none());
    assert_eq!(tokens["access_token_secret"], before["access_token_secret"]);
}

#[test]
fn authorizing_again_needs_no_option_and_leads_to_oauth_2_with_another_client() {
    let site = unauthorized();
    connect(&site).exits(0);
    let mut file = site.tokens();
    file["note"] = json!("mine");
    site.write_token_file(&file);
    site.sandbox.with(|world| world.revoke_everything());
    site.run(&[]).exits(77);
    let done = site.finish_with_answer(site.command(&["authorize"]), code_at);
    assert_connected(&site, &done);
    assert_eq!(site.tokens()["note"], "mine");

    let command = site.command(&["authorize", "--client-id", "public-client"]);
    site.finish_with_answer(command, code_at).exits(0);
    let tokens = site.tokens();
    assert_eq!(
        (&tokens["version"], &tokens["client_id"]),
        (&json!(1), &json!("public-client"))
    );
    assert!(tokens.get("access_token_secret").is_none() && tokens.get("client_secret").is_none());
    site.run_ok(&[]);

    // And back, over tokens of OAuth 2.
    connect(&site).exits(0);
    assert_eq!(site.tokens()["version"], 2);
    site.run_ok(&[]);
}

#[test]
fn a_wrong_key_secret_or_verifier_is_told_apart() {
    let site = unauthorized();
    for (name, value) in [
        ("AWEBER_CLIENT_ID", "other"),
        ("AWEBER_CLIENT_SECRET", "other"),
    ] {
        let mut command = authorize(&site, &["--oauth1", "--print-url"]);
        command.env(name, value);
        site.finish(command)
            .exits(78)
            .says_safe("nothing was changed")
            .says_next("check client id and secret");
    }
    let mut command = authorize(&site, &["--oauth1"]);
    command.env_remove("AWEBER_CLIENT_SECRET");
    site.finish(command).exits(78).says("missing client secret");
    site.finish(site.command(&["authorize", "--oauth1"]))
        .exits(78)
        .says("missing client id");

    site.finish(authorize(&site, &["--oauth1", "--print-url"]))
        .exits(0);
    for wrong in [
        "wrong",
        "https://localhost/?oauth_token=other&oauth_verifier=v",
        "",
    ] {
        site.finish(authorize(&site, &["--code", wrong]))
            .exits(77)
            .says_safe("nothing was changed")
            .says("aweber-sync authorize --oauth1");
    }
    assert!(!site.token_file().exists());
    // A verifier works once.
    let url = site
        .finish(authorize(&site, &["--oauth1", "--print-url"]))
        .stdout;
    let verifier = code_at(url.trim());
    let begun = std::fs::read(site.beside_token(".authorizing")).unwrap();
    site.finish(authorize(&site, &["--code", &verifier]))
        .exits(0);
    let before = site.token_bytes();
    std::fs::write(site.beside_token(".authorizing"), begun).unwrap();
    site.finish(authorize(&site, &["--code", &verifier]))
        .exits(77);
    assert_eq!(site.token_bytes(), before);
}

#[test]
fn an_authorization_killed_after_its_tokens_is_finished_by_the_next() {
    let site = unauthorized();
    let silence = Fault::on("/1.0/accounts").answer(FaultKind::Never { work_done: false });
    site.sandbox.with(|world| world.fault(silence));
    let url = site
        .finish(authorize(&site, &["--oauth1", "--print-url"]))
        .stdout;
    let child = authorize(&site, &["--code", &code_at(url.trim())])
        .spawn()
        .unwrap();
    let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
        !world.api_requests().is_empty()
    });
    assert!(arrived);
    send_signal(&child, "KILL");
    site.wait(child).exits(KILLED);
    site.run(&[]).exits(78).says("not finished");
    let done = site.finish(site.command(&["authorize"]));
    done.does_not_print("/oauth/authorize");
    assert_connected(&site, &done);
    assert_eq!(site.sandbox.with(|world| world.count("/access_token")), 1);
}

#[test]
fn an_answer_that_is_cut_off_or_has_no_token_is_kept() {
    let no_token = FaultKind::replace_bytes(|_| b"oauth_token=only".to_vec());
    for fault in [FaultKind::HalfBody, no_token] {
        let site = unauthorized();
        let url = site
            .finish(authorize(&site, &["--oauth1", "--print-url"]))
            .stdout;
        let verifier = code_at(url.trim());
        site.sandbox
            .with(|world| world.fault(Fault::on("/access_token").answer(fault)));
        site.finish(authorize(&site, &["--code", &verifier]))
            .exits(69)
            .says(".rescued");
        assert_eq!(mode(&site.beside_token(".candidate.rescued")), 0o600);
        assert_eq!(site.sandbox.with(|world| world.count("/access_token")), 1);
        assert!(!site.token_file().exists());
    }
}

#[test]
fn a_server_that_is_down_is_asked_again_and_a_refusal_reported() {
    let site = unauthorized();
    site.sandbox.with(|world| {
        world.fault(
            Fault::on("/request_token")
                .times(2)
                .answer(FaultKind::status(503)),
        );
        world.fault(
            Fault::on("/access_token")
                .times(2)
                .answer(FaultKind::html(502)),
        );
    });
    let done = connect(&site);
    assert_connected(&site, &done);

    let site = unauthorized();
    site.sandbox.with(|world| {
        world.fault(
            Fault::on("/request_token")
                .always()
                .answer(FaultKind::status(503)),
        );
    });
    site.finish(authorize(&site, &["--oauth1"]))
        .exits(69)
        .says("cannot get a request token")
        .says_safe("nothing was changed");
}

/// Each form of the four values that other programs are known to keep.
fn files(key: &str, secret: &str, token: &str, token_secret: &str) -> Vec<(&'static str, String)> {
    let json = |names: [&str; 4]| -> String {
        let pairs = names.into_iter().zip([key, secret, token, token_secret]);
        let map: serde_json::Map<String, Value> = pairs
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        Value::from(map).to_string()
    };
    let python = [
        "consumer_key",
        "consumer_secret",
        "access_token",
        "access_token_secret",
    ];
    let php = [
        "consumerKey",
        "consumerSecret",
        "accessToken",
        "accessSecret",
    ];
    let ini = format!(
        "consumerKey = {key}\nconsumerSecret = '{secret}'\naccessKey = {token}\naccessSecret = {token_secret}\n"
    );
    vec![
        ("Python", json(python)),
        ("PHP", json(php)),
        (
            "PHP keys",
            json(["consumerKey", "consumerSecret", "accessKey", "accessSecret"]),
        ),
        (
            "Ruby",
            json([
                "consumer_key",
                "consumer_secret",
                "access_token",
                "token_secret",
            ]),
        ),
        (
            "WordPress",
            json([
                "consumer_key",
                "consumer_secret",
                "access_key",
                "access_secret",
            ]),
        ),
        (
            "OAuth",
            json([
                "client_id",
                "client_secret",
                "oauth_token",
                "oauth_token_secret",
            ]),
        ),
        ("ini", ini),
    ]
}

#[test]
fn every_known_form_of_the_four_values_is_imported() {
    let site = unauthorized();
    let granted = site
        .sandbox
        .with(|world| world.grant_signed(site.client_id()));
    let secret = site.client_secret().unwrap().to_owned();
    for (form, content) in files(site.client_id(), &secret, &granted.token, &granted.secret) {
        let _ = std::fs::remove_file(site.token_file());
        let file = site.path("theirs");
        std::fs::write(&file, &content).unwrap();
        let import = ["authorize", "--import", file.to_str().unwrap()];
        let done = site.finish(site.command(&import));
        done.case(&form)
            .exits(0)
            .says("OAuth 1.0a")
            .says("both programs can go on")
            .does_not_say("invalidates");
        let tokens = site.tokens();
        assert_eq!(tokens["access_token"], *granted.token, "{form}");
        assert_eq!(tokens["access_token_secret"], *granted.secret, "{form}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
        site.run_ok(&[]);
        site.finish(site.command(&import))
            .exits(0)
            .prints("Imported before");
    }
    // Our own, too; and without the secret of the token there is nothing to take.
    let own = site.path("own.json");
    std::fs::copy(site.token_file(), &own).unwrap();
    std::fs::remove_file(site.token_file()).unwrap();
    site.finish(site.command(&["authorize", "--import", own.to_str().unwrap()]))
        .exits(0);
    std::fs::write(
        &own,
        json!({"consumer_key": "k", "access_token": granted.token}).to_string(),
    )
    .unwrap();
    site.finish(site.command(&["authorize", "--import", own.to_str().unwrap()]))
        .exits(78)
        .says("access_token_secret");
}

#[test]
fn a_refusal_of_the_customer_shows_no_code() {
    let site = unauthorized();
    site.sandbox
        .with(|world| world.settings.customer_refuses = true);
    let url = site
        .finish(authorize(&site, &["--oauth1", "--print-url"]))
        .stdout;
    assert!(open(url.trim()).contains("access_denied"));
}

#[test]
fn tokens_of_another_account_replace_nothing() {
    let site = unauthorized();
    connect(&site).exits(0);
    let before = site.token_bytes();
    site.sandbox.with(|world| world.account.id = 7_654_321);
    connect(&site).exits(78).says("for the account");
    assert_eq!(site.token_bytes(), before);
}
