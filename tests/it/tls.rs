//! N5: over TLS a token goes only to servers with a trusted certificate; and the error names what to check, since a
//! retry does not help.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::support::tls::{Authority, Certificate, TlsProxy};
use crate::support::{Done, Site};
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The command with a private certification authority in `SSL_CERT_FILE`.
fn with_ca_file(site: &Site, authority: &Authority, mut command: Command) -> Command {
    let file = site.path("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    command.env("SSL_CERT_FILE", file);
    command
}

fn assert_distrusts(done: &Done, what: &str) {
    let done = done.case(&what);
    done.exits(69).does_not_say("if it passes");
    for words in [
        "certificate cannot be trusted",
        "safe: ",
        "next: check the clock",
        "ca-certificates",
        "SSL_CERT_FILE",
        "a proxy on the way",
    ] {
        done.says(words);
    }
}

/// Certificates that must not be trusted, with what is wrong.
fn untrusted_certificates(authority: &Authority) -> [(&'static str, Certificate); 3] {
    [
        ("expired", authority.certify("127.0.0.1", 2021)),
        (
            "of another host",
            authority.certify("auth.aweber.com", 2099),
        ),
        (
            "of an unknown authority",
            Authority::new("Mallory").certify("127.0.0.1", 2099),
        ),
    ]
}

#[test]
fn a_private_authority_in_ssl_cert_file_is_trusted() {
    let (site, authority) = (Site::new(), Authority::new("Test"));
    let proxies = [site.sandbox.api_url(), site.sandbox.auth_url()]
        .map(|origin| TlsProxy::to(&origin, authority.certify("127.0.0.1", 2099)));
    site.sandbox
        .with(|world| world.settings.link_origin = Some(proxies[0].url.clone()));
    site.add_list(150);
    let mut command = with_ca_file(&site, &authority, site.command(&["run"]));
    command
        .env("AWEBER_API_URL", &proxies[0].url)
        .env("AWEBER_AUTH_URL", &proxies[1].url);
    site.finish(command).exits(0);
    assert_eq!(site.rows().len(), 150);
    assert!(proxies.iter().all(|proxy| proxy.connections() > 0));
    assert!(site.token_is_live());
}

#[test]
fn the_ca_certificates_are_read_once_for_all_that_a_run_asks() {
    let (site, authority) = (Site::new(), Authority::new("Test"));
    let [api, auth, ping] = [
        site.sandbox.api_url(),
        site.sandbox.auth_url(),
        site.sandbox.api_url(),
    ]
    .map(|origin| TlsProxy::to(&origin, authority.certify("127.0.0.1", 2099)));
    site.sandbox
        .with(|world| world.settings.link_origin = Some(api.url.clone()));
    site.add_list(3);
    let pipe = site.path("ca.pem");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let readings = count_readings(&pipe, authority.pem);
    let mut command = site.command(&["run"]);
    command
        .env("SSL_CERT_FILE", &pipe)
        .env("AWEBER_API_URL", &api.url)
        .env("AWEBER_AUTH_URL", &auth.url)
        .env("AWEBER_SYNC_PING_URL", &ping.url);
    site.finish(command).exits(0);
    for proxy in [api, auth, ping] {
        assert!(proxy.connections() > 0);
    }
    assert_eq!(readings.load(Ordering::SeqCst), 1);
}

/// Writes `content` for each reader of the pipe, and counts them.
fn count_readings(pipe: &Path, content: String) -> Arc<AtomicUsize> {
    let readings = Arc::new(AtomicUsize::new(0));
    let (pipe, count) = (pipe.to_owned(), Arc::clone(&readings));
    let open = move |flags: OFlags| {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(flags.bits() as i32);
        options.open(&pipe)
    };
    std::thread::spawn(move || {
        // Waits for a reader; the last wait ends with the test process.
        while let Ok(mut writer) = open(OFlags::empty()) {
            count.fetch_add(1, Ordering::SeqCst);
            // A reader that has gone shows in the count.
            let _ = writer.write_all(content.as_bytes());
            drop(writer);
            // Fails once that reader has gone.
            while open(OFlags::NONBLOCK).is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    readings
}

#[test]
fn a_token_endpoint_with_an_untrusted_certificate_gets_no_token() {
    let authority = Authority::new("Test");
    for (what, certificate) in untrusted_certificates(&authority) {
        let site = Site::new();
        site.add_list(3);
        let before = site.token_bytes();
        let proxy = TlsProxy::to(&site.sandbox.auth_url(), certificate);
        let mut command = with_ca_file(&site, &authority, site.command(&["run"]));
        command.env("AWEBER_AUTH_URL", &proxy.url);
        let done = site.finish(command);
        assert_distrusts(&done, what);
        assert_eq!(proxy.connections(), 1, "{what}: trying again cannot help");
        assert_eq!(site.requests(), 0, "{what}");
        assert!(site.token_bytes() == before, "{what}");
        site.run_ok(&[]);
    }
}

#[test]
fn an_api_with_an_untrusted_certificate_gets_no_token() {
    let authority = Authority::new("Test");
    for (what, certificate) in untrusted_certificates(&authority) {
        let site = Site::new();
        site.add_list(3);
        let proxy = TlsProxy::to(&site.sandbox.api_url(), certificate);
        let mut command = with_ca_file(&site, &authority, site.command(&["run"]));
        command.env("AWEBER_API_URL", &proxy.url);
        let done = site.finish(command);
        assert_distrusts(&done, what);
        assert_eq!(site.api_requests(), 0, "{what}");
        assert!(site.token_is_live(), "{what}");
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 3);
    }
}

#[test]
fn authorize_sends_no_code_to_a_server_with_an_untrusted_certificate() {
    let authority = Authority::new("Test");
    for (what, certificate) in untrusted_certificates(&authority) {
        let site = Site::new();
        let before = site.token_bytes();
        let proxy = TlsProxy::to(&site.sandbox.auth_url(), certificate);
        let mut command = with_ca_file(&site, &authority, authorize(&site, &[]));
        command.env("AWEBER_AUTH_URL", &proxy.url);
        // The customer's browser does not check it.
        let plain = |url: &str| code_at(&url.replacen(&proxy.url, &site.sandbox.auth_url(), 1));
        let done = site.finish_with_answer(command, plain);
        assert_distrusts(&done, what);
        assert_eq!(site.token_requests(), 0, "{what}");
        assert!(site.token_bytes() == before, "{what}");
    }
}
