//! N5: secrets appear in no output, no process list and no file except the token file, and are not copied from where
//! they are configured. (The harness searches every output of every test as well.)

use crate::support::authorization::{assert_connected, authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::process::{send_signal, through_shell};
use crate::support::{Site, files_below, write_private};
use aweber_sandbox::{Authorization, ClientKind, Fault, FaultKind, Settings};
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

/// Files with a secret of the sandbox, except the token file and those beside it.
fn leaks(site: &Site) -> Vec<String> {
    let secrets = site.sandbox.with(|world| world.secrets());
    let mut leaks = Vec::new();
    for file in files_below(&site.path("")) {
        if file.to_string_lossy().contains("token.json") {
            continue;
        }
        let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        if secrets.iter().any(|secret| content.contains(secret)) {
            leaks.push(file.display().to_string());
        }
    }
    leaks
}

/// Faults of all kinds, with the path they affect.
fn faults() -> Vec<(&'static str, FaultKind)> {
    vec![
        ("/oauth2/token", FaultKind::html(503)),
        ("/oauth2/token", FaultKind::ResetAfter),
        ("/oauth2/token", FaultKind::HalfBody),
        (
            "/oauth2/token",
            FaultKind::replace(|answer| json!([answer])),
        ),
        (
            "/oauth2/token",
            FaultKind::envelope_b(400, "invalid_grant", "Token is dead"),
        ),
        (
            "/oauth2/token",
            FaultKind::envelope_b(401, "invalid_client", "Who are you"),
        ),
        ("/oauth2/token", FaultKind::rate_limit()),
        (
            "/1.0/",
            FaultKind::envelope_b(401, "invalid_token", "The access token is invalid"),
        ),
        (
            "/1.0/",
            FaultKind::envelope_a(403, "ForbiddenError", "Missing scope"),
        ),
        ("/1.0/", FaultKind::HalfBody),
        ("/1.0/", FaultKind::html(200)),
        ("/1.0/", FaultKind::ResetBefore),
        ("/subscribers", FaultKind::EmptyPage),
    ]
}

#[test]
fn the_most_verbose_run_prints_no_secret() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        site.add_list(120);
        let mut command = site.command(&["run", "-vv"]);
        command
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        // `finish` searches the output for every secret.
        site.finish(command).exits(0).says("/subscribers");
        assert_eq!(leaks(&site), Vec::<String>::new());
    }
}

#[test]
fn the_most_verbose_failure_prints_no_secret() {
    for (on, kind) in faults() {
        let site = Site::with(ClientKind::Confidential, Settings::default());
        site.add_list(120);
        site.sandbox
            .with(|world| world.fault(Fault::on(on).always().answer(kind.clone())));
        let mut command = site.command(&["run", "-vv"]);
        command.env("RUST_BACKTRACE", "full");
        let done = site.finish(command);
        assert_ne!(done.stderr, "", "{on} {kind:?}");
        assert_eq!(leaks(&site), Vec::<String>::new(), "{on} {kind:?}");
    }
}

#[test]
fn the_most_verbose_authorize_prints_no_secret() {
    let kinds = [ClientKind::Public, ClientKind::Confidential];
    let fails = [("none", FaultKind::ResetBefore)]
        .into_iter()
        .chain(faults());
    for (kind, (on, fault)) in kinds.into_iter().cycle().zip(fails) {
        let site = unauthorized(kind);
        site.sandbox
            .with(|world| world.fault(Fault::on(on).always().answer(fault.clone())));
        let mut command = authorize(&site, &["-vv"]);
        command.env("RUST_BACKTRACE", "full");
        site.finish_with_answer(command, code_at);
        // The next command must not print what was left either.
        site.finish(site.command(&["authorize", "-vv"]));
        assert_eq!(leaks(&site), Vec::<String>::new(), "{on} {fault:?}");
    }
}

#[test]
fn secrets_echoed_in_server_errors_are_redacted() {
    for (on, status) in [
        ("/oauth2/token", 400),
        ("/oauth2/token", 500),
        ("/1.0/", 400),
        ("/1.0/", 500),
    ] {
        for envelope in ["a", "b"] {
            let site = Site::with(ClientKind::Confidential, Settings::default());
            let tokens = site.tokens();
            let message = format!(
                "cannot use {} and {} of {}",
                tokens["access_token"].as_str().unwrap(),
                tokens["refresh_token"].as_str().unwrap(),
                site.client_secret().unwrap()
            );
            let kind = match envelope {
                "a" => FaultKind::envelope_a(status, "BadRequestError", &message),
                _ => FaultKind::envelope_b(status, "invalid_request", &message),
            };
            site.sandbox
                .with(|world| world.fault(Fault::on(on).always().answer(kind)));
            site.finish(site.command(&["run", "-vv"])).fails();
            assert_eq!(leaks(&site), Vec::<String>::new(), "{on} {status}");
        }
    }
}

#[test]
fn the_process_list_shows_no_secret() {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    let delay = FaultKind::DelayBefore(Duration::from_millis(300));
    site.sandbox.with(|world| {
        world.fault(Fault::on("/oauth2/token").answer(delay.clone()));
        world.fault(Fault::on("/1.0/").answer(delay));
    });
    let mut command = site.command(&["run"]);
    command.env("AWEBER_CLIENT_SECRET", site.client_secret().unwrap());
    let child = command.spawn().unwrap();
    for path in ["/oauth2/token", "/1.0/"] {
        let arrived = site
            .sandbox
            .wait_until(Duration::from_secs(10), |world| world.count(path) == 1);
        assert!(arrived, "{path}");
        let shown = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        let shown = String::from_utf8_lossy(&shown).replace('\0', " ");
        assert!(shown.contains("run"), "{shown}");
        for secret in site.sandbox.with(|world| world.secrets()) {
            assert!(!shown.contains(&secret), "{shown}");
        }
    }
    site.wait(child).exits(0);
}

/// A way to configure the client secret: a label, and a change of a command.
type Way = (&'static str, fn(&Site, &mut Command));

const FILE_WAYS: [Way; 2] = [
    ("a file named by a variable", |site, command| {
        let secret = format!("  {}\r\n", site.client_secret().unwrap());
        write_private(&site.path("docker-secret"), &secret);
        command.env("AWEBER_CLIENT_SECRET_FILE", site.path("docker-secret"));
    }),
    ("systemd's credentials directory", |site, command| {
        std::fs::create_dir_all(site.path("credentials")).unwrap();
        let secret = site.client_secret().unwrap();
        write_private(&site.path("credentials/client_secret"), secret);
        command.env("CREDENTIALS_DIRECTORY", site.path("credentials"));
    }),
];

#[test]
fn a_secret_from_a_file_is_not_copied_into_the_token_file() {
    for (what, configure) in FILE_WAYS {
        let site = unauthorized(ClientKind::Confidential);
        let mut command = site.command(&["authorize", "--client-id", site.client_id()]);
        configure(&site, &mut command);
        let done = site.finish_with_answer(command, code_at);
        done.case(&what).exits(0);

        for _ in 0..2 {
            let mut command = site.command(&["run"]);
            configure(&site, &mut command);
            site.finish(command).case(&what).exits(0);
            assert!(site.tokens().get("client_secret").is_none(), "{what}");
        }
        site.sandbox.with(|world| {
            for request in world.token_requests() {
                assert!(
                    matches!(request.authorization, Authorization::Basic { .. }),
                    "{what}"
                );
                assert_eq!(request.field("client_secret"), None);
            }
        });
        // It is in no other file of the state directory either.
        let secret = site.client_secret().unwrap();
        for file in files_below(&site.state_dir()) {
            let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
            assert!(!content.contains(secret), "{what}: {}", file.display());
        }
    }
}

#[test]
fn a_stored_secret_leaves_the_token_file_once_it_comes_from_a_file() {
    for (what, configure) in FILE_WAYS {
        let site = Site::with(ClientKind::Confidential, Settings::default());
        let secret = site.client_secret().unwrap();
        assert_eq!(site.tokens()["client_secret"], json!(secret), "{what}");
        let mut command = site.command(&["run"]);
        configure(&site, &mut command);
        site.finish(command).case(&what).exits(0);
        for file in files_below(&site.state_dir()) {
            let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
            assert!(!content.contains(secret), "{what}: {}", file.display());
        }
    }
}

#[test]
fn a_secret_from_a_variable_is_saved_in_the_token_file_for_cron() {
    let site = unauthorized(ClientKind::Confidential);
    let done = site.finish_with_answer(authorize(&site, &[]), code_at);
    assert_eq!(site.tokens()["client_secret"], json!(site.client_secret()));
    assert_connected(&site, &done);
}

#[test]
fn a_configured_secret_overrides_the_one_in_the_token_file() {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    let mut file = site.tokens();
    file["client_secret"] = json!("the-one-before-it-was-renewed");
    site.write_token_file(&file);
    let mut command = site.command(&["run"]);
    command.env("AWEBER_CLIENT_SECRET", site.client_secret().unwrap());
    site.finish(command).exits(0);
}

#[test]
fn a_missing_or_empty_secret_file_is_named_before_any_request() {
    for content in [None, Some(""), Some(" \n")] {
        for arguments in [&["run"][..], &["authorize", "--print-url"]] {
            let site = Site::with(ClientKind::Confidential, Settings::default());
            let file = site.path("docker-secret");
            if let Some(content) = content {
                write_private(&file, content);
            }
            let mut command = site.command(arguments);
            command.env("AWEBER_CLIENT_SECRET_FILE", &file);
            site.finish(command).exits(78).says(file.to_str().unwrap());
            assert_eq!(site.requests(), 0);
        }
    }
}

#[test]
fn a_credentials_directory_without_a_client_secret_means_a_public_client() {
    let site = Site::new();
    std::fs::create_dir(site.path("credentials")).unwrap();
    std::fs::write(site.path("credentials/ping_url"), "another credential").unwrap();
    let mut command = site.command(&["run"]);
    command.env("CREDENTIALS_DIRECTORY", site.path("credentials"));
    site.finish(command).exits(0);
}

#[test]
fn no_option_accepts_a_secret() {
    let site = Site::new();
    for option in [
        "--client-secret",
        "--refresh-token",
        "--access-token",
        "--token",
    ] {
        for command in ["run", "authorize"] {
            site.finish(site.command(&[command, option, "s3cret"]))
                .exits(2);
        }
    }
}

#[test]
fn a_crash_dumps_no_core() {
    let script = "ulimit -c unlimited 2>/dev/null; exec \"$@\"";
    // Does any program dump core here?
    let plain = Command::new("sh")
        .args(["-c", "ulimit -c unlimited; kill -s ABRT $$"])
        .current_dir(tempfile::tempdir().unwrap().path())
        .status();
    if !plain.unwrap().core_dumped() {
        crate::support::interrupt::skipped("no program dumps core here");
        return;
    }
    let site = Site::new();
    site.add_list(3);
    let never = FaultKind::Never { work_done: false };
    site.sandbox
        .with(|world| world.fault(Fault::on("/lists").answer(never)));
    let mut child = through_shell(script, &site.command(&["run"]))
        .spawn()
        .unwrap();
    let arrived = site
        .sandbox
        .wait_until(Duration::from_secs(20), |world| world.count("/lists") == 1);
    assert!(arrived);
    send_signal(&child, "ABRT");
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(6));
    assert!(
        !ended.core_dumped(),
        "the memory was dumped, tokens included"
    );
}
