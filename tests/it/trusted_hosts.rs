//! N5: tokens go only to the configured hosts, whatever an answer, a link or the environment contains.

use crate::support::process::through_shell;
use crate::support::token::unreachable_url;
use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Sandbox, Settings};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// A listener that must not be contacted.
struct Listener(TcpListener);

impl Listener {
    fn new(address: &str) -> Listener {
        let listener = TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Listener(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The kernel completes a connection without accept, so a connection would be seen here.
    fn assert_not_contacted(&self, what: &str) {
        match self.0.accept() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            other => panic!("{what}: contacted: {other:?}"),
        }
    }
}

/// A second AWeber that must not be contacted.
fn foreign() -> Sandbox {
    Sandbox::start()
}

fn assert_not_contacted(foreign: &Sandbox, what: &str) {
    let requests = foreign.with(|world| world.requests.len());
    assert_eq!(requests, 0, "{what}: the other host was contacted");
}

#[test]
fn a_redirect_of_the_token_endpoint_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (site, foreign) = (Site::new(), foreign());
        site.run_ok(&[]);
        let before = site.token_bytes();
        let redirect = FaultKind::Redirect {
            status,
            location: format!("{}/oauth2/token", foreign.auth_url()),
        };
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").always().answer(redirect)));
        site.run(&[]).case(&status).exits(69);
        assert_not_contacted(&foreign, "token endpoint");
        assert!(site.token_bytes() == before, "{status}");
    }
}

#[test]
fn a_redirect_of_the_api_is_not_followed() {
    for path in ["/lists?", "/subscribers"] {
        for status in [301, 302, 307, 308] {
            let (site, foreign) = (Site::new(), foreign());
            site.add_list(3);
            let redirect = FaultKind::Redirect {
                status,
                location: format!("{}/1.0/accounts", foreign.api_url()),
            };
            site.sandbox
                .with(|world| world.fault(Fault::on(path).always().answer(redirect)));
            site.run(&[])
                .case(&format_args!("{path} {status}"))
                .exits(69);
            assert_not_contacted(&foreign, path);
            assert_eq!(site.files().len(), 0);
        }
    }
}

#[test]
fn a_redirect_to_the_same_host_is_not_followed() {
    let site = Site::new();
    site.add_list(3);
    let redirect = FaultKind::Redirect {
        status: 307,
        location: "/1.0/somewhere-else".to_owned(),
    };
    site.sandbox
        .with(|world| world.fault(Fault::on("/lists?").always().answer(redirect)));
    site.run(&[]).exits(69);
    assert_eq!(site.sandbox.with(|world| world.count("somewhere-else")), 0);
}

#[test]
fn a_next_link_to_another_host_is_rejected() {
    let (site, foreign) = (Site::new(), foreign());
    site.add_list(250);
    site.sandbox
        .with(|world| world.settings.link_origin = Some(foreign.api_url()));
    site.run(&[]).exits(69);
    assert_not_contacted(&foreign, "next link");
    assert!(site.token_is_live());

    site.sandbox.with(|world| world.settings.link_origin = None);
    site.run_ok(&[]);
    assert_eq!(site.rows().len(), 250);
}

#[test]
fn a_next_link_with_another_port_scheme_or_user_is_rejected() {
    let foreign = foreign();
    let other_port = foreign.api_url();
    let port = other_port.rsplit(':').next().unwrap().to_owned();
    for origin in [
        other_port.clone(),
        format!("//127.0.0.1:{port}"),
        format!("http://api.aweber.com@127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("HTTP://127.0.0.1:{port}"),
        format!("\\\\127.0.0.1:{port}"),
    ] {
        let site = Site::new();
        site.add_list(101);
        site.sandbox
            .with(|world| world.settings.link_origin = Some(origin.clone()));
        site.run(&[]).case(&origin).fails();
        assert_not_contacted(&foreign, &origin);
    }
}

#[test]
fn a_next_link_with_another_name_for_the_same_port_is_rejected() {
    let site = Site::new();
    site.add_list(101);
    let port = site
        .sandbox
        .api_url()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    for host in [
        "elsewhere.example",
        "localhost",
        "127.0.0.2",
        "127.0.0.1.elsewhere.example",
    ] {
        site.sandbox
            .with(|world| world.settings.link_origin = Some(format!("http://{host}:{port}")));
        let done = site.run(&[]);
        done.case(&host).exits(69);
        assert_eq!(site.rows().len(), 0, "{host}: {done}");
    }
}

#[test]
fn a_link_to_another_collection_of_the_same_host_is_not_followed() {
    let site = Site::new();
    site.add_list(101);
    let change = |mut page: serde_json::Value| {
        if let Some(link) = page.get_mut("next_collection_link") {
            let text = link.as_str().unwrap().replace("/lists/", "/another/");
            *link = text.into();
        }
        page
    };
    let fault = Fault::on("/subscribers")
        .always()
        .answer(FaultKind::replace(change));
    site.sandbox.with(|world| world.fault(fault));
    site.run(&[]).exits(69);
    assert_eq!(site.sandbox.with(|world| world.count("/another/")), 0);
}

#[test]
fn plain_http_to_a_host_other_than_loopback_is_refused_before_any_connection() {
    // On Linux 0.0.0.0 leads to this host, but it is not a loopback address.
    let listener = Listener::new("0.0.0.0");
    for host in [
        format!("0.0.0.0:{}", listener.port()),
        "api.aweber.com".to_owned(),
        "[::ffff:8.8.8.8]".to_owned(),
    ] {
        for variable in ["AWEBER_API_URL", "AWEBER_AUTH_URL"] {
            for command in ["run", "authorize"] {
                let site = Site::new();
                let before = site.token_bytes();
                let mut command = site.command(&[command]);
                command.env(variable, format!("http://{host}"));
                let done = site.finish(command);
                done.case(&host).exits(78).says("https");
                assert_eq!(site.requests(), 0, "{done}");
                assert!(site.token_bytes() == before);
            }
        }
    }
    listener.assert_not_contacted("plain http");
}

#[test]
fn a_url_with_a_password_is_refused_without_printing_it() {
    let site = Site::new();
    let mut command = site.command(&["run"]);
    let with_password = site
        .sandbox
        .api_url()
        .replace("http://", "http://user:pass-fake@");
    command.env("AWEBER_API_URL", with_password);
    site.finish(command).exits(78).does_not_say("pass-fake");
    assert_eq!(site.requests(), 0);
}

#[test]
fn requests_to_loopback_bypass_proxies() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let listener = Listener::new("127.0.0.1");
        let proxy = format!("http://127.0.0.1:{}", listener.port());
        let site = Site::with(kind, Settings::default());
        let list = site.add_list(3);
        let mut command = site.command(&["run"]);
        for name in [
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ] {
            command.env(name, &proxy);
        }
        site.finish(command).exits(0);
        assert_eq!(site.emails(), subscribed(&site, &[list]));
        listener.assert_not_contacted("proxy");
    }
}

fn without_certificates(command: &mut Command, empty: &Path) {
    std::fs::create_dir_all(empty).unwrap();
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", empty);
}

#[test]
fn without_ca_certificates_no_token_is_spent() {
    // Only one of the two hosts needs certificates: the other would be contacted first.
    for (variable, command) in [
        ("AWEBER_API_URL", &["run"][..]),
        ("AWEBER_AUTH_URL", &["run"]),
        ("AWEBER_API_URL", &["authorize", "--code", "some-code"]),
    ] {
        let site = Site::new();
        let before = site.token_bytes();
        site.finish(site.command(&["authorize", "--print-url"]));
        let mut command = site.command(command);
        without_certificates(&mut command, &site.path("no-certificates"));
        command.env(variable, unreachable_url().replace("http://", "https://"));
        let done = site.finish(command);
        done.case(&variable)
            .exits(78)
            .says("ca-certificates")
            .says("no token was spent");
        assert_eq!(site.requests(), 0, "{done}");
        assert!(site.token_bytes() == before);
    }
}

#[test]
fn loopback_needs_no_certificates() {
    let site = Site::new();
    let mut command = site.command(&["run"]);
    without_certificates(&mut command, &site.path("no-certificates"));
    site.finish(command).exits(0);
}

#[test]
fn the_size_of_an_answer_is_limited() {
    for kind in [FaultKind::HugeBody(40 << 20), FaultKind::GzipBomb(40 << 20)] {
        let site = Site::new();
        let list = site.add_list(3);
        site.sandbox
            .with(|world| world.fault(Fault::on("/subscribers").answer(kind.clone())));
        // The address space is too small for the whole answer.
        let script = "ulimit -v 200000 && exec \"$@\"";
        site.finish(through_shell(script, &site.command(&["run", "-v"])))
            .case(&format_args!("{kind:?}"))
            .exits(0)
            .says("larger than");
        assert_eq!(site.emails(), subscribed(&site, &[list]));
    }
}
