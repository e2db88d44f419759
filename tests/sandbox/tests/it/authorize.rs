//! The authorization page.

use aweber_sandbox::{ClientKind, Sandbox};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::{Reply, query, send};

pub const OOB: &str = "urn:ietf:wg:oauth:2.0:oob";
pub const SECRET: &str = "obviously-fake-sandbox-secret";
pub const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789";
const SCOPES: &str = "account.read list.read subscriber.read";
const INVALID_SCOPE: &str =
    "400 invalid_scope: The requested scope is missing, unknown or malformed";

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(
        &ring::digest::SHA256,
        VERIFIER.as_bytes(),
    ))
}

pub fn authorize(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Reply {
    let challenge = challenge();
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "public-client"),
        ("redirect_uri", OOB),
        ("scope", SCOPES),
        ("state", "s t&1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (key, value) in changes {
        pairs.retain(|(own, _)| own != key);
        if !value.is_empty() {
            pairs.push((key, value));
        }
    }
    send(
        "GET",
        &format!("{}/oauth2/authorize?{}", sandbox.auth_url(), query(&pairs)),
        &[],
        "",
    )
}

pub const CONFIDENTIAL: [(&str, &str); 3] = [
    ("client_id", "confidential-client"),
    ("code_challenge", ""),
    ("code_challenge_method", ""),
];

pub fn code_on_page(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = reply.text();
    page.split("id=\"code\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn the_authorization_page_rejects_what_aweber_rejects() {
    let sandbox = Sandbox::start();
    let verifier_as_challenge = format!("code_challenge={VERIFIER}");
    // Changes of a valid request, and the error.
    let table = [
        ("client_id=nobody", "401 invalid_client: Unknown client"),
        ("client_id=", "401 invalid_client: Unknown client"),
        ("redirect_uri=", "400 invalid_request: Invalid redirect URI"),
        (
            "redirect_uri=https://localhost/",
            "400 invalid_request: Invalid redirect URI",
        ),
        (
            "code_challenge=&code_challenge_method=",
            "400 invalid_request: Public Client MUST Use PKCE",
        ),
        (
            "code_challenge_method=plain",
            "400 invalid_request: code_challenge_method must be S256",
        ),
        (
            &verifier_as_challenge,
            "400 invalid_request: code_challenge must be the base64url form of a SHA-256",
        ),
        (
            "client_id=confidential-client",
            "400 invalid_request: Confidential Client MUST NOT Use PKCE",
        ),
        (
            "response_type=token",
            "400 unsupported_response_type: response_type must be code",
        ),
        ("scope=", INVALID_SCOPE),
        ("scope=account.read,list.read", INVALID_SCOPE),
        ("scope=everything", INVALID_SCOPE),
    ];
    for (changes, error) in table {
        let pairs = changes.split('&').filter_map(|pair| pair.split_once('='));
        let reply = authorize(&sandbox, &pairs.collect::<Vec<_>>());
        assert_eq!(reply.failure_with_message(), error, "{changes}");
    }
    sandbox.with(|world| world.settings.customer_refuses = true);
    assert_eq!(authorize(&sandbox, &[]).error(), "access_denied");
}

#[test]
fn a_registered_redirect_uri_receives_code_or_error_with_the_state() {
    let sandbox = Sandbox::start();
    let client = sandbox
        .with(|world| world.add_client(ClientKind::Public, ["http://localhost:3000/callback?x=1"]));
    let changes = [
        ("client_id", client.client_id.as_str()),
        ("redirect_uri", "http://localhost:3000/callback?x=1"),
    ];
    let reply = authorize(&sandbox, &changes);
    assert_eq!(reply.status, 302);
    let target = reply.header("location").unwrap();
    assert!(
        target.starts_with("http://localhost:3000/callback?x=1&state=s+t%261&code=CODE-"),
        "{target}"
    );
    let refused = authorize(&sandbox, &[&changes[..], &[("scope", "x")]].concat());
    let target = refused.header("location").unwrap();
    assert!(
        target.starts_with(
            "http://localhost:3000/callback?x=1&state=s+t%261&error=invalid_scope&error_desc"
        ),
        "{target}"
    );
}
