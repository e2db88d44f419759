//! Connections: keep-alive, concurrency, shutdown.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aweber_sandbox::{Sandbox, Settings};

use crate::http::Reader;

#[test]
fn connections_are_kept_alive() {
    let sandbox = Sandbox::start();
    let reader = Reader::new(&sandbox);
    let host = sandbox.api_url()["http://".len()..].to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    for _ in 0..3 {
        let head = format!(
            "GET /1.0/accounts HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
            reader.token
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while !seen.ends_with(b"-page-resource\"}") {
            let length = stream.read(&mut piece).unwrap();
            assert_ne!(length, 0, "the connection was closed");
            seen.extend_from_slice(&piece[..length]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert_eq!(sandbox.with(|world| world.api_requests().len()), 3);
}

#[test]
fn requests_are_served_concurrently() {
    let sandbox = Sandbox::start_with(Settings {
        latency: Duration::from_millis(100),
        ..Settings::default()
    });
    let reader = Reader::new(&sandbox);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(reader.get("/accounts").status, 200));
        }
    });
    assert!(
        begin.elapsed() < Duration::from_millis(700),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn the_two_origins_differ_and_close_on_drop() {
    let sandbox = Sandbox::start();
    let (api, auth) = (sandbox.api_url(), sandbox.auth_url());
    assert_ne!(api, auth);
    let port = api.rsplit(':').next().unwrap().parse().unwrap();
    assert!(
        Sandbox::try_start(Settings {
            port_api: port,
            ..Settings::default()
        })
        .is_err(),
        "the port is taken"
    );
    drop(sandbox);
    for url in [api, auth] {
        assert!(TcpStream::connect(&url["http://".len()..]).is_err());
    }
    Sandbox::start_with(Settings {
        port_api: port,
        ..Settings::default()
    });
}

#[test]
fn a_panic_that_holds_the_lock_does_not_stop_the_server() {
    let sandbox = Sandbox::start();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sandbox.with(|_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(Reader::new(&sandbox).get("/accounts").status, 200);
}
