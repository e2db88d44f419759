//! N5: the configuration is private too: files with a secret that others can read or write, plain http to elsewhere, and
//! passwords in URLs.

use crate::support::authorization::unauthorized;
use crate::support::disk::{NOBODY, is_root};
use crate::support::ping_server::PingServer;
use crate::support::process::in_mount_namespace;
use crate::support::{Done, Site, set_mode, write_private};
use aweber_sandbox::{ClientKind, Settings};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

/// The variables that name a file with a secret.
const VARIABLES: [&str; 2] = ["AWEBER_CLIENT_SECRET_FILE", "AWEBER_SYNC_PING_URL_FILE"];

/// A site whose token file has no secret, and a file with the secret or the ping URL.
fn with_file(variable: &str) -> (Site, PathBuf, PingServer) {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    let mut tokens = site.tokens();
    tokens.as_object_mut().unwrap().remove("client_secret");
    site.write_token_file(&tokens);
    let server = PingServer::answering(&[200]);
    let file = site.path("secret");
    let content = match variable {
        "AWEBER_CLIENT_SECRET_FILE" => site.client_secret().unwrap().to_owned(),
        _ => server.url(),
    };
    write_private(&file, &content);
    (site, file, server)
}

fn command(site: &Site, variable: &str, file: &str) -> Command {
    let mut command = site.command(&["run"]);
    if variable == "AWEBER_SYNC_PING_URL_FILE" {
        command.env("AWEBER_CLIENT_SECRET", site.client_secret().unwrap());
    }
    command.env(variable, file);
    command
}

#[test]
fn a_file_with_a_secret_that_others_can_read_or_write_is_refused() {
    for variable in VARIABLES {
        let (site, file, _server) = with_file(variable);
        let run = || site.finish(command(&site, variable, file.to_str().unwrap()));
        for (mode, says) in [
            (0o666, "other users can change the file with the "),
            (0o660, "other users can change the file with the "),
            (0o602, "other users can change the file with the "),
            (0o644, "other users can read the file with the "),
            (0o640, "other users can read the file with the "),
        ] {
            set_mode(&file, mode);
            let done = run();
            done.case(&format_args!("{variable} {mode:o}"))
                .exits(78)
                .says(says)
                .says_safe("it was not used")
                .says(&format!("chmod 600 '{}'", file.display()));
            assert_eq!(site.requests(), 0, "{done}");
        }
        for mode in [0o600, 0o400] {
            set_mode(&file, mode);
            run().case(&format_args!("{variable} {mode:o}")).exits(0);
        }
    }
}

#[test]
fn a_file_with_a_secret_can_be_roots_for_a_group_but_no_other_users() {
    if !is_root() {
        return;
    }
    for variable in VARIABLES {
        let (site, file, _server) = with_file(variable);
        chown(&file, Some(NOBODY), None).unwrap();
        let done = site.finish(command(&site, variable, file.to_str().unwrap()));
        done.case(&variable)
            .exits(78)
            .says("another user (65534) can change");

        // As in /etc: root's, for the group of the service.
        chown(&file, Some(0), Some(NOBODY)).unwrap();
        set_mode(&file, 0o640);
        set_mode(&site.path(""), 0o711);
        crate::support::disk::give_to_nobody(&site.state_dir());
        let run = command(&site, variable, file.to_str().unwrap());
        let done = site.finish(crate::support::disk::as_nobody(&run));
        done.case(&variable).exits(0);
        set_mode(&file, 0o644);
        let run = command(&site, variable, file.to_str().unwrap());
        site.finish(crate::support::disk::as_nobody(&run)).exits(78);
    }
}

#[test]
fn a_mounted_secret_is_used_whatever_its_owner_lets_others_read() {
    let docker = "mount -t tmpfs tmpfs /run && mkdir /run/secrets && cat \"$FILE\" >/run/secrets/it && chmod 444 /run/secrets/it";
    let kubernetes = "mkdir \"$FILE.d\" && mount -t tmpfs tmpfs \"$FILE.d\" && cat \"$FILE\" >\"$FILE.d/it\" && chmod 644 \
                      \"$FILE.d/it\" && mount -o remount,ro \"$FILE.d\"";
    for variable in VARIABLES {
        for (what, script, writable) in [
            ("Docker", docker, false),
            ("Kubernetes", kubernetes, false),
            ("a secret that others can write", docker, true),
        ] {
            let (site, file, _server) = with_file(variable);
            let at = match script == docker {
                true => "/run/secrets/it".to_owned(),
                false => format!("{}.d/it", file.display()),
            };
            let mut run = command(&site, variable, &at);
            run.env("FILE", &file);
            let change = if writable {
                "&& chmod 666 /run/secrets/it"
            } else {
                ""
            };
            let script = format!("{script} {change} && exec \"$@\"");
            let Some(run) = in_mount_namespace(&script, &run) else {
                return;
            };
            let code = if writable { 78 } else { 0 };
            site.finish(run)
                .case(&format_args!("{variable} {what}"))
                .exits(code);
        }
    }
}

#[test]
fn a_ping_over_plain_http_goes_to_this_machine_only_and_past_every_proxy() {
    let site = Site::new();
    site.add_list(1);
    let run = |url: &str| {
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_PING_URL", url);
        command
    };
    for url in [
        "http://hc-ping.example/secret-key",
        "http://localhost.example/secret-key",
        "http://192.0.2.1/secret-key",
        "http://user@127.0.0.1.example/secret-key",
    ] {
        let done = site.finish(run(url));
        done.case(&url).exits(78).says("plain http");
        assert!(!done.stderr.contains("secret-key"), "{done}");
        assert_eq!(site.requests(), 0, "{done}");
    }
    let server = PingServer::answering(&[200]);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let mut command = run(&server.url());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, format!("http://{}", proxy.local_addr().unwrap()));
    }
    site.finish(command).exits(0);
    assert_eq!(server.path_suffixes(), ["/start", ""]);
    assert!(proxy.accept().is_err(), "the proxy saw the ping");
}

#[test]
fn a_password_in_a_url_is_printed_nowhere() {
    let site = Site::new();
    for option in ["--api-url", "--auth-url"] {
        for url in [
            "https://user:p4ssw0rd@api.aweber.com",
            "https://user:p4ssw0rd@api.aweber.com:port",
            "http://user:p4ssw0rd@api.aweber.com",
            "https://user:p4ssw0rd@",
        ] {
            for arguments in [
                &["run", "-vv", option, url][..],
                &["lists", "--log-format", "json", option, url],
                &["authorize", option, url],
            ] {
                let done: Done = site.finish(site.command(arguments));
                done.case(&url).exits(78);
                let said = format!("{}{}", done.stdout, done.stderr);
                assert!(!said.contains("p4ssw0rd"), "{done}");
            }
        }
    }
}

#[test]
fn importing_credentials_that_others_can_read_is_warned_about() {
    for (mode, warns) in [(0o644, true), (0o620, true), (0o600, false)] {
        let site = unauthorized(ClientKind::Public);
        let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
        let file = site.path("credentials.json");
        let content = serde_json::json!({
            "refresh_token": tokens.refresh_token,
            "client_id": site.client_id(),
        });
        write_private(&file, &content.to_string());
        set_mode(&file, mode);
        let arguments = ["authorize", "--import", file.to_str().unwrap()];
        let done = site.finish(site.command(&arguments));
        done.case(&format_args!("{mode:o}")).exits(0);
        let warned = done.stderr.contains("other users can read or change");
        assert_eq!(warned, warns, "{done}");
    }
}
