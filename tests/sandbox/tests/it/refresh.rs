//! The effect of a refresh on older tokens.

use aweber_sandbox::{Rotation, Sandbox, Settings};
use serde_json::{Value, json};

use crate::http::{Reader, Reply, basic, post_form};

fn refresh(sandbox: &Sandbox, token: &str) -> Reply {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "public-client"),
    ];
    post_form(sandbox, "/oauth2/token", &[], &fields)
}

fn refresh_token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["refresh_token"].as_str().unwrap().to_owned()
}

fn with_rotation(rotation: Rotation) -> (Sandbox, String) {
    let sandbox = Sandbox::start_with(Settings {
        rotation,
        ..Settings::default()
    });
    let first = sandbox.with(|world| world.grant("public-client").refresh_token);
    (sandbox, first)
}

#[test]
fn the_old_refresh_token_is_invalid_at_once() {
    let (sandbox, first) = with_rotation(Rotation::DeadAtOnce);
    let second = refresh_token(&refresh(&sandbox, &first));
    assert_eq!(refresh(&sandbox, &first).error(), "invalid_grant");
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        std::slice::from_ref(&second)
    );
    refresh_token(&refresh(&sandbox, &second));
}

#[test]
fn the_old_refresh_token_stays_valid_if_tolerated() {
    let (sandbox, first) = with_rotation(Rotation::Tolerated);
    let second = refresh_token(&refresh(&sandbox, &first));
    let third = refresh_token(&refresh(&sandbox, &first));
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        [first, second, third]
    );
}

#[test]
fn the_old_refresh_token_stays_valid_until_the_new_one_is_used() {
    let (sandbox, first) = with_rotation(Rotation::UntilUsed);
    let stranger = sandbox.with(|world| world.grant("public-client").refresh_token);
    let second = refresh_token(&refresh(&sandbox, &first));
    let third = refresh_token(&refresh(&sandbox, &first));
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        [&first, &stranger, &second, &third].map(String::clone)
    );
    let fourth = refresh_token(&refresh(&sandbox, &third));
    assert_eq!(refresh(&sandbox, &first).error(), "invalid_grant");
    assert_eq!(refresh(&sandbox, &second).error(), "invalid_grant");
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        [stranger, third, fourth]
    );
}

#[test]
fn the_old_refresh_token_stays_valid_until_the_new_access_token_is_used() {
    let (sandbox, first) = with_rotation(Rotation::UntilUsed);
    let reply = refresh(&sandbox, &first);
    let second = refresh_token(&reply);
    let reader = Reader {
        sandbox: &sandbox,
        token: reply.json()["access_token"].as_str().unwrap().to_owned(),
    };
    assert!(sandbox.with(|world| world.is_live_refresh_token(&first)));
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(refresh(&sandbox, &first).error(), "invalid_grant");
    assert_eq!(sandbox.with(|world| world.live_refresh_tokens()), [second]);
}

#[test]
fn a_refresh_token_that_is_not_replaced_stays_valid_when_used() {
    let (sandbox, first) = with_rotation(Rotation::UntilUsed);
    sandbox.with(|world| world.settings.omit_refresh_token = true);
    let access = refresh(&sandbox, &first).json()["access_token"].clone();
    let reader = Reader {
        sandbox: &sandbox,
        token: access.as_str().unwrap().to_owned(),
    };
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(refresh(&sandbox, &first).status, 200);
    assert_eq!(sandbox.with(|world| world.live_refresh_tokens()), [first]);
}

#[test]
fn refresh_tokens_are_listed_by_authorization_and_found_by_access_token() {
    let (sandbox, first) = with_rotation(Rotation::DeadAtOnce);
    let reply = refresh(&sandbox, &first);
    let second = refresh_token(&reply);
    let access = reply.json()["access_token"].as_str().unwrap().to_owned();
    sandbox.with(|world| {
        let other = world.grant("public-client").refresh_token;
        assert_eq!(
            world.refresh_tokens_by_grant(),
            [vec![first, second.clone()], vec![other]]
        );
        assert_eq!(world.refresh_token_with(&access), Some(second));
        assert_eq!(world.refresh_token_with("AT-unknown"), None);
    });
}

#[test]
fn using_an_old_refresh_token_revokes_its_authorization() {
    let (sandbox, first) = with_rotation(Rotation::FamilyKill);
    let stranger = sandbox.with(|world| world.grant("public-client").refresh_token);
    let second = refresh_token(&refresh(&sandbox, &first));
    assert_eq!(refresh(&sandbox, &first).error(), "invalid_grant");
    assert_eq!(refresh(&sandbox, &second).error(), "invalid_grant");
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        [stranger]
    );
}

#[test]
fn a_refresh_invalidates_older_access_tokens_only_if_configured() {
    for kills in [true, false] {
        let sandbox = Sandbox::start_with(Settings {
            refresh_kills_access: kills,
            ..Settings::default()
        });
        let tokens = sandbox.with(|world| world.grant("public-client"));
        refresh(&sandbox, &tokens.refresh_token);
        let reader = Reader {
            sandbox: &sandbox,
            token: tokens.access_token,
        };
        assert_eq!(
            reader.get("/accounts").status,
            if kills { 401 } else { 200 }
        );
    }
}

#[test]
fn a_token_of_another_client_is_rejected() {
    let sandbox = Sandbox::start();
    let foreign = sandbox.with(|world| world.grant("confidential-client").refresh_token);
    assert_eq!(refresh(&sandbox, &foreign).error(), "invalid_grant");
    let header = basic("confidential-client", "obviously-fake-sandbox-secret");
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", foreign.as_str()),
    ];
    assert_eq!(
        post_form(
            &sandbox,
            "/oauth2/token",
            &[("Authorization", &header)],
            &fields
        )
        .status,
        200
    );
}

#[test]
fn a_refresh_keeps_the_scopes() {
    let sandbox = Sandbox::start();
    let first = sandbox.with(|world| {
        world
            .grant_scopes("public-client", &["account.read"])
            .refresh_token
    });
    let access = refresh(&sandbox, &first).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let reader = Reader {
        sandbox: &sandbox,
        token: access,
    };
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(reader.get("/accounts/1234567/lists").status, 403);
}

#[test]
fn token_answers_deviate_as_configured() {
    let (sandbox, first) = with_rotation(Rotation::DeadAtOnce);
    sandbox.with(|world| {
        world.settings.omit_refresh_token = true;
        world.settings.omit_token_type = true;
        world.settings.extra_token_fields = vec![
            ("state".to_owned(), json!("x")),
            ("expires_in".to_owned(), json!("7200")),
        ];
    });
    let body = refresh(&sandbox, &first).json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["access_token", "expires_in", "state"]);
    assert_eq!(body["expires_in"], Value::from("7200"));
    assert_eq!(
        sandbox.with(|world| world.live_refresh_tokens()),
        [first],
        "the client has no other"
    );
}

#[test]
fn refresh_tokens_expire_only_if_configured() {
    let (sandbox, first) = with_rotation(Rotation::DeadAtOnce);
    sandbox.with(|world| {
        world.set_now("2026-03-01T12:00:00Z".parse().unwrap());
        world.settings.refresh_expires_in = Some(3600);
    });
    let second = refresh_token(&refresh(&sandbox, &first));
    sandbox.with(|world| world.set_now("2026-03-01T12:59:59Z".parse().unwrap()));
    assert!(sandbox.with(|world| world.is_live_refresh_token(&second)));
    sandbox.with(|world| world.set_now("2026-03-01T13:00:00Z".parse().unwrap()));
    assert!(!sandbox.with(|world| world.is_live_refresh_token(&second)));
    assert_eq!(refresh(&sandbox, &second).error(), "invalid_grant");
}
