//! N1 during a run: access tokens that expire early, and a rejected new one.

use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Settings};
use serde_json::json;
use std::time::Duration;

#[test]
fn access_tokens_that_expire_after_every_second_request_lose_no_row_and_no_token() {
    let settings = Settings {
        access_dies_after_requests: Some(2),
        ..Settings::default()
    };
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, settings.clone());
        let lists = [site.add_list(250), site.add_list(120), site.add_list(0)];
        let live_on_disk = site.watch_token_file();
        let done = site.run_ok(&[]);
        let live_on_disk = live_on_disk.all();
        assert!(live_on_disk.iter().all(|live| *live), "{done}");
        assert!(site.token_requests() > 3, "{done}");
        assert_eq!(site.emails(), subscribed(&site, &lists));
        assert!(site.token_is_live());
    }
}

#[test]
fn a_request_rejected_with_401_is_retried_with_the_new_token() {
    let site = Site::new();
    let list = site.add_list(5);
    site.sandbox.with(|world| {
        world.before("/1.0/", 2, |world| world.expire_access_tokens());
    });
    let done = site.run_ok(&[]);
    assert_eq!(site.token_requests(), 2, "{done}");
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    site.sandbox.with(|world| {
        let refused = world
            .requests
            .iter()
            .position(|request| request.status == Some(401))
            .unwrap();
        let (refused, next, repeated) = (
            &world.requests[refused],
            &world.requests[refused + 1],
            &world.requests[refused + 2],
        );
        assert_eq!(next.path, "/oauth2/token");
        assert_eq!(repeated.path_and_query, refused.path_and_query);
        assert_ne!(repeated.access_token(), refused.access_token());
    });
}

#[test]
fn a_token_about_to_expire_is_refreshed_before_it_is_rejected() {
    // Announces one second of life, although the token stays valid, so that only the announcement can cause a
    // refresh.
    let settings = Settings {
        extra_token_fields: vec![("expires_in".to_owned(), json!(1))],
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let list = site.add_list(3);
    let delay = FaultKind::DelayBefore(Duration::from_millis(950));
    site.sandbox
        .with(|world| world.fault(Fault::on("/1.0/").answer(delay)));
    let live_on_disk = site.watch_token_file();
    let done = site.run_ok(&[]);
    assert!(live_on_disk.all().iter().all(|live| *live), "{done}");
    site.sandbox.with(|world| {
        let paths: Vec<bool> = world
            .requests
            .iter()
            .map(|r| r.path == "/oauth2/token")
            .collect();
        assert_eq!(paths[..3], [true, false, true], "{}", done.stderr);
        assert!(
            world
                .requests
                .iter()
                .all(|request| request.status == Some(200))
        );
    });
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn tokens_that_have_expired_on_arrival_cause_no_endless_loop() {
    let settings = Settings {
        extra_token_fields: vec![("expires_in".to_owned(), json!(0))],
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    let list = site.add_list(3);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
    assert!(site.token_requests() <= site.api_requests() + 1);
    assert!(site.token_is_live());
}

#[test]
fn a_second_401_right_after_a_refresh_ends_the_run_and_asks_for_authorize() {
    let site = Site::new();
    site.add_list(2);
    let kind = FaultKind::envelope_b(
        401,
        "invalid_token",
        "The access token is invalid or has expired",
    );
    site.sandbox
        .with(|world| world.fault(Fault::on("/1.0/").always().answer(kind)));
    let done = site.run(&[]);
    done.exits(77).says("aweber-sync authorize");
    assert_eq!(
        (site.token_requests(), site.api_requests()),
        (2, 3),
        "{done}"
    );
    assert!(site.token_is_live());
    assert_eq!(site.files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_app_disconnected_during_a_run_ends_with_77_and_keeps_what_was_fetched() {
    let site = Site::new();
    let first = site.add_list(3);
    site.add_list(3);
    site.sandbox.with(|world| {
        let second = world.lists().last().unwrap().id;
        world.before(&format!("/lists/{second}/subscribers"), 1, |world| {
            world.revoke_everything()
        });
    });
    site.run(&[]).exits(77).says("aweber-sync authorize");
    assert_eq!(site.emails(), subscribed(&site, &[first]));

    site.authorize_anew();
    site.run_ok(&[]);
    let all: Vec<u64> = site
        .sandbox
        .with(|world| world.lists().map(|list| list.id).collect());
    assert_eq!(site.emails(), subscribed(&site, &all));
}
