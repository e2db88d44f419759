//! The token and revoke endpoints.

use aweber_sandbox::{AccountState, Envelope, Sandbox};
use chrono::Duration;

use crate::authorize::{CONFIDENTIAL, OOB, SECRET, VERIFIER, authorize, challenge, code_on_page};
use crate::http::{Reader, Reply, basic, post_form, send};

const PUBLIC_ID: &str = "public-client";
const CONFIDENTIAL_ID: &str = "confidential-client";
const CODE: Field<'static> = ("grant_type", "authorization_code");
const REFRESH: Field<'static> = ("grant_type", "refresh_token");
const PASSWORD: Field<'static> = ("grant_type", "password");
const ME: Field<'static> = ("client_id", PUBLIC_ID);
const CONFIDENTIAL_ME: Field<'static> = ("client_id", CONFIDENTIAL_ID);
const NOBODY: Field<'static> = ("client_id", "nobody");
const PUBLIC_SECRET: Field<'static> = ("client_secret", "x");
const OTHER_URI: Field<'static> = ("redirect_uri", "https://localhost");
const PKCE: Field<'static> = ("code_verifier", VERIFIER);
const SHORT: Field<'static> = ("code_verifier", "short");
const WRONG: Field<'static> = (
    "code_verifier",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

/// A form field or a header.
type Field<'a> = (&'a str, &'a str);

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
    assert_eq!(again.failure(), "400 invalid_grant", "a code works once");
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
fn a_confidential_client_authenticates_by_header_or_form() {
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
fn the_token_endpoint_rejects_what_aweber_rejects() {
    let sandbox = Sandbox::start();
    let good = basic(CONFIDENTIAL_ID, SECRET);
    let bad = basic(CONFIDENTIAL_ID, "wrong");
    let public_basic = basic(PUBLIC_ID, "x");
    let (good, bad, public_basic) = (Some(&*good), Some(&*bad), Some(&*public_basic));
    // The header, the client that a new code is issued to, the fields sent with the code, and the answer.
    type Row<'a> = (Option<&'a str>, &'a str, &'a [Field<'a>], &'a str);
    let table: [Row<'_>; 17] = [
        (None, PUBLIC_ID, &[CODE, ME, PKCE], "200"),
        (None, PUBLIC_ID, &[CODE], "400 BadRequestError"),
        (None, PUBLIC_ID, &[ME, PKCE], "400 invalid_request"),
        (
            None,
            PUBLIC_ID,
            &[PASSWORD, ME],
            "400 unsupported_grant_type",
        ),
        (None, PUBLIC_ID, &[CODE, ME], "400 invalid_request"),
        (None, PUBLIC_ID, &[CODE, ME, SHORT], "400 invalid_request"),
        (None, PUBLIC_ID, &[CODE, ME, WRONG], "400 invalid_grant"),
        (
            None,
            PUBLIC_ID,
            &[CODE, ME, PKCE, PUBLIC_SECRET],
            "400 invalid_request",
        ),
        (
            public_basic,
            PUBLIC_ID,
            &[CODE, PKCE],
            "400 invalid_request",
        ),
        (
            None,
            PUBLIC_ID,
            &[CODE, ME, PKCE, OTHER_URI],
            "400 invalid_request",
        ),
        (None, PUBLIC_ID, &[CODE, NOBODY, PKCE], "401 invalid_client"),
        (good, CONFIDENTIAL_ID, &[CODE], "200"),
        (bad, CONFIDENTIAL_ID, &[CODE], "401 invalid_client"),
        (
            None,
            CONFIDENTIAL_ID,
            &[CODE, CONFIDENTIAL_ME],
            "401 invalid_client",
        ),
        (good, CONFIDENTIAL_ID, &[CODE, PKCE], "400 invalid_request"),
        (good, PUBLIC_ID, &[CODE], "400 invalid_grant"),
        (good, CONFIDENTIAL_ID, &[REFRESH], "400 invalid_request"),
    ];
    for (header, issued_to, fields, expected) in table {
        let outcome = exchange_new_code(&sandbox, header, issued_to, fields);
        assert_eq!(outcome, expected, "{fields:?}");
    }
}

/// Issues a code to a client and exchanges it with these fields; returns `200` or the error.
fn exchange_new_code(
    sandbox: &Sandbox,
    header: Option<&str>,
    issued_to: &str,
    fields: &[Field<'_>],
) -> String {
    let challenge = challenge();
    let challenge = (issued_to == PUBLIC_ID).then_some(challenge.as_str());
    let code = sandbox.with(|world| world.new_code(issued_to, OOB, challenge));
    let headers: Vec<Field<'_>> = header
        .into_iter()
        .map(|value| ("Authorization", value))
        .collect();
    let fields = [fields, &[("code", code.as_str())]].concat();
    let reply = token(sandbox, &headers, &fields);
    match reply.status {
        200 => "200".to_owned(),
        _ => reply.failure(),
    }
}

#[test]
fn a_wrong_verifier_spends_the_code_and_codes_expire() {
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
fn errors_have_the_configured_form() {
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
    assert_eq!(reply.failure(), "401 UnauthorizedError");
    let reply = token(
        &sandbox,
        &[],
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "public-client"),
            ("client_secret", "x"),
        ],
    );
    assert_eq!(reply.failure(), "401 invalid_client");
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
    assert_eq!(reply.failure(), "410 BlockedError");
}

#[test]
fn other_methods_paths_and_bodies_are_rejected() {
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
            &[("Content-Type", "text/plain")],
            "{}"
        )
        .status,
        415
    );
}

/// As AWeber's PHP samples do: the refresh as JSON, the code of PKCE in the query of a POST without a body.
#[test]
fn a_token_request_may_be_json_or_a_query() {
    let sandbox = Sandbox::start();
    let tokens = sandbox.with(|world| world.grant("public-client"));
    let body = serde_json::json!({
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "client_id": PUBLIC_ID,
    });
    let url = format!("{}/oauth2/token", sandbox.auth_url());
    let json = [("Content-Type", "application/json")];
    let refreshed = send("POST", &url, &json, &body.to_string());
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());

    let code = code_on_page(&authorize(&sandbox, &[]));
    let query = format!(
        "grant_type=authorization_code&code={code}&client_id={PUBLIC_ID}&code_verifier={VERIFIER}"
    );
    let traded = send("POST", &format!("{url}?{query}"), &[], "");
    assert_eq!(traded.status, 200, "{}", traded.text());
    sandbox.with(|world| {
        let last = world.requests.last().unwrap();
        assert_eq!(last.field("code"), Some(code.as_str()));
        assert!(world.secrets().contains(&code));
    });
}

#[test]
fn a_blank_secret_in_the_basic_header_is_none_and_none_is_decoded() {
    let sandbox = Sandbox::start();
    let refresh = |header: &str, token: &str| {
        post_form(
            &sandbox,
            "/oauth2/token",
            &[("Authorization", header)],
            &[REFRESH, ("refresh_token", token)],
        )
    };
    let tokens = sandbox.with(|world| world.grant("public-client"));
    let reply = refresh(&basic(PUBLIC_ID, ""), &tokens.refresh_token);
    assert_eq!(reply.status, 200, "{}", reply.text());

    let encoded = SECRET.replace('-', "%2D");
    let tokens = sandbox.with(|world| world.grant("confidential-client"));
    let reply = refresh(&basic(CONFIDENTIAL_ID, &encoded), &tokens.refresh_token);
    assert_eq!(reply.failure(), "401 invalid_client");
    assert!(
        reply
            .header("www-authenticate")
            .unwrap()
            .starts_with("Basic ")
    );
}

#[test]
fn revoking_a_refresh_token_revokes_its_whole_authorization() {
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
