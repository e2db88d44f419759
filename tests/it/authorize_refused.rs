//! `authorize` with invalid input or settings: the message gives the cause and the next step, and nothing changes.

use crate::support::authorization::{assert_connected, authorize, unauthorized};
use crate::support::browser::{code_at, open, parameter, redirect_from};
use crate::support::{Done, Site};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Settings};
use serde_json::json;

const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Asserts the exit code and these messages, and that no token file exists.
fn assert_refused(site: &Site, done: &Done, code: i32, words: &[&str]) {
    done.exits(code);
    for words in words {
        done.says(words);
    }
    done.says("next: ").does_not_print("Connected");
    assert!(!site.token_file().exists(), "{done}");
    for left in [".next", ".candidate", ".candidate.next"] {
        assert!(!site.beside_token(left).exists(), "{left}: {done}");
    }
}

/// A code for this client, even if the authorization page shows an error.
fn code_for(site: &Site, client: &str, url: &str) -> String {
    let challenge = parameter(url, "code_challenge");
    site.sandbox
        .with(|world| world.new_code(client, OUT_OF_BAND, challenge.as_deref()))
}

#[test]
fn a_customer_who_denies_access_ends_with_77() {
    let settings = Settings {
        customer_refuses: true,
        ..Settings::default()
    };
    let site = Site::unauthorized(ClientKind::Public, settings);
    let command = authorize(&site, &["--redirect-uri", "https://localhost"]);
    let done = site.finish_with_answer(command, redirect_from);
    assert_refused(&site, &done, 77, &["access_denied", "did not allow"]);
    assert_eq!(site.token_requests(), 0);
}

#[test]
fn a_code_works_once() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = unauthorized(kind);
        let mut used = String::new();
        let url = site.finish(authorize(&site, &["--print-url"])).stdout;
        used.push_str(&code_at(url.trim()));
        let done = site.finish(authorize(&site, &["--code", &used]));
        assert_connected(&site, &done);
        let before = site.token_bytes();
        site.finish_with_answer(authorize(&site, &[]), |_| used.clone())
            .exits(77)
            .says("does not accept the code")
            .says_next("aweber-sync authorize");
        assert!(site.token_bytes() == before);
    }
}

#[test]
fn an_expired_code_asks_for_a_new_one() {
    let settings = Settings {
        code_expires_in: 0,
        ..Settings::default()
    };
    let site = Site::unauthorized(ClientKind::Public, settings);
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    assert_refused(
        &site,
        &done,
        77,
        &["does not accept the code", "has expired"],
    );

    site.sandbox
        .with(|world| world.settings.code_expires_in = 600);
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    assert_connected(&site, &done);
}

#[test]
fn a_mistyped_code_asks_for_authorize_again() {
    let site = unauthorized(ClientKind::Public);
    let done = site.finish_with_input(authorize(&site, &[]), "no-such-code\n");
    assert_refused(&site, &done, 77, &["does not accept the code"]);
    for (not_a_code, code) in [
        ("\n", 78),
        ("two words\n", 77),
        ("https://localhost/\n", 77),
        ("https://localhost/?code=", 77),
    ] {
        let done = site.finish_with_input(authorize(&site, &[]), not_a_code);
        assert_refused(&site, &done, code, &["next: aweber-sync authorize"]);
    }
    assert_eq!(site.token_requests(), 1);
}

#[test]
fn a_wrong_secret_is_distinguished_from_a_wrong_code() {
    let site = unauthorized(ClientKind::Confidential);
    let mut command = authorize(&site, &[]);
    command.env("AWEBER_CLIENT_SECRET", "not-the-secret");
    let done = site.finish_with_answer(command, code_at);
    assert_refused(&site, &done, 78, &["client", "secret"]);
    done.does_not_say("code:");
}

#[test]
fn an_unknown_client_id_is_reported() {
    let site = unauthorized(ClientKind::Public);
    let mut command = authorize(&site, &[]);
    command.env("AWEBER_CLIENT_ID", "no-such-client");
    let done = site.finish_with_answer(command, |url| {
        assert!(open(url).contains("invalid_client"));
        code_for(&site, "public-client", url)
    });
    assert_refused(&site, &done, 78, &["client id"]);
}

#[test]
fn a_missing_client_id_ends_with_78_before_any_request() {
    let site = unauthorized(ClientKind::Public);
    for arguments in [&["authorize"][..], &["authorize", "--print-url"]] {
        let done = site.finish(site.command(arguments));
        assert_refused(
            &site,
            &done,
            78,
            &["client id", "labs.aweber.com/apps", "--client-id"],
        );
        done.prints_nothing();
    }
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_secret_for_a_public_client_advises_to_unset_it() {
    for status in [400, 401] {
        let settings = Settings {
            public_secret_status: status,
            ..Settings::default()
        };
        let site = Site::unauthorized(ClientKind::Public, settings);
        let mut command = authorize(&site, &[]);
        command.env("AWEBER_CLIENT_SECRET", "a-secret-that-no-public-app-has");
        let done = site.finish_with_answer(command, |url| {
            assert!(open(url).contains("Public Client MUST Use PKCE"));
            code_for(&site, "public-client", url)
        });
        assert_refused(
            &site,
            &done,
            78,
            &["public client", "unset AWEBER_CLIENT_SECRET"],
        );
    }
}

#[test]
fn a_missing_secret_for_a_confidential_client_advises_to_set_it() {
    // AWeber can detect it in three ways: invalid client, PKCE at the token endpoint, and the page itself.
    let site = unauthorized(ClientKind::Confidential);
    let mut command = authorize(&site, &[]);
    command.env_remove("AWEBER_CLIENT_SECRET");
    let done = site.finish_with_answer(command, |url| {
        assert!(open(url).contains("Confidential Client MUST NOT Use PKCE"));
        code_for(&site, "confidential-client", url)
    });
    assert_refused(&site, &done, 78, &["confidential"]);

    let pkce = FaultKind::envelope_b(
        400,
        "invalid_request",
        "Confidential Client MUST NOT Use PKCE",
    );
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(pkce)));
    let mut command = authorize(&site, &[]);
    command.env_remove("AWEBER_CLIENT_SECRET");
    let done = site.finish_with_answer(command, |url| code_for(&site, "confidential-client", url));
    assert_refused(
        &site,
        &done,
        78,
        &["confidential client", "set AWEBER_CLIENT_SECRET"],
    );
}

#[test]
fn a_public_client_without_pkce_advises_to_unset_the_secret() {
    let site = unauthorized(ClientKind::Public);
    let pkce = FaultKind::envelope_b(400, "invalid_request", "Public Client MUST Use PKCE");
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(pkce)));
    let mut command = authorize(&site, &[]);
    command.env("AWEBER_CLIENT_SECRET", "a-secret-that-no-public-app-has");
    let done = site.finish_with_answer(command, |url| code_for(&site, "public-client", url));
    assert_refused(
        &site,
        &done,
        78,
        &["public client", "unset AWEBER_CLIENT_SECRET"],
    );
}

#[test]
fn a_mismatched_redirect_uri_names_the_option() {
    let site = unauthorized(ClientKind::Public);
    let command = authorize(&site, &["--redirect-uri", "https://localhost"]);
    // The code was issued for the out-of-band redirect URI.
    let done = site.finish_with_answer(command, |url| code_for(&site, "public-client", url));
    assert_refused(
        &site,
        &done,
        78,
        &["Invalid redirect URI", "--redirect-uri"],
    );
}

#[test]
fn an_empty_standard_input_advises_print_url() {
    let site = unauthorized(ClientKind::Public);
    let done = site.finish(authorize(&site, &[]));
    assert_refused(&site, &done, 78, &["--print-url", "--code"]);
}

#[test]
fn a_code_without_a_pending_authorization_is_not_sent() {
    let site = unauthorized(ClientKind::Public);
    let done = site.finish(authorize(&site, &["--code", "some-code"]));
    assert_refused(&site, &done, 78, &["--print-url"]);
    assert_eq!(site.requests(), 0);
}

#[test]
fn print_url_and_code_must_agree_on_the_client_secret() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = unauthorized(kind);
        let url = site.finish(authorize(&site, &["--print-url"])).stdout;
        let code = code_at(url.trim());
        let mut command = authorize(&site, &["--code", &code]);
        match kind {
            ClientKind::Public => command.env("AWEBER_CLIENT_SECRET", "one-too-many"),
            ClientKind::Confidential => command.env_remove("AWEBER_CLIENT_SECRET"),
        };
        let done = site.finish(command);
        assert_refused(&site, &done, 78, &["AWEBER_CLIENT_SECRET"]);
        assert_eq!(site.token_requests(), 0);
        // The code was not spent.
        let done = site.finish(authorize(&site, &["--code", &code]));
        assert_connected(&site, &done);
    }
}

#[test]
fn a_transient_server_failure_wastes_no_code() {
    let site = unauthorized(ClientKind::Public);
    site.sandbox.with(|world| {
        world.fault(
            Fault::on("/oauth2/token")
                .times(2)
                .answer(FaultKind::html(503)),
        );
        world.fault(Fault::on("/1.0/accounts").answer(FaultKind::ResetBefore));
    });
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    assert_connected(&site, &done);
}

#[test]
fn an_unparsable_token_answer_is_kept_and_named() {
    let site = unauthorized(ClientKind::Public);
    let wrapped = FaultKind::replace(|answer| json!({ "data": answer }));
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(wrapped)));
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    assert_refused(&site, &done, 69, &[".rescued"]);
    let token = site
        .sandbox
        .with(|world| world.live_refresh_tokens())
        .pop()
        .unwrap();
    let kept = std::fs::read_dir(site.state_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains(".rescued"))
        .unwrap();
    done.says(&kept.to_string_lossy());
    assert!(std::fs::read_to_string(kept).unwrap().contains(&token));
}

#[test]
fn tokens_of_another_account_are_not_replaced_without_force() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        site.run_ok(&[]);
        let before = site.token_bytes();
        let own = site.tokens()["refresh_token"].as_str().unwrap().to_owned();
        site.sandbox.with(|world| {
            world.account.id = 7_654_321;
            world.account.company = "Somebody Else Inc".to_owned();
        });
        let done = site.finish_with_answer(authorize(&site, &[]), code_at);
        done.exits(78);
        for words in [
            "Somebody Else Inc",
            "7654321",
            "1234567",
            "--force",
            "--state-dir",
        ] {
            done.says(words);
        }
        assert!(site.token_bytes() == before);
        assert!(site.sandbox.with(|world| world.is_live_refresh_token(&own)));

        let done = site.finish_with_answer(authorize(&site, &["--force"]), code_at);
        done.exits(0);
        assert_eq!(site.tokens()["account_id"], "7654321");
        done.prints("Somebody Else Inc (7654321)");
        let list = site.add_list(2);
        site.run_ok(&[]);
        assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
    }
}
