//! Pings in the style of Healthchecks, sent to a real HTTP server: they report how the run went, and never delay it.

use crate::support::interrupt::wait_until;
use crate::support::ping_server::{PING_KEY, PingServer};
use crate::support::token::unreachable_url;
use crate::support::{Done, Site, write_private};
use aweber_sandbox::{Fault, FaultKind};
use rustix::process::Signal;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

fn run_with_pings(site: &Site, server: &PingServer, arguments: &[&str]) -> Command {
    let mut command = site.command(&[&["run"], arguments].concat());
    command.env("AWEBER_SYNC_PING_URL", server.url());
    command
}

fn assert_key_not_printed(done: &Done) {
    for said in [&done.stdout, &done.stderr] {
        assert!(!said.contains(PING_KEY), "{said}");
    }
}

fn two_subscribers() -> Site {
    let site = Site::new();
    site.add_list(2);
    site
}

#[test]
fn a_run_pings_its_start_and_its_success() {
    let (site, server) = (two_subscribers(), PingServer::answering(&[200]));
    let done = site.finish(run_with_pings(&site, &server, &[]));
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done}");
    let pings = server.pings();
    assert_eq!(server.path_suffixes(), ["/start", ""]);
    assert!(pings.iter().all(|(method, ..)| method == "POST"));
    assert_eq!(pings[0].2, "");
    let body = &pings[1].2;
    assert!(
        body.starts_with("exit code 0\n2 new subscribers (News 2) in "),
        "{body}"
    );
}

#[test]
fn a_failed_run_pings_its_exit_code_and_message() {
    let (site, server) = (two_subscribers(), PingServer::answering(&[200]));
    site.sandbox.with(|world| world.revoke_everything());
    site.finish(run_with_pings(&site, &server, &[])).exits(77);
    assert_eq!(server.path_suffixes(), ["/start", "/fail"]);
    let body = &server.pings()[1].2;
    assert!(
        body.starts_with(
            "exit code 77
"
        ),
        "{body}"
    );
    assert!(
        body.contains("AWeber no longer accepts the refresh token"),
        "{body}"
    );
    assert!(
        body.contains("\n  safe: ") && body.contains("\n  next: aweber-sync authorize"),
        "{body}"
    );
    for secret in site.sandbox.with(|world| world.secrets()) {
        assert!(!body.contains(&secret), "{body}");
    }
}

#[test]
fn a_run_without_a_token_file_pings_its_failure() {
    let (site, server) = (two_subscribers(), PingServer::answering(&[200]));
    std::fs::remove_file(site.token_file()).unwrap();
    site.finish(run_with_pings(&site, &server, &[])).exits(78);
    assert_eq!(server.path_suffixes(), ["/start", "/fail"]);
}

#[test]
fn a_ping_is_tried_twice_and_never_fails_the_run() {
    let (site, once) = (two_subscribers(), PingServer::answering(&[500, 200]));
    site.finish(run_with_pings(&site, &once, &[])).exits(0);
    assert_eq!(once.path_suffixes(), ["/start", "/start", ""]);

    let never = PingServer::answering(&[404]);
    let done = site.finish(run_with_pings(&site, &never, &["-vv"]));
    done.exits(0);
    assert_eq!(never.path_suffixes(), ["/start", "/start", "", ""]);
    let warnings = done.stderr.matches("warning: ");
    assert_eq!(warnings.count(), 1, "{}", done.stderr);
    done.says("warning: the ping was answered with 404");
    assert_key_not_printed(&done);
}

#[test]
fn an_unreachable_ping_server_fails_no_run_and_its_key_stays_secret() {
    let site = two_subscribers();
    for scheme in ["http", "https"] {
        let url = format!("{}/{PING_KEY}", unreachable_url()).replace("http", scheme);
        for arguments in [&["run", "-vv"][..], &["run", "--log-format", "json", "-vv"]] {
            let mut command = site.command(arguments);
            command.env("AWEBER_SYNC_PING_URL", &url);
            let done = site.finish(command);
            done.case(&scheme).exits(0).says("the ping failed");
            assert_key_not_printed(&done);
        }
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_PING_URL", &url);
        let done = site.finish(command);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    }
}

#[test]
fn the_ping_url_can_come_from_a_file_and_an_invalid_one_is_rejected_without_printing_it() {
    let (site, server) = (two_subscribers(), PingServer::answering(&[200]));
    let file = site.path("ping-url");
    let with_file = |content: &str| {
        write_private(&file, content);
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_PING_URL_FILE", &file);
        site.finish(command)
    };
    let done = with_file(&format!("{}/\n", server.url()));
    done.exits(0);
    assert_eq!(server.path_suffixes(), ["/start", ""]);

    site.forget_requests();
    let done = with_file(&format!("ftp://127.0.0.1/{PING_KEY}"));
    done.exits(78).says("expected http or https");
    assert_key_not_printed(&done);
    std::fs::remove_file(&file).unwrap();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_PING_URL_FILE", &file);
    site.finish(command).exits(78).says(file.to_str().unwrap());
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_locked_out_run_and_a_dry_run_send_no_pings() {
    let (site, server) = (two_subscribers(), PingServer::answering(&[200]));
    site.finish(run_with_pings(&site, &server, &["--dry-run"]))
        .exits(0);
    let lock = File::create(site.state_dir().join("lock")).unwrap();
    lock.try_lock().unwrap();
    site.finish(run_with_pings(&site, &server, &[])).exits(75);
    assert!(server.pings().is_empty(), "{:?}", server.pings());
}

#[test]
fn a_ping_server_that_never_answers_delays_no_signal() {
    // During the start ping.
    let (site, silent) = (two_subscribers(), PingServer::answering(&[0]));
    let held = site.start(run_with_pings(&site, &silent, &[]));
    wait_until("a ping arrives", || !silent.pings().is_empty());
    let (done, took) = site.stop(held, Signal::TERM);
    done.exits(143);
    assert!(took < Duration::from_secs(1), "{took:?}");

    // During the final ping, after success or after a stop.
    for (statuses, pings, code) in [(&[200, 0][..], 2, 0), (&[200, 0], 1, 143)] {
        let server = PingServer::answering(statuses);
        if code == 143 {
            let never = FaultKind::Never { work_done: false };
            site.sandbox
                .with(|world| world.fault(Fault::on("/lists").answer(never)));
            site.forget_requests();
        }
        let held = site.start(run_with_pings(&site, &server, &[]));
        wait_until("a ping arrives", || server.pings().len() == pings);
        if code == 143 {
            wait_until("the lists are requested", || site.api_requests() == 1);
        }
        let (done, took) = site.stop(held, Signal::TERM);
        done.exits(code);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(server.pings().len(), 2);
        assert_key_not_printed(&done);
    }
}
