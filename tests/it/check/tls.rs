//! Over TLS, with the names of AWeber: in a network and mount namespace of its own, where /etc/hosts leads to this
//! machine and the ports are free. Without root or unshare this is skipped, and says so.

use super::{finding, odd, telling_site};
use crate::support::tls::{Authority, TlsProxy};
use aweber_sandbox::Settings;
use std::process::Command;

/// Set in the copy of this test that runs in the namespaces.
const INSIDE: &str = "AWEBER_TEST_INSIDE";

const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.2 api.aweber.com\n127.0.0.3 auth.aweber.com\n";

/// Prepares the namespaces, then becomes the test.
const PREPARE: &str = "ip link set lo up && mount --bind \"$0\" /etc/hosts && exec \"$@\"";

#[test]
fn the_default_hosts_are_checked_over_tls() {
    if std::env::var_os(INSIDE).is_some() {
        return check_default_hosts();
    }
    let hosts = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(hosts.path(), HOSTS).unwrap();
    let prepare = |command: &mut Command| {
        command
            .args(["-n", "-m", "sh", "-c", PREPARE])
            .arg(hosts.path());
    };
    let mut trial = Command::new("unshare");
    prepare(&mut trial);
    if !trial
        .arg("true")
        .output()
        .is_ok_and(|done| done.status.success())
    {
        eprintln!("SKIPPED: the_default_hosts_are_checked_over_tls needs root, unshare and ip");
        return;
    }
    let mut inside = Command::new("unshare");
    prepare(&mut inside);
    let done = inside
        .arg(std::env::current_exe().unwrap())
        .args([
            "check::tls::the_default_hosts_are_checked_over_tls",
            "--exact",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

fn check_default_hosts() {
    let (site, _) = telling_site(Settings {
        link_origin: Some("https://api.aweber.com".into()),
        gzip: true,
        ..Settings::default()
    });
    let authority = Authority::new("Test");
    let (api, auth) = (site.sandbox.api_url(), site.sandbox.auth_url());
    TlsProxy::at(
        "127.0.0.2:443",
        &api,
        authority.certify("api.aweber.com", 2099),
    );
    TlsProxy::at(
        "127.0.0.3:443",
        &auth,
        authority.certify("auth.aweber.com", 2099),
    );
    let ca = site.path("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        command
            .env_remove("AWEBER_API_URL")
            .env_remove("AWEBER_AUTH_URL")
            .env("SSL_CERT_FILE", &ca);
        site.finish(command)
    };
    let done = run(&["check", "--refresh", "--json"]);
    done.exits(0).is_silent();
    for (id, host) in [
        ("api", "api.aweber.com: TLS 1.3 in "),
        ("auth", "auth.aweber.com: TLS 1.3 in "),
    ] {
        let text = finding(&done, id);
        assert!(text.contains(host) && text.contains(" days"), "{done}");
    }
    assert!(finding(&done, "request").contains("gzip"), "{done}");
    assert!(odd(&done).is_empty(), "{done}");
    run(&["run"]).exits(0);
    run(&["check", "--probe-rotation", "--yes"]).exits(0);

    // A certificate of another authority: nothing is sent, and the version of TLS is still shown.
    let other = site.path("other.pem");
    std::fs::write(&other, Authority::new("Other").pem).unwrap();
    let mut command = site.command(&["check"]);
    command
        .env_remove("AWEBER_API_URL")
        .env_remove("AWEBER_AUTH_URL")
        .env("SSL_CERT_FILE", &other);
    site.forget_requests();
    let done = site.finish(command);
    done.exits(69)
        .prints("TLS 1.3")
        .prints("certificate cannot be trusted");
    assert_eq!(site.requests(), 0, "{done}");
}
