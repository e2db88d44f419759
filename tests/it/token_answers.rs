//! N1 with the worst answers of the token endpoint: incomplete, cut off, lost, unparsable.

use crate::support::token::unix_now;
use crate::support::{Site, mode, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Rotation, Settings};
use serde_json::{Value, json};

fn site_with(settings: Settings) -> Site {
    Site::with(ClientKind::Public, settings)
}

/// With a token file written by the program itself.
fn site_that_has_run() -> Site {
    let site = site_with(Settings::default());
    site.run_ok(&[]);
    site.forget_requests();
    site
}

fn answer_refresh_with(site: &Site, kind: FaultKind) {
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(kind)));
}

#[test]
fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let site = site_with(Settings {
        omit_refresh_token: true,
        ..Settings::default()
    });
    site.add_list(2);
    let old = site.tokens();
    for generation in [2, 3] {
        site.run_ok(&[]);
        let new = site.tokens();
        assert_eq!(new["refresh_token"], old["refresh_token"]);
        assert_ne!(new["access_token"], old["access_token"]);
        assert_eq!(new["generation"], generation);
    }
    assert!(site.token_is_live());
    assert_eq!(site.rows().len(), 2);
}

#[test]
fn a_null_or_empty_refresh_token_keeps_the_old_one() {
    for nothing in [Value::Null, json!("")] {
        let site = site_with(Settings {
            omit_refresh_token: true,
            extra_token_fields: vec![("refresh_token".to_owned(), nothing)],
            ..Settings::default()
        });
        let old = site.tokens();
        site.run_ok(&[]);
        assert_eq!(site.tokens()["refresh_token"], old["refresh_token"]);
        assert!(site.token_is_live());
    }
}

#[test]
fn an_answer_without_token_type_and_expires_in_is_sufficient() {
    let site = site_with(Settings {
        omit_token_type: true,
        ..Settings::default()
    });
    let list = site.add_list(2);
    answer_refresh_with(
        &site,
        FaultKind::replace(|mut answer| {
            answer
                .as_object_mut()
                .unwrap()
                .remove("expires_in")
                .unwrap();
            assert_eq!(answer.as_object().unwrap().len(), 2);
            answer
        }),
    );
    let before = unix_now();
    site.run_ok(&[]);
    // Two hours, as AWeber documents it.
    let expires_at = site.tokens()["expires_at"].as_i64().unwrap();
    assert!(
        (before + 7200..=unix_now() + 7200).contains(&expires_at),
        "{expires_at}"
    );
    assert!(site.token_is_live());
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn unknown_keys_of_an_answer_are_ignored() {
    let site = site_with(Settings {
        extra_token_fields: vec![
            ("state".to_owned(), json!("xyz")),
            ("expires_at".to_owned(), json!(1.5)),
            ("scope".to_owned(), json!(["account.read", {"deep": null}])),
            ("client_id".to_owned(), json!("not yours")),
            ("version".to_owned(), json!(99)),
            ("generation".to_owned(), json!(99)),
        ],
        ..Settings::default()
    });
    let mut expected = site.tokens();
    site.run_ok(&[]);
    let new = site.tokens();
    for renewed in ["access_token", "refresh_token", "expires_at"] {
        assert_ne!(new[renewed], json!(1.5));
        expected[renewed] = new[renewed].clone();
    }
    expected["generation"] = json!(2);
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(new, expected);
    assert!(site.token_is_live());
    site.run_ok(&[]);
}

#[test]
fn after_a_lost_answer_the_refresh_is_retried_with_the_same_token() {
    for kind in [FaultKind::ResetAfter, FaultKind::Never { work_done: true }] {
        let site = site_with(Settings {
            rotation: Rotation::Tolerated,
            ..Settings::default()
        });
        let list = site.add_list(2);
        answer_refresh_with(&site, kind);
        let old = site.tokens();
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_TIMEOUT", "300ms");
        let done = site.finish(command);
        done.exits(0);
        site.sandbox.with(|world| {
            let requests = world.token_requests();
            let sent: Vec<_> = requests.iter().map(|r| r.field("refresh_token")).collect();
            assert_eq!(sent, [old["refresh_token"].as_str(); 2], "{}", done.stderr);
        });
        assert!(site.token_is_live());
        assert_eq!(site.emails(), subscribed(&site, &[list]));
    }
}

#[test]
fn a_lost_answer_that_revoked_the_refresh_token_still_exports_while_the_access_token_works() {
    let site = site_with(Settings {
        refresh_kills_access: false,
        ..Settings::default()
    });
    site.run_ok(&[]);
    let before = site.token_bytes();
    let list = site.add_list(150);
    answer_refresh_with(&site, FaultKind::ResetAfter);
    site.run(&[])
        .exits(77)
        .says_next("aweber-sync authorize")
        .says("this run continued with the access token");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.token_bytes() == before);
}

#[test]
fn a_lost_answer_that_revoked_both_tokens_ends_the_run_before_any_export() {
    // Only AWeber decides whether the access token works, not its expiry time in the file.
    for expires_at in [unix_now() + 7000, unix_now() - 1, 0] {
        let site = site_with(Settings::default());
        site.add_list(2);
        let mut file = site.tokens();
        file["expires_at"] = json!(expires_at);
        site.write_token_file(&file);
        answer_refresh_with(&site, FaultKind::ResetAfter);
        let done = site.run(&[]);
        done.exits(77).says_next("aweber-sync authorize");
        assert_eq!(site.files().len(), 0, "{done}");

        site.authorize_anew();
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 2);
    }
}

#[test]
fn an_answer_cut_off_after_both_tokens_is_used() {
    let site = site_with(Settings {
        extra_token_fields: vec![("padding".to_owned(), json!("x".repeat(2000)))],
        ..Settings::default()
    });
    let list = site.add_list(2);
    answer_refresh_with(&site, FaultKind::HalfBody);
    let live_on_disk = site.watch_token_file();
    let done = site.run_ok(&[]);
    assert_eq!(site.token_requests(), 1, "{done}");
    assert!(live_on_disk.all().iter().all(|live| *live));
    assert!(site.token_is_live());
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn an_endless_answer_is_used_once_it_contains_both_tokens() {
    let site = site_with(Settings::default());
    let list = site.add_list(2);
    // A complete object, followed by endless blanks.
    answer_refresh_with(
        &site,
        FaultKind::replace_bytes(|body| [body.as_slice(), &[b' '; 200_000]].concat()),
    );
    site.run_ok(&[]);
    assert_eq!(site.token_requests(), 1);
    assert!(site.token_is_live());
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn an_answer_cut_off_before_both_tokens_is_kept_and_named() {
    let site = site_that_has_run();
    answer_refresh_with(&site, FaultKind::HalfBody);
    let before = site.token_bytes();
    let done = site.run(&[]);
    // Both old tokens are dead.
    done.exits(77);
    let rescued = site.beside_token(".rescued");
    done.says(&rescued.to_string_lossy());
    assert_eq!(mode(&rescued), 0o600);
    assert!(
        std::fs::read(&rescued)
            .unwrap()
            .starts_with(b"{\"access_token\":\"AT")
    );
    assert!(site.token_bytes() == before);
}

/// Answers with status 200 that are not token answers although the work was done.
fn unparsable_answers() -> Vec<(&'static str, FaultKind)> {
    vec![
        (
            "HTML",
            FaultKind::replace_bytes(|_| b"<html>maintenance</html>\n".to_vec()),
        ),
        (
            "no access token",
            FaultKind::replace(|mut answer| {
                answer
                    .as_object_mut()
                    .unwrap()
                    .remove("access_token")
                    .unwrap();
                answer
            }),
        ),
        ("an array", FaultKind::replace(|answer| json!([answer]))),
        (
            "wrapped",
            FaultKind::replace(|answer| json!({"data": answer})),
        ),
        (
            "script",
            FaultKind::replace_bytes(|body| [b"callback(".as_slice(), &body, b");"].concat()),
        ),
        (
            "not UTF-8",
            FaultKind::replace_bytes(|body| [b"\xff\xfe".as_slice(), &body].concat()),
        ),
    ]
}

#[test]
fn an_unparsed_success_is_kept_byte_for_byte_and_the_token_file_is_unchanged() {
    for (what, kind) in unparsable_answers() {
        let site = site_that_has_run();
        let before = site.token_bytes();
        answer_refresh_with(&site, kind.clone());
        let done = site.run(&[]);
        done.case(&what).exits(77);
        assert!(site.token_bytes() == before, "{what}");
        let rescued = site.beside_token(".rescued");
        done.case(&what).says(&rescued.to_string_lossy());
        assert_eq!(mode(&rescued), 0o600, "{what}");
        let content = String::from_utf8_lossy(&std::fs::read(&rescued).unwrap()).into_owned();
        let new = site
            .sandbox
            .with(|world| world.live_refresh_tokens())
            .pop()
            .unwrap();
        assert_eq!(content.contains(&new), what != "HTML", "{what}");
        assert!(!site.beside_token(".next").exists(), "{what}");

        // Later runs do not change the kept answer.
        let kept = std::fs::read(&rescued).unwrap();
        site.authorize_anew();
        site.run_ok(&[]);
        assert!(std::fs::read(&rescued).unwrap() == kept, "{what}");
    }
}

#[test]
fn a_maintenance_page_instead_of_tokens_costs_one_retry() {
    let site = site_with(Settings::default());
    let list = site.add_list(2);
    answer_refresh_with(&site, FaultKind::html(200));
    let done = site.run_ok(&[]);
    assert_eq!(site.token_requests(), 2, "{done}");
    assert!(site.token_is_live());
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_permanent_maintenance_page_is_kept_once_and_the_next_run_succeeds() {
    let site = site_that_has_run();
    let list = site.add_list(2);
    let before = site.token_bytes();
    let page = Fault::on("/oauth2/token")
        .always()
        .answer(FaultKind::html(200));
    site.sandbox.with(|world| world.fault(page));
    let done = site.run(&[]);
    done.exits(69);
    let rescued = site.beside_token(".rescued");
    done.says(&rescued.to_string_lossy());
    assert!(
        std::fs::read_to_string(&rescued)
            .unwrap()
            .starts_with("<html>")
    );
    assert!(!site.beside_token(".rescued.2").exists());
    assert!(site.token_bytes() == before);

    site.sandbox.with(|world| world.clear_faults());
    site.run_ok(&[]);
    assert!(site.token_is_live());
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn the_size_of_a_token_answer_is_limited_and_the_token_file_is_unchanged() {
    for kind in [
        FaultKind::HugeBody(4 * 1024 * 1024),
        FaultKind::GzipBomb(4 * 1024 * 1024),
    ] {
        let site = site_that_has_run();
        let before = site.token_bytes();
        answer_refresh_with(&site, kind.clone());
        site.run(&[]).case(&format_args!("{kind:?}")).exits(77);
        assert!(site.token_bytes() == before, "{kind:?}");
        let rescued = std::fs::metadata(site.beside_token(".rescued")).unwrap();
        assert!(rescued.len() <= 64 * 1024, "{kind:?}: {}", rescued.len());
    }
}
