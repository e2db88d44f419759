//! The judge of OAuth 1.0a signatures is oauthlib, written by others: it judges the signing code, every request of the
//! program, and the sandbox.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::support::judge::{Judge, judge_command, request};
use crate::support::token::unix_now;
use crate::support::{Site, sorted, subscribed};
use aweber_sandbox::{Authorization, Fault, FaultKind, NewSubscriber, Origin, Settings, Status};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use signature::{Signer, Stamp};
use url::Url;

#[path = "../../src/api/signature.rs"]
mod signature;

fn signer(client: [&str; 2], token: [&str; 2]) -> Signer {
    Signer {
        consumer_key: client[0].to_owned(),
        consumer_secret: client[1].into(),
        token: Some((token[0].into(), token[1].into())),
    }
}

/// A random number below `limit`.
fn random(limit: usize) -> usize {
    let mut bytes = [0; 4];
    SystemRandom::new().fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes) as usize % limit
}

/// Up to 12 random characters, most of them troublesome.
fn random_text() -> String {
    const CHARACTERS: [&str; 38] = [
        "a", "Z", "0", "9", "-", ".", "_", "~", " ", "+", "%", "%20", "%2b", "&", "=", "?", "#",
        "/", "\\", ":", ";", ",", "\"", "'", "<", ">", "(", ")", "*", "!", "$", "@", "|", "[", "é",
        "名", "😀", "\u{301}",
    ];
    (0..random(12))
        .map(|_| CHARACTERS[random(CHARACTERS.len())])
        .collect()
}

/// `text` percent-encoded in one of the ways that are in use: upper or lower case, a blank as `+`, more than needed.
fn encoded(text: &str) -> String {
    let (is_lower, is_form, is_wordy) = (random(2) == 0, random(2) == 0, random(4) == 0);
    let encode = |byte: u8| match byte {
        b' ' if is_form => "+".to_owned(),
        _ if byte.is_ascii_alphanumeric() && !is_wordy => char::from(byte).to_string(),
        b'-' | b'.' | b'_' | b'~' | b'*' | b'!' if !is_wordy => char::from(byte).to_string(),
        _ if is_lower => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn random_url() -> Url {
    let host = [
        "https://api.aweber.com",
        "http://127.0.0.1:4711",
        "https://API.aweber.com:443",
    ];
    let mut url = format!("{}/1.0/accounts", host[random(host.len())]);
    for _ in 0..random(4) {
        url += &format!("/x{}", encoded(&random_text()));
    }
    let pairs: Vec<String> = (0..random(6))
        .map(|_| match random(5) {
            // Twice the same name; an empty value.
            0 => format!("ws.op={}", encoded(&random_text())),
            1 => format!("x{}=", encoded(&random_text())),
            _ => format!("x{}={}", encoded(&random_text()), encoded(&random_text())),
        })
        .collect();
    if !pairs.is_empty() {
        url += &format!("?{}", pairs.join("&"));
    }
    Url::parse(&url).unwrap()
}

#[test]
fn a_thousand_random_urls_and_keys_are_accepted() {
    let Some(judge) = Judge::start() else { return };
    let mut requests = Vec::new();
    for _ in 0..1000 {
        let [key, token] = [(); 2].map(|()| format!("k{}", random_text()));
        let [secret, token_secret] = [(); 2].map(|()| format!("s{}", random_text()));
        let (client, token) = ([&*key, &*secret], [&*token, &*token_secret]);
        let (url, method) = (random_url(), ["GET", "POST"][random(2)]);
        let signed = signer(client, token).sign(method, &url, &[], &Stamp::at(unix_now()));
        let header = signed.header.expose_secret();
        requests.push(request(method, url.as_str(), header, client, Some(token)));
    }
    for (verdict, request) in judge.verdicts(&requests).iter().zip(&requests) {
        assert_eq!(*verdict, None, "{request}");
    }
    let again = judge.verdicts(&requests[..1]);
    assert!(again[0].is_some(), "a replayed request");
}

#[test]
fn a_wrong_secret_a_replayed_nonce_an_old_timestamp_and_a_changed_query_are_refused() {
    let Some(judge) = Judge::start() else { return };
    let (client, token) = (["key", "secret"], ["token", "token secret"]);
    let url = "https://api.aweber.com/1.0/accounts/1/lists?name=a%20b&ws.op=find";
    let sign = |token: [&str; 2], stamp: &Stamp| {
        let signed = signer(client, token).sign("GET", &Url::parse(url).unwrap(), &[], stamp);
        signed.header.expose_secret().to_owned()
    };
    let judged = |url: &str, header: &str| {
        let request = request("GET", url, header, client, Some(token));
        judge.verdicts(&[request]).remove(0)
    };
    let stamp = Stamp::at(unix_now());
    assert_eq!(judged(url, &sign(token, &stamp)), None);
    assert!(
        judged(url, &sign(token, &stamp)).is_some(),
        "the same nonce"
    );
    let fresh = |age: i64| Stamp::at(unix_now() - age);
    assert_eq!(judged(url, &sign(token, &fresh(290))), None);
    for age in [310, -310] {
        assert!(judged(url, &sign(token, &fresh(age))).is_some(), "{age} s");
    }
    let wrong = sign(["token", "other"], &fresh(0));
    assert!(judged(url, &wrong).is_some(), "another token secret");
    for changed in [
        "name=a%20c&ws.op=find",
        "name=a%20b",
        "name=a%20b&ws.op=find&x=",
    ] {
        let changed = format!("https://api.aweber.com/1.0/accounts/1/lists?{changed}");
        assert!(
            judged(&changed, &sign(token, &fresh(0))).is_some(),
            "{changed}"
        );
    }
    // The same query, differently written.
    let same = "https://API.aweber.com:443/1.0/accounts/1/lists?ws.op=find&name=a+b";
    assert_eq!(judged(same, &sign(token, &fresh(0))), None);
}

/// The signed requests of a site as the judge takes them; `begun` is what `authorize --print-url` left.
fn recorded(site: &Site, begun: &Value, verifier: &str) -> Vec<Value> {
    let tokens = site.tokens();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_request = [&begun["state"], &begun["code_verifier"]];
    let of_access = [&tokens["access_token"], &tokens["access_token_secret"]];
    let client = [site.client_id(), site.client_secret().unwrap()];
    site.sandbox.with(|world| {
        let requests = world.requests.iter();
        let signed = requests.filter(|request| !request.path.ends_with("/oauth/authorize"));
        signed
            .map(|recorded| {
                let Authorization::Other(header) = &recorded.authorization else {
                    panic!("not signed in the header: {recorded:?}");
                };
                let origin = match recorded.origin {
                    Origin::Api => world.api_url(),
                    Origin::Auth => world.auth_url(),
                };
                let url = format!("{origin}{}", recorded.path_and_query);
                let token = match recorded.path.rsplit('/').next() {
                    Some("request_token") => None,
                    Some("access_token") => Some(of_request.map(text)),
                    _ => Some(of_access.map(text)),
                };
                let token = token.as_ref().map(|token| [&*token[0], &*token[1]]);
                let mut item = request(&recorded.method, &url, header, client, token);
                item["verifier"] = json!(verifier);
                item
            })
            .collect()
    })
}

#[test]
fn every_request_of_authorize_run_and_lists_is_accepted() {
    let Some(judge) = Judge::start() else { return };
    let site = Site::unauthorized_oauth1(Settings::default());
    let names = [
        "a&b=c",
        "50% *off*",
        "名前 + é",
        "\"q\" 'x' ~",
        "ws.op=find#?/",
    ];
    let lists: Vec<u64> = site.sandbox.with(|world| {
        let add = |name: &&str| {
            let list = world.add_list(name);
            world.add_subscribers(list, 120);
            let late = NewSubscriber::new("late+&@example.com").status(Status::Unconfirmed);
            world.add_subscriber(list, late);
            list
        };
        names.iter().map(add).collect()
    });
    let url = site
        .finish(authorize(&site, &["--oauth1", "--print-url"]))
        .stdout;
    let begun = std::fs::read(site.beside_token(".authorizing")).unwrap();
    let begun = serde_json::from_slice(&begun).unwrap();
    let verifier = code_at(url.trim());
    let done = site.finish(authorize(&site, &["--code", &verifier]));
    done.exits(0);
    // Failures that pass: each repetition is signed anew.
    site.sandbox.with(|world| {
        world.fault(Fault::on("/lists").times(2).answer(FaultKind::status(503)));
        world.fault(
            Fault::on("/subscribers")
                .times(1)
                .answer(FaultKind::rate_limit()),
        );
    });
    let chosen: Vec<&str> = names[..4]
        .iter()
        .flat_map(|name| ["--list", name])
        .collect();
    site.run_ok(&chosen);
    site.run_ok(&[
        "--since",
        "2020-02-29",
        "--status",
        "subscribed,unconfirmed,unsubscribed",
    ]);
    site.run_ok(&["--full"]);
    site.finish(site.command(&["lists"])).exits(0);

    let requests = recorded(&site, &begun, &verifier);
    assert!(requests.len() > 40, "{}", requests.len());
    for (verdict, request) in judge.verdicts(&requests).iter().zip(&requests) {
        assert_eq!(*verdict, None, "{request}");
    }
    let late = lists.iter().map(|_| "late+&@example.com".to_owned());
    let expected = sorted(subscribed(&site, &lists).into_iter().chain(late));
    assert_eq!(site.emails(), expected);
}

#[test]
fn oauthlibs_client_works_with_the_sandbox() {
    let Some(mut command) = judge_command() else {
        return;
    };
    let site = Site::unauthorized_oauth1(Settings::default());
    site.add_list(2);
    let account = site.sandbox.with(|world| world.account.id);
    let path = format!("/1.0/accounts/{account}/lists?ws.op=find&name=a%20b%2Bc%26%C3%A9");
    let output = command
        .args(["client", &site.sandbox.api_url(), &site.sandbox.auth_url()])
        .args([site.client_id(), site.client_secret().unwrap(), &path])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let pages = String::from_utf8_lossy(&output.stdout)
        .matches("entries")
        .count();
    assert_eq!(pages, 3);
}
