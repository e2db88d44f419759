//! N5: tokens go to the configured hosts only, whatever an answer, a link or the environment says.

use crate::support::process::behind_script;
use crate::support::token::nobodys_url;
use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Sandbox, Settings};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Listens where nobody may come.
struct Trap(TcpListener);

impl Trap {
    fn new(address: &str) -> Trap {
        let listener = TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Trap(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection is accepted by the kernel even if nobody calls accept: it would be seen here.
    fn assert_empty(&self, what: &str) {
        match self.0.accept() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            other => panic!("{what}: somebody came: {other:?}"),
        }
    }
}

/// Another AWeber, which nobody has asked for.
fn elsewhere() -> Sandbox {
    Sandbox::start()
}

fn assert_untouched(elsewhere: &Sandbox, what: &str) {
    let asked = elsewhere.with(|world| world.requests.len());
    assert_eq!(asked, 0, "{what}: the other host was asked");
}

#[test]
fn a_redirect_of_the_token_endpoint_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (site, elsewhere) = (Site::new(), elsewhere());
        site.run_ok(&[]);
        let before = site.token_bytes();
        let redirect = FaultKind::Redirect {
            status,
            location: format!("{}/oauth2/token", elsewhere.auth_url()),
        };
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/token").always().answer(redirect)));
        site.run(&[]).case(&status).exits(69);
        assert_untouched(&elsewhere, "token endpoint");
        assert!(site.token_bytes() == before, "{status}");
    }
}

#[test]
fn a_redirect_of_the_api_is_not_followed() {
    for path in ["/lists?", "/subscribers"] {
        for status in [301, 302, 307, 308] {
            let (site, elsewhere) = (Site::new(), elsewhere());
            site.add_list(3);
            let redirect = FaultKind::Redirect {
                status,
                location: format!("{}/1.0/accounts", elsewhere.api_url()),
            };
            site.sandbox
                .with(|world| world.fault(Fault::on(path).always().answer(redirect)));
            site.run(&[])
                .case(&format_args!("{path} {status}"))
                .exits(69);
            assert_untouched(&elsewhere, path);
            assert_eq!(site.files().len(), 0);
        }
    }
}

#[test]
fn a_redirect_to_the_same_host_is_not_followed_either() {
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
fn a_next_collection_link_to_another_host_is_refused() {
    let (site, elsewhere) = (Site::new(), elsewhere());
    site.add_list(250);
    site.sandbox
        .with(|world| world.settings.link_origin = Some(elsewhere.api_url()));
    site.run(&[]).exits(69);
    assert_untouched(&elsewhere, "next link");
    assert!(site.token_is_live());

    site.sandbox.with(|world| world.settings.link_origin = None);
    site.run_ok(&[]);
    assert_eq!(site.rows().len(), 250);
}

#[test]
fn a_next_collection_link_to_the_right_name_on_another_port_or_with_a_user_is_refused() {
    let elsewhere = elsewhere();
    let other_port = elsewhere.api_url();
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
        assert_untouched(&elsewhere, &origin);
    }
}

#[test]
fn a_next_collection_link_to_another_name_for_the_same_port_is_refused() {
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
fn plain_http_to_a_host_that_is_not_loopback_is_refused_before_a_byte_is_sent() {
    // 0.0.0.0 leads here on Linux, but it is no loopback address.
    let trap = Trap::new("0.0.0.0");
    for host in [
        format!("0.0.0.0:{}", trap.port()),
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
    trap.assert_empty("plain http");
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
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
fn a_proxy_never_sees_what_goes_to_loopback() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let trap = Trap::new("127.0.0.1");
        let proxy = format!("http://127.0.0.1:{}", trap.port());
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
        trap.assert_empty("proxy");
    }
}

fn without_certificates(command: &mut Command, empty: &Path) {
    std::fs::create_dir_all(empty).unwrap();
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", empty);
}

#[test]
fn without_ca_certificates_nothing_is_spent() {
    // Only one of the two hosts needs certificates: the other would be asked first.
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
        command.env(variable, nobodys_url().replace("http://", "https://"));
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
fn an_answer_of_any_size_is_bounded() {
    for kind in [FaultKind::HugeBody(40 << 20), FaultKind::GzipBomb(40 << 20)] {
        let site = Site::new();
        let list = site.add_list(3);
        site.sandbox
            .with(|world| world.fault(Fault::on("/subscribers").answer(kind.clone())));
        // Not even the address space for the whole answer.
        let script = "ulimit -v 200000 && exec \"$@\"";
        site.finish(behind_script(script, &site.command(&["run", "-v"])))
            .case(&format_args!("{kind:?}"))
            .exits(0)
            .says("larger than");
        assert_eq!(site.emails(), subscribed(&site, &[list]));
    }
}
