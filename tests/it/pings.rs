//! Pings in the manner of Healthchecks, told to a real HTTP server: they say how the run went, and never hold it up.

use crate::support::checker::{Checker, PING_KEY};
use crate::support::killing::wait_until;
use crate::support::token::nobodys_url;
use crate::support::{Done, Site};
use aweber_sandbox::{Fault, FaultKind};
use rustix::process::Signal;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

fn pinging(site: &Site, checker: &Checker, arguments: &[&str]) -> Command {
    let mut command = site.command(&[&["run"], arguments].concat());
    command.env("AWEBER_SYNC_PING_URL", checker.url());
    command
}

fn assert_kept_secret(done: &Done) {
    for said in [&done.stdout, &done.stderr] {
        assert!(!said.contains(PING_KEY), "{said}");
    }
}

fn two_readers() -> Site {
    let site = Site::new();
    site.add_list(2);
    site
}

#[test]
fn a_run_tells_of_its_start_and_of_its_success() {
    let (site, checker) = (two_readers(), Checker::answering(&[200]));
    let done = site.finish(pinging(&site, &checker, &[]));
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done}");
    let told = checker.told();
    assert_eq!(checker.ends(), ["/start", ""]);
    assert!(told.iter().all(|(method, ..)| method == "POST"));
    assert_eq!(told[0].2, "");
    let body = &told[1].2;
    assert!(
        body.starts_with("exit code 0\n2 new subscribers (News 2) in "),
        "{body}"
    );
}

#[test]
fn a_run_that_fails_tells_of_its_exit_code_and_why() {
    let (site, checker) = (two_readers(), Checker::answering(&[200]));
    site.sandbox.with(|world| world.revoke_everything());
    site.finish(pinging(&site, &checker, &[])).exits(77);
    assert_eq!(checker.ends(), ["/start", "/fail"]);
    let body = &checker.told()[1].2;
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
fn a_run_without_a_token_file_tells_of_its_failure_too() {
    let (site, checker) = (two_readers(), Checker::answering(&[200]));
    std::fs::remove_file(site.token_file()).unwrap();
    site.finish(pinging(&site, &checker, &[])).exits(78);
    assert_eq!(checker.ends(), ["/start", "/fail"]);
}

#[test]
fn a_ping_is_tried_twice_and_never_fails_the_run() {
    let (site, once) = (two_readers(), Checker::answering(&[500, 200]));
    site.finish(pinging(&site, &once, &[])).exits(0);
    assert_eq!(once.ends(), ["/start", "/start", ""]);

    let never = Checker::answering(&[404]);
    let done = site.finish(pinging(&site, &never, &["-vv"]));
    done.exits(0);
    assert_eq!(never.ends(), ["/start", "/start", "", ""]);
    let warnings = done
        .stderr
        .matches("warning: the ping was answered with 404");
    assert_eq!(warnings.count(), 4, "{}", done.stderr);
    assert_kept_secret(&done);
}

#[test]
fn a_checker_that_is_not_there_fails_nothing_and_is_not_named() {
    let site = two_readers();
    for scheme in ["http", "https"] {
        let url = format!("{}/{PING_KEY}", nobodys_url()).replace("http", scheme);
        for arguments in [&["run", "-vv"][..], &["run", "--log-format", "json", "-vv"]] {
            let mut command = site.command(arguments);
            command.env("AWEBER_SYNC_PING_URL", &url);
            let done = site.finish(command);
            done.case(&scheme).exits(0).says("the ping failed");
            assert_kept_secret(&done);
        }
    }
}

#[test]
fn the_url_may_come_from_a_file_and_one_that_is_none_is_refused_without_showing_it() {
    let (site, checker) = (two_readers(), Checker::answering(&[200]));
    let file = site.path("ping-url");
    let with_file = |content: &str| {
        std::fs::write(&file, content).unwrap();
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_PING_URL_FILE", &file);
        site.finish(command)
    };
    let done = with_file(&format!("{}/\n", checker.url()));
    done.exits(0);
    assert_eq!(checker.ends(), ["/start", ""]);

    site.forget_requests();
    let done = with_file(&format!("ftp://127.0.0.1/{PING_KEY}"));
    done.exits(78).says("no http or https URL");
    assert_kept_secret(&done);
    std::fs::remove_file(&file).unwrap();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_PING_URL_FILE", &file);
    site.finish(command).exits(78).says(file.to_str().unwrap());
    assert_eq!(site.requests(), 0);
}

#[test]
fn neither_a_run_that_another_one_keeps_out_nor_a_dry_run_has_anything_to_tell() {
    let (site, checker) = (two_readers(), Checker::answering(&[200]));
    site.finish(pinging(&site, &checker, &["--dry-run"]))
        .exits(0);
    let lock = File::create(site.state_dir().join("lock")).unwrap();
    lock.try_lock().unwrap();
    site.finish(pinging(&site, &checker, &[])).exits(75);
    assert!(checker.told().is_empty(), "{:?}", checker.told());
}

#[test]
fn a_checker_that_never_answers_holds_up_no_signal() {
    // In the ping of the start.
    let (site, silent) = (two_readers(), Checker::answering(&[0]));
    let held = site.start(pinging(&site, &silent, &[]));
    wait_until("it is told", || !silent.told().is_empty());
    let (done, took) = site.stop(held, Signal::TERM);
    done.exits(143);
    assert!(took < Duration::from_secs(1), "{took:?}");

    // In the ping of the end, and in that of a stop.
    for (statuses, told, code) in [(&[200, 0][..], 2, 0), (&[200, 0], 1, 143)] {
        let checker = Checker::answering(statuses);
        if code == 143 {
            let never = FaultKind::Never { work_done: false };
            site.sandbox
                .with(|world| world.fault(Fault::on("/lists").answer(never)));
            site.forget_requests();
        }
        let held = site.start(pinging(&site, &checker, &[]));
        wait_until("it is told", || checker.told().len() == told);
        if code == 143 {
            wait_until("it asks for the lists", || site.api_requests() == 1);
        }
        let (done, took) = site.stop(held, Signal::TERM);
        done.exits(code);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(checker.told().len(), 2);
        assert_kept_secret(&done);
    }
}
