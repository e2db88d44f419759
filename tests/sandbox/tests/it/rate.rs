//! The rate limit over HTTP.

use std::time::Duration;

use aweber_sandbox::{RateLimit, Sandbox, Settings};

use crate::http::{Reader, post_form};

fn limited(limit: usize, token_calls_count: bool) -> Sandbox {
    let rate_limit = Some(RateLimit {
        limit,
        window: Duration::from_secs(60),
        shut_out: Duration::from_millis(300),
    });
    Sandbox::start_with(Settings {
        rate_limit,
        token_calls_count,
        ..Settings::default()
    })
}

#[test]
fn requests_over_the_limit_answer_403_until_the_block_ends() {
    let sandbox = limited(3, false);
    let reader = Reader::new(&sandbox);
    assert_eq!(
        [0; 5].map(|_| reader.get("/accounts").status),
        [200, 200, 200, 403, 403]
    );
    let reply = reader.get("/accounts");
    assert_eq!(
        (reply.error().as_str(), reply.message().as_str()),
        ("ForbiddenError", "Rate Limit Error")
    );
    assert!(
        reply
            .headers
            .iter()
            .all(|(name, _)| !name.contains("retry") && !name.contains("limit"))
    );
    std::thread::sleep(Duration::from_millis(320));
    assert_eq!(reader.get("/accounts").status, 200);
    assert_eq!(
        sandbox.with(|world| world
            .requests
            .iter()
            .filter(|own| own.status == Some(403))
            .count()),
        3
    );
}

#[test]
fn token_requests_count_only_if_configured() {
    for (counts, expected) in [(false, 200), (true, 403)] {
        let sandbox = limited(2, counts);
        let reader = Reader::new(&sandbox);
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", "public-client"),
        ];
        for _ in 0..2 {
            assert_eq!(
                post_form(&sandbox, "/oauth2/token", &[], &fields).status,
                400
            );
        }
        assert_eq!(reader.get("/accounts").status, expected);
    }
}

#[test]
fn the_default_is_120_requests() {
    let sandbox = Sandbox::start();
    let reader = Reader::new(&sandbox);
    assert!((0..120).all(|_| reader.get("/accounts").status == 200));
    assert_eq!(reader.get("/accounts").status, 403);
    sandbox.with(|world| world.settings.rate_limit = None);
    assert_eq!(reader.get("/accounts").status, 200);
}
