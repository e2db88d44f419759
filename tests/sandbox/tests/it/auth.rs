//! Authentication, scopes, account states, unknown paths, headers.

use aweber_sandbox::{AccountState, Authorization, Envelope, Origin, Sandbox, Settings};

use crate::http::{Reader, send};

/// The error for unknown paths and accounts.
const UNAUTHORIZED: &str = "401 UnauthorizedError";

#[test]
fn a_missing_or_invalid_header_answers_with_the_oauth_1_error() {
    let sandbox = Sandbox::start();
    let url = format!("{}/1.0/accounts", sandbox.api_url());
    for headers in [
        &[][..],
        &[("Authorization", "Token abc")],
        &[("Authorization", "Bearer")],
        &[("Authorization", "Basic YTpi")],
    ] {
        let reply = send("GET", &url, headers, "");
        assert_eq!(
            reply.failure(),
            "400 MissingOAuthParametersError",
            "{headers:?}"
        );
        assert!(
            reply
                .message()
                .starts_with("Missing oauth parameters: oauth_consumer_key, ")
        );
    }
}

#[test]
fn an_invalid_token_answers_401_in_the_configured_envelope() {
    let sandbox = Sandbox::start();
    let bad = Reader {
        sandbox: &sandbox,
        token: "nonsense".to_owned(),
    };
    let reply = bad.get("/accounts");
    assert_eq!(reply.failure(), "401 invalid_token");
    sandbox.with(|world| world.settings.bad_token_envelope = Envelope::A);
    assert_eq!(bad.get("/accounts").error(), "UnauthorizedError");
}

#[test]
fn tokens_expire_by_time_by_use_and_on_demand() {
    let sandbox = Sandbox::start();
    sandbox.with(|world| world.set_now("2026-03-01T12:00:00Z".parse().unwrap()));
    let reader = Reader::new(&sandbox);
    assert_eq!(
        reader.get("/accounts").header("date"),
        Some("Sun, 01 Mar 2026 12:00:00 GMT")
    );
    sandbox.with(|world| world.set_now("2026-03-01T13:59:59Z".parse().unwrap()));
    assert_eq!(reader.get("/accounts").status, 200);
    sandbox.with(|world| world.set_now("2026-03-01T14:00:00Z".parse().unwrap()));
    assert_eq!(reader.get("/accounts").status, 401);

    let reader = Reader::new(&sandbox);
    sandbox.with(|world| world.settings.access_dies_after_requests = Some(2));
    assert_eq!(
        [0; 4].map(|_| reader.get("/accounts").status),
        [200, 200, 401, 401]
    );

    let reader = Reader::new(&sandbox);
    sandbox.with(|world| world.expire_access_tokens());
    assert_eq!(reader.get("/accounts").status, 401);
    assert_eq!(sandbox.with(|world| world.live_refresh_tokens().len()), 3);
    sandbox.with(|world| world.revoke_everything());
    assert!(sandbox.with(|world| world.live_refresh_tokens().is_empty()));
}

#[test]
fn each_path_requires_its_scope() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| world.add_list("News"));
    let subscriber = sandbox.with(|world| world.add_subscribers(list, 1)[0]);
    let list_path = format!("/lists/{list}");
    let paths = [
        (String::new(), "account.read"),
        ("?ws.op=findSubscribers".to_owned(), "subscriber.read"),
        ("/lists".to_owned(), "list.read"),
        ("/lists?ws.op=find&name=News".to_owned(), "list.read"),
        (list_path.clone(), "list.read"),
        (format!("{list_path}/custom_fields"), "list.read"),
        (format!("{list_path}/tags"), "list.read"),
        (format!("{list_path}/subscribers"), "subscriber.read"),
        (
            format!("{list_path}/subscribers?ws.op=find"),
            "subscriber.read",
        ),
        (
            format!("{list_path}/subscribers/{subscriber}"),
            "subscriber.read",
        ),
    ];
    let paths = paths.map(|(path, scope)| (format!("/1234567{path}"), scope));
    let collection = [(String::new(), "account.read")];
    for (path, needed) in collection.into_iter().chain(paths) {
        let path = format!("/accounts{path}");
        for scope in [
            "account.read",
            "list.read",
            "subscriber.read",
            "subscriber.read-extended",
        ] {
            let token =
                sandbox.with(|world| world.grant_scopes("public-client", &[scope]).access_token);
            let reply = Reader {
                sandbox: &sandbox,
                token,
            }
            .get(&path);
            let is_enough = scope == needed
                || (scope == "subscriber.read-extended" && needed == "subscriber.read");
            assert_eq!(
                reply.status,
                if is_enough { 200 } else { 403 },
                "{path} with {scope}"
            );
        }
    }
    sandbox.with(|world| world.settings.require_scope_status = 401);
    let token = sandbox.with(|world| {
        world
            .grant_scopes("public-client", &["email.read"])
            .access_token
    });
    let reply = Reader {
        sandbox: &sandbox,
        token,
    }
    .get("/accounts");
    assert_eq!(reply.failure(), "401 UnauthorizedError");
}

#[test]
fn unknown_paths_lists_methods_and_accounts_have_distinct_errors() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| world.add_list("News"));
    let reader = Reader::new(&sandbox);
    let own = format!("/accounts/1234567/lists/{list}");
    let table = [
        ("/account".to_owned(), UNAUTHORIZED),
        ("/accounts//".to_owned(), UNAUTHORIZED),
        (format!("{own}/subscribers/find"), UNAUTHORIZED),
        (format!("{own}/nothing"), UNAUTHORIZED),
        (format!("{own}/subscribers/1/2"), UNAUTHORIZED),
        ("/accounts/7654321".to_owned(), UNAUTHORIZED),
        ("/accounts/7654321/lists".to_owned(), UNAUTHORIZED),
        (
            "/accounts/1234567/lists/1".to_owned(),
            "404 ListNotFoundError",
        ),
        (
            "/accounts/1234567/lists/1/subscribers".to_owned(),
            "404 ListNotFoundError",
        ),
        (format!("{own}/subscribers/1"), "404 NotFoundError"),
        (
            format!("{own}/subscribers?ws.op=search"),
            "400 BadRequestError",
        ),
    ];
    for (path, error) in table {
        assert_eq!(reader.get(&path).failure(), error, "{path}");
    }
    assert_eq!(reader.get("/accounts/7654321").message(), "Invalid Account");
    let bearer = format!("Bearer {}", reader.token);
    for method in ["POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"] {
        let reply = send(
            method,
            &format!("{}/1.0/accounts", sandbox.api_url()),
            &[("Authorization", &bearer)],
            "",
        );
        assert_eq!(reply.status, 405, "{method}");
    }
}

#[test]
fn account_state_determines_the_answer() {
    let sandbox = Sandbox::start();
    let reader = Reader::new(&sandbox);
    let table = [
        (
            AccountState::Closed,
            "401 UnauthorizedError: Invalid Account",
        ),
        (
            AccountState::Suspended,
            "403 ForbiddenError: Account Temporarily Suspended",
        ),
        (
            AccountState::Blocked,
            "410 BlockedError: This integration has been blocked. Please contact AWeber.",
        ),
    ];
    for (state, error) in table {
        sandbox.with(|world| world.account_state = state);
        assert_eq!(reader.get("/accounts").failure_with_message(), error);
    }
}

#[test]
fn a_token_on_the_wrong_origin_is_recorded_and_rejected() {
    let sandbox = Sandbox::start();
    let reader = Reader::new(&sandbox);
    let reply = reader.get(&format!("{}/1.0/accounts", sandbox.auth_url()));
    assert_eq!(reply.status, 401);
    sandbox.with(|world| {
        let last = world.requests.last().unwrap();
        assert_eq!(
            (last.origin, last.access_token(), last.status),
            (Origin::Auth, Some(reader.token.as_str()), Some(401))
        );
    });
    let url = format!(
        "{}/1.0/accounts?access_token={}",
        sandbox.api_url(),
        reader.token
    );
    assert_eq!(
        send(
            "GET",
            &url,
            &[("User-Agent", "me/1"), ("Accept", "a/b")],
            ""
        )
        .status,
        200
    );
    sandbox.with(|world| {
        let last = world.requests.last().unwrap();
        assert_eq!(
            last.authorization,
            Authorization::Query(reader.token.clone())
        );
        assert_eq!(
            (last.user_agent.as_deref(), last.accept.as_deref()),
            (Some("me/1"), Some("a/b"))
        );
        assert_eq!(
            (world.count("/1.0/accounts"), world.count(world.auth_url())),
            (2, 1)
        );
        world.clear_requests();
        assert!(world.requests.is_empty() && world.secrets().contains(&reader.token));
    });
}

#[test]
fn headers_match_the_live_api() {
    let sandbox = Sandbox::start_with(Settings {
        send_date: false,
        gzip: true,
        ..Settings::default()
    });
    let reader = Reader::new(&sandbox);
    let reply = reader.get("/accounts");
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=\"utf-8\"")
    );
    assert_eq!(reply.header("date"), None);
    assert_eq!(reply.header("content-encoding"), None);
    let packed = reader.get_with("/accounts", &[("Accept-Encoding", "gzip, br")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(packed.body.as_slice()),
        &mut text,
    )
    .unwrap();
    assert_eq!(text, reply.text());
}
