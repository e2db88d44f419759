//! Fault injection: which requests a fault applies to, and what the client receives.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aweber_sandbox::{Fault, FaultKind, Sandbox};

use crate::http::{Reader, Reply, post_form, try_send, with_rows};

fn inject(sandbox: &Sandbox, kind: FaultKind) {
    sandbox.with(|world| world.fault(Fault::on("/1.0/").answer(kind)));
}

/// Sends a request and returns the connection, without reading the answer.
fn open(reader: &Reader<'_>, path: &str) -> TcpStream {
    let host = reader.sandbox.api_url()["http://".len()..].to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = format!(
        "GET /1.0{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        reader.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_fault_applies_to_the_matching_requests() {
    let (sandbox, path, _) = with_rows(5);
    let reader = Reader::new(&sandbox);
    let statuses =
        |count: usize| -> Vec<u16> { (0..count).map(|_| reader.get(&path).status).collect() };
    sandbox.with(|world| {
        world.fault(
            Fault::on("/subscribers")
                .skip(1)
                .times(2)
                .answer(FaultKind::html(502)),
        )
    });
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(statuses(5), [200, 502, 502, 200, 200]);
    sandbox.with(|world| {
        world.fault(
            Fault::on("/subscribers")
                .always()
                .answer(FaultKind::status(500)),
        )
    });
    assert_eq!(statuses(3), [500, 500, 500]);
    sandbox.with(|world| world.clear_faults());
    assert_eq!(statuses(1), [200]);
    sandbox.with(|world| {
        world.fault(
            Fault::on("/subscribers")
                .times(2)
                .answer(FaultKind::status(500)),
        );
        world.fault(
            Fault::on("/subscribers")
                .skip(3)
                .answer(FaultKind::status(503)),
        );
        let origin = world.auth_url().to_owned();
        world.fault(Fault::on(origin).always().answer(FaultKind::status(418)));
    });
    assert_eq!(
        statuses(5),
        [500, 500, 200, 503, 200],
        "requests that another fault answers count as skipped"
    );
    assert_eq!(
        sandbox.with(|world| world.requests.iter().filter(|own| own.fault).count()),
        8
    );
}

#[test]
fn errors_are_available_in_both_envelopes() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    let seen = |kind: FaultKind| -> Reply {
        inject(&sandbox, kind);
        reader.get(&path)
    };
    let reply = seen(FaultKind::envelope_a(
        503,
        "ServiceUnavailableError",
        "API Unavailable",
    ));
    assert_eq!(reply.failure(), "503 ServiceUnavailableError");
    let reply = seen(FaultKind::envelope_b(400, "invalid_grant", "dead"));
    assert_eq!(reply.failure_with_message(), "400 invalid_grant: dead");
    assert_eq!(seen(FaultKind::rate_limit()).message(), "Rate Limit Error");
    assert!(
        seen(FaultKind::html(504))
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let reply = seen(FaultKind::Redirect {
        status: 307,
        location: "http://elsewhere.example/".to_owned(),
    });
    assert_eq!(
        (reply.status, reply.header("location")),
        (307, Some("http://elsewhere.example/"))
    );
    let reply = seen(FaultKind::WrongContentType);
    assert_eq!(
        (reply.header("content-type"), reply.ids().len()),
        (Some("text/html; charset=utf-8"), 1)
    );
}

#[test]
fn a_reset_occurs_before_or_after_processing() {
    let sandbox = Sandbox::start();
    let token = sandbox.with(|world| world.grant("public-client").refresh_token);
    let body = format!("grant_type=refresh_token&client_id=public-client&refresh_token={token}");
    let refresh = || {
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        try_send(
            "POST",
            &format!("{}/oauth2/token", sandbox.auth_url()),
            &kind,
            &body,
        )
    };
    sandbox.with(|world| world.fault(Fault::on("/oauth2/token").answer(FaultKind::ResetBefore)));
    assert_eq!(
        refresh().err().map(|error| error.kind()),
        Some(ErrorKind::ConnectionReset)
    );
    assert!(
        sandbox.with(|world| world.is_live_refresh_token(&token)),
        "the request was not processed"
    );
    sandbox.with(|world| world.fault(Fault::on("/oauth2/token").answer(FaultKind::ResetAfter)));
    assert_eq!(
        refresh().err().map(|error| error.kind()),
        Some(ErrorKind::ConnectionReset)
    );
    sandbox.with(|world| {
        assert!(
            !world.is_live_refresh_token(&token),
            "the token was rotated"
        );
        assert_eq!(world.live_refresh_tokens().len(), 1);
        assert!(
            world
                .token_requests()
                .iter()
                .all(|own| own.status.is_none() && own.fault)
        );
    });
    assert_eq!(refresh().unwrap().error(), "invalid_grant");
}

#[test]
fn half_a_body_has_the_length_of_the_whole() {
    let (sandbox, path, _) = with_rows(30);
    let reader = Reader::new(&sandbox);
    let whole = reader.get(&path).body.len();
    inject(&sandbox, FaultKind::HalfBody);
    let error = reader.try_get(&path).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), format!("{} of {whole} bytes", whole / 2));
}

#[test]
fn a_delay_precedes_processing() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    inject(&sandbox, FaultKind::DelayBefore(Duration::from_millis(80)));
    let begin = Instant::now();
    assert_eq!(reader.get(&path).ids().len(), 1);
    assert!(begin.elapsed() >= Duration::from_millis(80));
    sandbox.with(|world| world.settings.latency = Duration::from_millis(50));
    let begin = Instant::now();
    assert_eq!(reader.get(&path).status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(50));
}

#[test]
fn never_gives_no_answer_until_the_sandbox_is_dropped() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    inject(&sandbox, FaultKind::Never { work_done: false });
    let mut stream = open(&reader, &path);
    stream
        .set_read_timeout(Some(Duration::from_millis(80)))
        .unwrap();
    let mut byte = [0];
    let waited = stream.read(&mut byte).err().map(|error| error.kind());
    assert!(
        matches!(waited, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        "{waited:?}"
    );
    assert_eq!(reader.get(&path).status, 200, "other requests are served");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let token = reader.token.clone();
    drop(sandbox);
    assert_eq!(
        stream.read(&mut byte).unwrap_or(0),
        0,
        "dropping the sandbox closes the connection: {token}"
    );
}

#[test]
fn never_can_process_the_request() {
    let sandbox = Sandbox::start();
    let token = sandbox.with(|world| world.grant("public-client").refresh_token);
    for (work_done, lives) in [(false, true), (true, false)] {
        sandbox.with(|world| {
            world.fault(Fault::on("/oauth2/token").answer(FaultKind::Never { work_done }))
        });
        let host = sandbox.auth_url()["http://".len()..].to_owned();
        let mut stream = TcpStream::connect(&host).unwrap();
        let body =
            format!("grant_type=refresh_token&client_id=public-client&refresh_token={token}");
        let head = format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        assert!(sandbox.wait_until(Duration::from_secs(5), |world| {
            world.requests.last().is_some_and(|own| own.fault)
        }));
        assert_eq!(
            sandbox.with(|world| world.is_live_refresh_token(&token)),
            lives
        );
        sandbox.with(|world| world.clear_requests());
    }
}

#[test]
fn an_endless_body_sends_single_bytes() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    inject(&sandbox, FaultKind::EndlessBody);
    let mut stream = open(&reader, &path);
    let mut seen = Vec::new();
    let mut piece = [0; 256];
    while seen.windows(2).filter(|two| two == b"1\r").count() < 6 {
        let length = stream.read(&mut piece).unwrap();
        assert_ne!(length, 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..length]);
    }
    assert!(String::from_utf8_lossy(&seen).contains("transfer-encoding: chunked"));
}

#[test]
fn huge_bodies_are_json_with_and_without_gzip() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    inject(&sandbox, FaultKind::HugeBody(3_000_000));
    let reply = reader.get(&path);
    assert_eq!(reply.json()["padding"].as_str().unwrap().len(), 3_000_000);
    inject(&sandbox, FaultKind::GzipBomb(20_000_000));
    let reply = reader.get(&path);
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < 200_000);
    let mut text = String::new();
    flate2::read::GzDecoder::new(reply.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.len() > 20_000_000 && text.ends_with("]}"));
}

#[test]
fn a_page_can_be_emptied_or_replaced() {
    let (sandbox, path, _) = with_rows(30);
    let reader = Reader::new(&sandbox);
    inject(&sandbox, FaultKind::EmptyPage);
    let page = reader.get(&format!("{path}?ws.size=10&ws.start=10")).json();
    assert_eq!(
        (
            page["entries"].as_array().unwrap().len(),
            &page["total_size"]
        ),
        (0, &30.into())
    );
    assert!(
        page.get("next_collection_link").is_none() && page.get("prev_collection_link").is_some()
    );
    inject(
        &sandbox,
        FaultKind::replace(|mut page| {
            page["next_collection_link"] = "https://elsewhere.example/".into();
            page
        }),
    );
    assert_eq!(
        reader.get(&path).json()["next_collection_link"],
        "https://elsewhere.example/"
    );
    inject(
        &sandbox,
        FaultKind::replace_bytes(|body| body[..body.len() - 1].to_vec()),
    );
    assert!(serde_json::from_slice::<serde_json::Value>(&reader.get(&path).body).is_err());
}

#[test]
fn a_request_over_the_rate_limit_does_not_consume_a_fault() {
    let (sandbox, path, _) = with_rows(1);
    let reader = Reader::new(&sandbox);
    sandbox.with(|world| {
        let limit = aweber_sandbox::RateLimit {
            limit: 1,
            window: Duration::from_secs(60),
            shut_out: Duration::from_millis(200),
        };
        world.settings.rate_limit = Some(limit);
        world.fault(Fault::on("/subscribers").answer(FaultKind::html(502)));
    });
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(reader.get(&path).status, 403);
    std::thread::sleep(Duration::from_millis(220));
    assert_eq!(reader.get(&path).status, 502);
    assert_eq!(post_form(&sandbox, "/oauth2/token", &[], &[]).status, 400);
}

#[test]
fn a_fault_can_match_one_exact_path() {
    let (sandbox, path, _) = with_rows(3);
    let reader = Reader::new(&sandbox);
    let broken = Fault::on_path("/1.0/accounts").always();
    sandbox.with(|world| world.fault(broken.answer(FaultKind::status(500))));
    let statuses = [
        "/accounts",
        "/accounts?ws.start=0",
        "/accounts/1234567",
        &path,
    ]
    .map(|path| reader.get(path).status);
    assert_eq!(statuses, [500, 500, 200, 200]);
}

#[test]
fn a_page_other_than_the_requested_one_can_be_served() {
    let (sandbox, path, _) = with_rows(250);
    let reader = Reader::new(&sandbox);
    let ids = |path: &str| -> Vec<u64> {
        let page = reader.get(path).json();
        let entries = page["entries"].as_array().unwrap().clone();
        entries.iter().map(|e| e["id"].as_u64().unwrap()).collect()
    };
    let (first, second) = (ids(&path), ids(&format!("{path}?ws.start=100")));
    inject(&sandbox, FaultKind::other_page(|start| start - 100, 100));
    assert_eq!(ids(&format!("{path}?ws.start=100")), first);
    inject(&sandbox, FaultKind::other_page(|start| start, 150));
    assert_eq!(ids(&path), [&first, &second[..50]].concat());
    inject(&sandbox, FaultKind::other_page(|start| start, 150));
    let page = reader.get(&path).json();
    let next = page["next_collection_link"].as_str().unwrap();
    assert!(next.contains("ws.start=150&ws.size=150"), "{next}");
    assert_eq!(reader.get(&format!("{path}?ws.size=101")).status, 400);
}
