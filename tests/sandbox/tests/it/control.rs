//! The control interface.

use aweber_sandbox::{RateLimit, Sandbox, Status};
use std::time::Duration;

use crate::http::{Reader, Reply, send};

fn call(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> Reply {
    let url = format!("{}/_sandbox/{path}", sandbox.api_url());
    send(method, &url, &[], body)
}

#[test]
fn the_world_can_be_changed_over_http() {
    let sandbox = Sandbox::start();
    let call = |method, path: &str, body| call(&sandbox, method, path, body);
    let list = call("POST", "lists", "{\"name\": \"News\"}").json()["id"]
        .as_u64()
        .unwrap();
    let body = r#"{"email": "ann@x.example", "name": "Ann", "status": "unconfirmed", "tags": ["a"],
        "subscribed_at": "2026-01-05T04:30:00Z", "custom_fields": {"Color": "blue"}, "city": "Boston"}"#;
    let id = call("POST", &format!("lists/{list}/subscribers"), body).json()["id"]
        .as_u64()
        .unwrap();
    let reader = Reader::new(&sandbox);
    let own = reader
        .get(&format!("/accounts/1234567/lists/{list}/subscribers/{id}"))
        .json();
    assert_eq!(
        (&own["status"], &own["city"], &own["subscribed_at"]),
        (
            &"unconfirmed".into(),
            &"Boston".into(),
            &"2026-01-04T23:30:00-05:00".into()
        )
    );
    assert_eq!(
        (&own["tags"][0], &own["custom_fields"]["Color"]),
        (&"a".into(), &"blue".into())
    );

    let change =
        |what: &str| call("POST", &format!("lists/{list}/subscribers/{id}/{what}"), "").status;
    let status = || sandbox.with(|world| world.subscriber(list, id).map(|own| own.status));
    assert_eq!(
        (change("confirm"), status()),
        (200, Some(Status::Subscribed))
    );
    assert_eq!(
        (change("unsubscribe"), status()),
        (200, Some(Status::Unsubscribed))
    );
    assert_eq!((change("delete"), status()), (200, None));
    assert_eq!(change("confirm"), 404);

    let state = call("GET", "state", "").json();
    assert_eq!(
        (&state["lists"][0]["name"], &state["live_access_tokens"]),
        (&"News".into(), &1.into())
    );
    assert_eq!(call("POST", "expire", "").status, 200);
    assert_eq!(reader.get("/accounts").status, 401);
    assert_eq!(call("POST", "revoke", "").status, 200);
    assert!(sandbox.with(|world| world.live_refresh_tokens().is_empty()));
    let requests = call("GET", "requests", "").json();
    assert_eq!(
        (
            requests[1]["path_and_query"].as_str(),
            requests[1]["status"].as_u64()
        ),
        (Some("/1.0/accounts"), Some(401))
    );
    assert!(!requests.to_string().contains(&reader.token));
}

#[test]
fn control_requests_are_neither_recorded_nor_limited() {
    let sandbox = Sandbox::start();
    sandbox.with(|world| {
        world.settings.rate_limit = Some(RateLimit {
            limit: 0,
            window: Duration::from_secs(60),
            shut_out: Duration::from_secs(60),
        })
    });
    let call = |method, path, body| call(&sandbox, method, path, body).status;
    assert_eq!(Reader::new(&sandbox).get("/accounts").status, 403);
    assert_eq!(call("GET", "state", ""), 200);
    assert_eq!(call("POST", "lists", "{}"), 400);
    assert_eq!(call("POST", "lists", "no JSON"), 400);
    assert_eq!(
        call("POST", "lists/1/subscribers", "{\"email\":\"a@x.example\"}"),
        404
    );
    assert_eq!(call("GET", "nothing", ""), 404);
    assert_eq!(sandbox.with(|world| world.requests.len()), 1);
}
