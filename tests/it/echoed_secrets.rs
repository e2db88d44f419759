//! N5: a server that repeats what it was sent puts no secret into an output, a ping, the metrics or the ledger, in whatever
//! encoding and at whatever endpoint.

use crate::support::is_whole;
use crate::support::ping_server::PingServer;
use crate::support::{Done, Site, files_below};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Settings};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use rusqlite::Connection;

/// A secret without a digit, which no rule about digits finds.
const WORDS: &str = "correct/horse+battery=staple";

fn percent(text: &str, upper: bool) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// A secret as a server may repeat it.
fn forms(client_id: &str, secret: &str) -> Vec<(&'static str, String)> {
    let pair = format!("{client_id}:{secret}");
    let bearer = format!("Bearer {secret}");
    let every = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let json = |text: &str| text.replace('/', "\\/");
    let unicode = |text: &str| {
        let escape = |c: char| format!("\\u{:04x}", u32::from(c));
        text.chars().map(escape).collect()
    };
    vec![
        ("plain", secret.to_owned()),
        ("bearer", bearer),
        ("percent, upper", percent(secret, true)),
        ("percent, lower", percent(secret, false)),
        ("percent, every byte", every(secret)),
        ("base64", STANDARD.encode(secret)),
        ("base64 without padding", STANDARD_NO_PAD.encode(secret)),
        ("base64url", URL_SAFE.encode(secret)),
        ("base64 of the pair", STANDARD.encode(&pair)),
        ("base64url of the pair", URL_SAFE_NO_PAD.encode(&pair)),
        (
            "base64 of the pair in percent",
            percent(&STANDARD.encode(&pair), true),
        ),
        ("JSON", json(secret)),
        ("JSON, every character", unicode(secret)),
        (
            "hexadecimal",
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ),
    ]
}

/// The endpoints, with commands that use them.
const ENDPOINTS: [(&str, &[&str]); 7] = [
    ("/oauth2/token", &["run", "-vv"]),
    ("/oauth2/token", &["lists", "-vv", "--log-format", "json"]),
    ("/lists", &["run", "-vv", "--log-format", "json"]),
    ("/subscribers", &["run", "-vv"]),
    ("/subscribers", &["run"]),
    ("/1.0/accounts", &["authorize", "-vv"]),
    ("/oauth2/revoke", &["revoke", "-vv"]),
];

/// A site whose client secret has no digit, and its secrets.
fn site_and_secrets() -> (Site, Vec<String>) {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    site.add_list(3);
    site.sandbox
        .with(|world| world.set_client_secret(site.client_id(), WORDS));
    let mut tokens = site.tokens();
    tokens["client_secret"] = WORDS.into();
    site.write_token_file(&tokens);
    let secrets = ["access_token", "refresh_token", "client_secret"]
        .iter()
        .map(|key| tokens[*key].as_str().unwrap().to_owned())
        .collect();
    (site, secrets)
}

/// All that was said and stored, but for the token file and what belongs to it.
fn everything(site: &Site, done: &Done, server: &PingServer) -> Vec<(String, String)> {
    let mut all = vec![
        ("stdout".to_owned(), done.stdout.clone()),
        ("stderr".to_owned(), done.stderr.clone()),
    ];
    for (_, _, body) in server.pings() {
        all.push(("ping".to_owned(), body));
    }
    for file in files_below(&site.path("")) {
        if !file.to_string_lossy().contains("token.json") {
            let content = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&content).into_owned();
            all.push((file.display().to_string(), text));
        }
    }
    if site.ledger_file().exists() {
        let ledger: Connection = site.ledger();
        let mut statement = ledger
            .prepare("SELECT message FROM run WHERE message IS NOT NULL")
            .unwrap();
        let messages = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        all.extend(messages.map(|message| ("ledger".to_owned(), message.unwrap())));
    }
    all
}

/// Statuses, and the envelope of each.
const STATUSES: [(u16, &str); 4] = [(400, "a"), (401, "b"), (403, "a"), (500, "b")];

#[test]
fn a_secret_that_a_server_repeats_is_shown_in_no_encoding() {
    for (endpoint, arguments) in ENDPOINTS {
        let (site, secrets) = site_and_secrets();
        let forms: Vec<(&str, String)> = secrets
            .iter()
            .flat_map(|secret| forms(site.client_id(), secret))
            .collect();
        let before = site.token_bytes();
        for (nth, (status, envelope)) in STATUSES.into_iter().enumerate() {
            for (n, chunk) in forms.chunks(4).enumerate() {
                // A sample: each form at one of the statuses.
                if !is_whole() && n % STATUSES.len() != nth {
                    continue;
                }
                let text: Vec<String> = chunk.iter().map(|(_, form)| format!("[{form}]")).collect();
                let message = format!("cannot use {}", text.join(" "));
                // Each is also at the place of the error's name.
                let kind = &chunk[n % chunk.len()].1;
                let fault = match envelope {
                    "a" => FaultKind::envelope_a(status, kind, &message),
                    _ => FaultKind::envelope_b(status, kind, &message),
                };
                site.sandbox.with(|world| {
                    world.clear_faults();
                    world.fault(Fault::on(endpoint).always().answer(fault));
                });
                std::fs::write(site.token_file(), &before).unwrap();
                assert_none_shown(
                    &site,
                    arguments,
                    &forms,
                    &format!("{endpoint} {status} {n}"),
                );
            }
        }
    }
}

fn assert_none_shown(site: &Site, arguments: &[&str], forms: &[(&str, String)], what: &str) {
    let server = PingServer::answering(&[200]);
    let metrics = site.path("metrics.prom");
    let mut command = site.command(arguments);
    if arguments[0] == "run" {
        command.args(["--metrics-file", metrics.to_str().unwrap()]);
    }
    command
        .env("AWEBER_SYNC_PING_URL", server.url())
        .env("AWEBER_CLIENT_SECRET", WORDS);
    let done = match arguments[0] {
        "authorize" => {
            command.env("AWEBER_CLIENT_ID", site.client_id());
            site.finish_with_answer(command, crate::support::browser::code_at)
        }
        _ => site.finish(command),
    };
    done.case(&what).fails();
    for (place, text) in everything(site, &done, &server) {
        for (form, shown) in forms {
            assert!(
                !text.contains(shown.as_str()),
                "{what}: {place} shows {form} {shown}\n{done}"
            );
        }
    }
}
