//! Trading codes, refusals of the token endpoint, revoking.

use aweber_sandbox::{AccountState, Envelope, Sandbox};
use chrono::Duration;

use crate::authorize::{CONFIDENTIAL, OOB, SECRET, VERIFIER, authorize, challenge, code_on_page};
use crate::http::{Reader, Reply, basic, post_form, send};

fn token(sandbox: &Sandbox, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Reply {
    post_form(sandbox, "/oauth2/token", headers, fields)
}

#[test]
fn a_public_client_gets_tokens_with_pkce() {
    let sandbox = Sandbox::start();
    let code = code_on_page(&authorize(&sandbox, &[]));
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", OOB),
        ("client_id", "public-client"),
        ("code_verifier", VERIFIER),
        ("unknown", "tolerated"),
    ];
    let reply = token(&sandbox, &[], &fields);
    assert_eq!(
        (reply.status, reply.header("cache-control")),
        (200, Some("no-store"))
    );
    let body = reply.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["access_token", "refresh_token", "token_type", "expires_in"]
    );
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&"bearer".into(), &7200.into())
    );
    let reader = Reader {
        sandbox: &sandbox,
        token: body["access_token"].as_str().unwrap().to_owned(),
    };
    assert_eq!(reader.get("/accounts").ids(), [1_234_567]);

    let again = token(&sandbox, &[], &fields);
    assert_eq!(
        (again.status, again.error().as_str()),
        (400, "invalid_grant"),
        "a code works once"
    );
    assert_eq!(reader.get("/accounts").status, 200);
    let secrets = sandbox.with(|world| world.secrets());
    for secret in [
        &code,
        &reader.token,
        &VERIFIER.to_owned(),
        &SECRET.to_owned(),
    ] {
        assert!(secrets.contains(secret), "{secret}");
    }
}

#[test]
fn a_confidential_client_may_say_who_it_is_in_either_way() {
    let sandbox = Sandbox::start();
    let header = basic("confidential-client", SECRET);
    let in_header = [("Authorization", header.as_str())];
    let in_body = [
        ("client_id", "confidential-client"),
        ("client_secret", SECRET),
    ];
    for (headers, extra) in [
        (&in_header[..], &[][..]),
        (&[], &in_body),
        (&in_header, &in_body),
    ] {
        let code = code_on_page(&authorize(&sandbox, &CONFIDENTIAL));
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", OOB),
        ];
        let reply = token(&sandbox, headers, &[&fields[..], extra].concat());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let code =
        sandbox.with(|world| world.new_code("confidential-client", "https://localhost", None));
    let reply = token(
        &sandbox,
        &in_header,
        &[("grant_type", "authorization_code"), ("code", &code)],
    );
    assert_eq!(reply.status, 200, "the redirect URI may be left out");
}

#[test]
fn the_token_endpoint_refuses_what_aweber_refuses() {
    let sandbox = Sandbox::start();
    let challenge = challenge();
    let public = ("client_id", "public-client");
    let code_grant = ("grant_type", "authorization_code");
    let good = basic("confidential-client", SECRET);
    let bad = basic("confidential-client", "wrong");
    let public_basic = basic("public-client", "x");
    let other_verifier = "x".repeat(43);
    // The header, the fields beside a fresh code, and the answer.
    type Row<'a> = (
        Option<&'a str>,
        &'a str,
        &'a [(&'a str, &'a str)],
        u16,
        &'a str,
    );
    let table: [Row<'_>; 17] = [
        (
            None,
            "public-client",
            &[code_grant, public, ("code_verifier", VERIFIER)],
            200,
            "",
        ),
        (None, "public-client", &[code_grant], 400, "BadRequestError"),
        (
            None,
            "public-client",
            &[public, ("code_verifier", VERIFIER)],
            400,
            "invalid_request",
        ),
        (
            None,
            "public-client",
            &[("grant_type", "password"), public],
            400,
            "unsupported_grant_type",
        ),
        (
            None,
            "public-client",
            &[code_grant, public],
            400,
            "invalid_request",
        ),
        (
            None,
            "public-client",
            &[code_grant, public, ("code_verifier", "short")],
            400,
            "invalid_request",
        ),
        (
            None,
            "public-client",
            &[code_grant, public, ("code_verifier", &other_verifier)],
            400,
            "invalid_grant",
        ),
        (
            None,
            "public-client",
            &[
                code_grant,
                public,
                ("code_verifier", VERIFIER),
                ("client_secret", "x"),
            ],
            400,
            "invalid_request",
        ),
        (
            Some(&public_basic),
            "public-client",
            &[code_grant, ("code_verifier", VERIFIER)],
            400,
            "invalid_request",
        ),
        (
            None,
            "public-client",
            &[
                code_grant,
                public,
                ("code_verifier", VERIFIER),
                ("redirect_uri", "https://localhost"),
            ],
            400,
            "invalid_request",
        ),
        (
            None,
            "public-client",
            &[
                code_grant,
                ("client_id", "nobody"),
                ("code_verifier", VERIFIER),
            ],
            401,
            "invalid_client",
        ),
        (Some(&good), "confidential-client", &[code_grant], 200, ""),
        (
            Some(&bad),
            "confidential-client",
            &[code_grant],
            401,
            "invalid_client",
        ),
        (
            None,
            "confidential-client",
            &[code_grant, ("client_id", "confidential-client")],
            401,
            "invalid_client",
        ),
        (
            Some(&good),
            "confidential-client",
            &[code_grant, ("code_verifier", VERIFIER)],
            400,
            "invalid_request",
        ),
        (
            Some(&good),
            "public-client",
            &[code_grant],
            400,
            "invalid_grant",
        ),
        (
            Some(&good),
            "confidential-client",
            &[("grant_type", "refresh_token")],
            400,
            "invalid_request",
        ),
    ];
    for (header, issued_to, fields, status, error) in table {
        let challenge = (issued_to == "public-client").then_some(challenge.as_str());
        let code = sandbox.with(|world| world.new_code(issued_to, OOB, challenge));
        let headers: Vec<(&str, &str)> = header
            .map(|value| ("Authorization", value))
            .into_iter()
            .collect();
        let reply = token(
            &sandbox,
            &headers,
            &[fields, &[("code", code.as_str())]].concat(),
        );
        assert_eq!(reply.status, status, "{fields:?}: {}", reply.text());
        if status != 200 {
            assert_eq!(reply.error(), error, "{fields:?}: {}", reply.text());
        }
    }
}

#[test]
fn a_wrong_verifier_spends_the_code_and_time_does_too() {
    let sandbox = Sandbox::start();
    let challenge = challenge();
    let trade = |code: &str, verifier: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", "public-client"),
            ("code_verifier", verifier),
        ];
        token(&sandbox, &[], &fields).status
    };
    let code = sandbox.with(|world| world.new_code("public-client", OOB, Some(&challenge)));
    assert_eq!(
        (trade(&code, &"x".repeat(43)), trade(&code, VERIFIER)),
        (400, 400)
    );
    let (in_time, late) = sandbox.with(|world| {
        world.set_now("2026-03-01T12:00:00Z".parse().unwrap());
        [0; 2]
            .map(|_| world.new_code("public-client", OOB, Some(&challenge)))
            .into()
    });
    sandbox.with(|world| world.set_now(world.now() + Duration::seconds(599)));
    assert_eq!(trade(&in_time, VERIFIER), 200);
    sandbox.with(|world| world.set_now(world.now() + Duration::seconds(1)));
    assert_eq!(trade(&late, VERIFIER), 400);
}

#[test]
fn refusals_come_in_the_other_form_when_set() {
    let sandbox = Sandbox::start();
    sandbox.with(|world| {
        world.settings.bad_client_envelope = Envelope::A;
        world.settings.public_secret_status = 401;
    });
    let reply = token(
        &sandbox,
        &[],
        &[("grant_type", "refresh_token"), ("client_id", "nobody")],
    );
    assert_eq!(
        (reply.status, reply.error().as_str()),
        (401, "UnauthorizedError")
    );
    let reply = token(
        &sandbox,
        &[],
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "public-client"),
            ("client_secret", "x"),
        ],
    );
    assert_eq!(
        (reply.status, reply.error().as_str()),
        (401, "invalid_client")
    );
    assert_eq!(reply.message(), "public clients MUST NOT include secrets");
    sandbox.with(|world| world.account_state = AccountState::Blocked);
    let reply = token(
        &sandbox,
        &[],
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "public-client"),
        ],
    );
    assert_eq!(
        (reply.status, reply.error().as_str()),
        (410, "BlockedError")
    );
}

#[test]
fn other_methods_paths_and_bodies_are_refused() {
    let sandbox = Sandbox::start();
    let at = |path: &str| format!("{}{path}", sandbox.auth_url());
    assert_eq!(send("GET", &at("/oauth2/token"), &[], "").status, 405);
    assert_eq!(send("POST", &at("/oauth2/authorize"), &[], "").status, 405);
    assert_eq!(send("GET", &at("/oauth2/revoke"), &[], "").status, 405);
    assert_eq!(
        send("GET", &at("/.well-known/openid-configuration"), &[], "").status,
        401
    );
    assert_eq!(
        send(
            "POST",
            &at("/oauth2/token"),
            &[("Content-Type", "application/json")],
            "{}"
        )
        .status,
        415
    );
    let in_query = send(
        "POST",
        &at("/oauth2/token?grant_type=refresh_token&client_id=public-client"),
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "",
    );
    assert_eq!(
        (in_query.status, in_query.error().as_str()),
        (400, "BadRequestError")
    );
}

#[test]
fn revoking_ends_a_token_or_all_that_came_with_it() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.with(|world| world.grant("public-client"));
    let foreign = sandbox.with(|world| world.grant("confidential-client"));
    let revoke = |token: &str, hint: &str| {
        post_form(
            &sandbox,
            "/oauth2/revoke",
            &[],
            &[
                ("token", token),
                ("token_type_hint", hint),
                ("client_id", "public-client"),
            ],
        )
    };
    assert_eq!(revoke(&tokens.access_token, "access_token").status, 200);
    assert!(sandbox.with(|world| world.is_live_refresh_token(&tokens.refresh_token)));
    assert_eq!(revoke(&tokens.refresh_token, "").status, 200);
    assert!(!sandbox.with(|world| world.is_live_refresh_token(&tokens.refresh_token)));
    assert_eq!(revoke("unknown", "refresh_token").status, 200);
    assert_eq!(
        revoke(&foreign.refresh_token, "").error(),
        "invalid_request"
    );
    assert_eq!(revoke("x", "wrong").error(), "invalid_request");
    assert_eq!(
        post_form(
            &sandbox,
            "/oauth2/revoke",
            &[],
            &[("client_id", "public-client")]
        )
        .error(),
        "invalid_request"
    );
    assert_eq!(
        post_form(&sandbox, "/oauth2/revoke", &[], &[("token", "x")]).error(),
        "BadRequestError"
    );
    assert_eq!(
        sandbox.with(|world| world.live_access_tokens()),
        [foreign.access_token]
    );
}
