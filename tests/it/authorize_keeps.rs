//! What `authorize` must not lose: new tokens, and an existing token file.

use crate::support::authorization::{assert_connected, authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::process::{in_mount_namespace, send_signal};
use crate::support::{Done, Site, files_below, set_mode};
use aweber_sandbox::{ClientKind, Fault, FaultKind};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// The files below the state directory that contain the latest refresh token; at least one.
fn files_with_live_token(site: &Site, done: &Done) -> Vec<String> {
    let token = site
        .sandbox
        .with(|world| world.live_refresh_tokens())
        .pop()
        .unwrap();
    let holders: Vec<String> = files_below(&site.state_dir())
        .into_iter()
        .filter(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains(&token))
        .map(|file| file.display().to_string())
        .collect();
    assert!(!holders.is_empty(), "the live token is in no file: {done}");
    holders
}

fn import(site: &Site, arguments: &[&str]) -> Command {
    site.command(&[&["authorize", "--import", "credentials.json"], arguments].concat())
}

#[test]
fn tokens_refreshed_to_look_up_the_account_are_kept_when_the_account_is_rejected() {
    let site = Site::new();
    site.run_ok(&[]);
    let before = site.token_bytes();
    // Credentials of another account with a dead access token: the account lookup spends the refresh token.
    let tokens = site.sandbox.with(|world| {
        world.account.id = 7_654_321;
        world.grant("public-client")
    });
    let credentials = json!({"client_id": "public-client", "refresh_token": tokens.refresh_token});
    std::fs::write(site.path("credentials.json"), credentials.to_string()).unwrap();
    let done = site.finish(import(&site, &[]));
    done.exits(78).says("--force");
    assert!(site.token_bytes() == before);
    let kept = files_with_live_token(&site, &done);
    assert!(
        kept.iter().any(|file| done.stderr.contains(file)),
        "{kept:?}: {}",
        done.stderr
    );
}

#[test]
fn tokens_are_kept_when_the_account_lookup_fails_and_the_next_authorize_finishes() {
    for kind in [
        FaultKind::html(503),
        FaultKind::rate_limit(),
        FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended"),
    ] {
        let site = unauthorized(ClientKind::Public);
        site.sandbox
            .with(|world| world.fault(Fault::on("/1.0/accounts").always().answer(kind.clone())));
        let done = site.finish_with_answer(authorize(&site, &[]), code_at);
        done.case(&format_args!("{kind:?}")).fails();
        assert!(!site.token_file().exists());
        files_with_live_token(&site, &done);

        site.sandbox.with(|world| world.clear_faults());
        let done = site.finish(site.command(&["authorize"]));
        assert_connected(&site, &done);
        assert_eq!(site.token_requests(), 2, "the code and the run: {done}");
    }
}

#[test]
fn an_unfinished_authorization_advises_to_run_authorize_again() {
    for kind in [
        FaultKind::html(503),
        FaultKind::ResetBefore,
        FaultKind::rate_limit(),
    ] {
        let site = unauthorized(ClientKind::Public);
        site.sandbox
            .with(|world| world.fault(Fault::on("/1.0/accounts").always().answer(kind.clone())));
        let done = site.finish_with_answer(authorize(&site, &[]), code_at);
        assert_advises_authorize(&format!("{kind:?}"), &done);
    }
    assert_advises_authorize("SIGTERM", &stopped_during_code_exchange().1);
}

fn assert_advises_authorize(what: &str, done: &Done) {
    let next = done
        .stderr
        .lines()
        .find(|line| line.contains("next: "))
        .unwrap_or("");
    assert!(
        next.contains("aweber-sync authorize"),
        "{what}: {}",
        done.stderr
    );
}

#[test]
fn live_tokens_are_kept_while_the_account_stays_suspended() {
    let site = unauthorized(ClientKind::Public);
    let suspended = FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended");
    site.sandbox
        .with(|world| world.fault(Fault::on("/1.0/accounts").always().answer(suspended)));
    site.finish_with_answer(authorize(&site, &[]), code_at)
        .exits(78);
    let done = site.finish(site.command(&["authorize"]));
    done.exits(78);
    files_with_live_token(&site, &done);
}

/// Sends SIGTERM between the request that exchanges the code and its answer.
fn stopped_during_code_exchange() -> (Site, Done) {
    let site = unauthorized(ClientKind::Public);
    let delay = FaultKind::DelayBefore(Duration::from_millis(400));
    site.sandbox
        .with(|world| world.fault(Fault::on("/oauth2/token").answer(delay)));
    let url = site.finish(authorize(&site, &["--print-url"])).stdout;
    let child = authorize(&site, &["--code", &code_at(url.trim())])
        .spawn()
        .unwrap();
    let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
        world.token_requests().len() == 1
    });
    assert!(arrived);
    send_signal(&child, "TERM");
    let done = site.wait(child);
    done.exits(143);
    (site, done)
}

#[test]
fn sigterm_during_a_code_exchange_keeps_the_tokens_for_the_next_authorize() {
    let (site, done) = stopped_during_code_exchange();
    files_with_live_token(&site, &done);
    let done = site.finish(site.command(&["authorize"]));
    assert_connected(&site, &done);
}

#[test]
fn a_bind_mounted_token_file_costs_no_code_and_no_token() {
    let site = Site::new();
    let url = site.finish(authorize(&site, &["--print-url"])).stdout;
    let command = authorize(&site, &["--code", &code_at(url.trim())]);
    std::fs::copy(site.token_file(), site.path("host.json")).unwrap();
    let script = "mount --bind host.json state/token.json && exec \"$@\"";
    let Some(command) = in_mount_namespace(script, &command) else {
        return;
    };
    let done = site.finish(command);
    done.exits(74).says("mount the directory of the token file");
    // Either the code was not exchanged, or its tokens are on disk.
    if site.token_requests() > 0 {
        let done = site.finish(site.command(&["authorize"]));
        assert_eq!(site.token_requests(), 1, "{done}");
        assert_connected(&site, &done);
    }
}

#[test]
fn a_full_disk_is_detected_before_the_code_is_exchanged() {
    let site = unauthorized(ClientKind::Public);
    let url = site.finish(authorize(&site, &["--print-url"])).stdout;
    let code = code_at(url.trim());
    let script = "cp state/token.json.authorizing kept && mount -t tmpfs -o size=256k,mode=0700 tmpfs state && \
         cp -p kept state/token.json.authorizing && : >state/lock && : >state/token.json.lock && \
         cat /dev/zero >state/filler 2>/dev/null; exec \"$@\"";
    let Some(command) = in_mount_namespace(script, &authorize(&site, &["--code", &code])) else {
        return;
    };
    let done = site.finish(command);
    done.exits(74);
    assert_eq!(site.token_requests(), 0, "{done}");
    // The code is still valid.
    let done = site.finish(authorize(&site, &["--code", &code]));
    assert_connected(&site, &done);
}

/// A label, and a change of the token file.
type Change = (&'static str, fn(&Site));

#[test]
fn tokens_of_another_account_in_a_rejected_token_file_need_force_to_be_replaced() {
    let refused: [Change; 2] = [
        ("others can read it", |site| {
            set_mode(&site.token_file(), 0o644);
        }),
        ("a newer version wrote it", |site| {
            let mut file = site.tokens();
            file["version"] = json!(2);
            site.write_token_file(&file);
        }),
    ];
    for (what, change) in refused {
        let site = Site::new();
        change(&site);
        let before = site.token_bytes();
        site.sandbox.with(|world| world.account.id = 7_654_321);
        site.finish_with_answer(authorize(&site, &[]), code_at)
            .case(&what)
            .exits(78);
        assert!(site.token_bytes() == before, "{what}");
    }
}

#[test]
fn a_prompt_waiting_for_a_code_does_not_block_runs() {
    let site = Site::new();
    let list = site.add_list(2);
    let done = site.finish_with_answer(authorize(&site, &[]), |url| {
        site.run_ok(&[]);
        code_at(url)
    });
    done.exits(0);
    assert!(site.token_is_live());
    site.run_ok(&[]);
    assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
}

#[test]
fn authorize_waits_for_a_run_in_progress() {
    let site = Site::new();
    let list = site.add_list(2);
    let delay = FaultKind::DelayBefore(Duration::from_millis(500));
    site.sandbox
        .with(|world| world.fault(Fault::on("/subscribers").answer(delay)));
    let url = site.finish(authorize(&site, &["--print-url"])).stdout;
    let run = site.command(&["run"]).spawn().unwrap();
    let arrived = site.sandbox.wait_until(Duration::from_secs(10), |world| {
        world.count("/subscribers") == 1
    });
    assert!(arrived);
    let done = site.finish(authorize(&site, &["--code", &code_at(url.trim())]));
    let run = site.wait(run);
    done.exits(0);
    run.exits(0);
    assert!(site.token_is_live());
    assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
    // The code was exchanged after the run had ended.
    site.sandbox.with(|world| {
        let paths: Vec<&str> = world
            .requests
            .iter()
            .map(|request| request.path.as_str())
            .collect();
        assert_eq!(
            paths[paths.len() - 2..],
            ["/oauth2/token", "/1.0/accounts"],
            "{paths:?}"
        );
    });
}
