//! Bytes from anywhere: everything that reads what a server, a person, another program or a damaged disk wrote gets
//! mutations of real examples. Nothing may panic, and what is read may only take memory in proportion.
//!
//! `FUZZ_CASES` is the number of cases of each reader (1,000 unless set), `FUZZ_SEED` chooses others.

#![allow(
    clippy::disallowed_methods,
    reason = "writes what a damaged disk may hold"
)]

use crate::account::checked_account;
use crate::authorization::{PendingAuthorization, read_pasted};
use crate::cli::Cli;
use crate::config;
use crate::envelope::Problem;
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::pages::collection::{Page, Query, read_count};
use crate::rows::ListRef;
use crate::secret::{SecretString, masked};
use crate::subscriber::feed::Feed;
use crate::subscriber::{Entry, Subscriber};
use crate::token::answer::{read_answer, read_cut_off};
use crate::token::found::{Found, classify};
use crate::token::import::parse_credentials;
use crate::token::model::TokenFile;
use crate::{printable, record, timestamp};
use clap::{CommandFactory, FromArgMatches};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use url::Url;

const PAGE: &str = r#"{"start":0,"total_size":2,"next_collection_link":"https://api.aweber.com/1.0/accounts/1/lists/2/subscribers?ws.start=100","entries":[
{"id":50000001,"email":"a@example.com","name":"Zoë, \"Z\"","status":"subscribed","subscribed_at":"2026-03-01T10:00:00.123456-05:00","verified_at":"2026-03-01 10:00","tags":["a","b,c"],"custom_fields":{"Färbe":"=1+1","x":null},"latitude":40.10,"ip_address":"192.0.2.1"},
{"id":"50000002","email":null,"status":"unsubscribed","unsubscribed_at":"2026-03-02T00:00:00Z","subscribed_at":"","tags":"","custom_fields":[],"misc_notes":"line\nbreak\u0000\ud83d\ude00"}]}"#;
const TOKENS: &str = r#"{"access_token":"AT-9f8e7d6c","refresh_token":"RT-1a2b3c4d","token_type":"bearer","expires_in":7200,"scope":"account.read list.read"}"#;
const FILE: &str = r#"{"version":1,"generation":4,"client_id":"c","client_secret":"s","account_id":"1234567","access_token":"AT-4","refresh_token":"RT-4","token_type":"bearer","expires_at":1774432800,"kept":{"of":[1.10,"another"]}}"#;
const PROBLEMS: [&str; 3] = [
    r#"{"error":{"status":403,"message":"Rate Limit Error. AT-9f8e7d6c5b4a","type":"ForbiddenError","documentation_url":"https://example.com"}}"#,
    r#"{"error":"invalid_grant","error_description":"Token has been revoked","error_uri":"https://example.com"}"#,
    "<html><body><h1>502 Bad Gateway</h1></body></html>",
];
const PASTED: [&str; 4] = [
    "https://localhost/?code=abcDEF123&state=st4te",
    "code=abc&state=st4te",
    " 'abcDEF123' ",
    "https://localhost/?error=access_denied&error_description=No%20thanks&state=st4te",
];
const IMPORTS: [&str; 9] = [
    include_str!("../fixtures/credentials/aweber-cli.json"),
    include_str!("../fixtures/credentials/csharp.json"),
    include_str!("../fixtures/credentials/node.json"),
    include_str!("../fixtures/credentials/php-pkce.ini"),
    include_str!("../fixtures/credentials/php.ini"),
    include_str!("../fixtures/credentials/postman-plain.json"),
    include_str!("../fixtures/credentials/postman.json"),
    include_str!("../fixtures/credentials/python.json"),
    include_str!("../fixtures/credentials/ruby.json"),
];
const OPTIONS: [&str; 10] = [
    "--since",
    "--columns",
    "--list",
    "--status",
    "--delimiter",
    "--output-mode",
    "--max-duration",
    "--api-url",
    "--requests-per-minute",
    "--output",
];
const WORDS: [&str; 10] = [
    "csv",
    "email,custom.Color,\"tags\"",
    "2026-03-01T10:00:00.5-05:00",
    "today",
    "1h 30m",
    "0640",
    "tab",
    "https://auth.aweber.com/x",
    "12345",
    "subscribed,unconfirmed",
];

/// Spliced in: what often breaks a reader.
const SPICE: [&[u8]; 16] = [
    b"\0",
    b"\"",
    b"\\",
    b"\\ud800",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"1e999",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"\xff\xfe",
    b"\xf0\x9f",
    b"9999-12-31T23:59:60+14:00",
    b"null",
    b"%",
    b"\n",
    "\u{202e}\u{feff}é".as_bytes(),
];

/// The largest mutation, bytes.
const LARGEST: usize = 64 * 1024;

/// Draws numbers (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    /// A range within that length, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 16 };
        from..(from + self.below(most + 1)).min(length)
    }

    fn mutated(&mut self, examples: &[&[u8]]) -> Vec<u8> {
        let mut bytes = examples[self.below(examples.len())].to_vec();
        for _ in 0..=self.below(6) {
            let range = self.range(bytes.len());
            let new = match self.below(7) {
                0 => vec![self.below(256) as u8],
                1 => SPICE[self.below(SPICE.len())].to_vec(),
                2 => SPICE[self.below(SPICE.len())].repeat(1 + self.below(300)),
                3 => Vec::new(),
                4 => bytes[range.clone()].repeat(2),
                5 => {
                    let other = examples[self.below(examples.len())];
                    let part = self.range(other.len());
                    other[part].to_vec()
                }
                _ => vec![0; range.len()],
            };
            bytes.splice(range, new);
            bytes.truncate(LARGEST);
        }
        bytes
    }
}

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

/// Gives a reader one in `share` of the cases. Private readers have their tests beside them.
pub(crate) fn fuzz(name: &str, examples: &[&[u8]], share: u64, read: impl Fn(&[u8])) {
    let mut draw = Draw(number("FUZZ_SEED", 1) ^ name.len() as u64);
    for example in examples {
        read(example);
    }
    for _ in 0..number("FUZZ_CASES", 1000).div_ceil(share) {
        let bytes = draw.mutated(examples);
        let read = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        assert!(
            read.is_ok(),
            "{name}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    check_memory(name);
}

/// The peak of this process, all tests together; far less than an input that multiplies.
fn check_memory(name: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .and_then(|text| text.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0);
    assert!(peak < 512 * 1024, "{name}: {peak} KiB");
}

fn texts<'a>(texts: &[&'a str]) -> Vec<&'a [u8]> {
    texts.iter().map(|text| text.as_bytes()).collect()
}

/// An error says what happened, what is safe and what to do.
fn check_error(error: &crate::error::Error) {
    let shown = error.to_string();
    assert!(
        !shown.is_empty() && !shown.chars().any(|c| c == '\0'),
        "{shown:?}"
    );
}

#[test]
fn pages_and_subscribers() {
    let origin = Url::parse("https://api.aweber.com").unwrap();
    let list = ListRef {
        id: 2,
        name: "News".to_owned(),
    };
    let layouts = ["csv", "jsonl"].map(|word| Layout::parse(word, "email,tags,custom.*").unwrap());
    let entries = PAGE
        .split('\n')
        .skip(1)
        .map(|line| line.trim_end_matches("]}"));
    let mut examples = vec![PAGE];
    examples.extend(entries.map(|line| line.trim_end_matches(',')));
    fuzz("page", &texts(&examples), 1, |bytes| {
        for feed in [Feed::Arrivals, Feed::Departures] {
            let mut query = Query::all("/1.0/accounts/1/lists/2/subscribers".to_owned());
            query.feed = feed;
            let _ = Page::parse(bytes.to_vec(), &query, &origin);
            let Ok(page) = Page::parse_rows(bytes.to_vec(), &query, &origin) else {
                continue;
            };
            let rows: Vec<Subscriber<'_>> = page.subscribers().collect();
            for layout in &layouts {
                let rendered = layout.rows(&list, &rows).len();
                assert!(rendered <= 64 * (bytes.len() + 1024), "{rendered} bytes");
            }
        }
        let text = String::from_utf8_lossy(bytes);
        if let Some(entry) = Entry::parse(&text) {
            let one = Subscriber::new(&text, &entry);
            let times = [Some(one.subscribed_at()), one.unsubscribed_at()];
            for time in times.into_iter().flatten() {
                assert!(time.earliest() <= time.latest());
            }
        }
        read_count(bytes);
    });
}

#[test]
fn token_answers_and_problems() {
    let secret = SecretString::from("AT-9f8e7d6c5b4a");
    let mut examples = PROBLEMS.to_vec();
    examples.extend([TOKENS, FILE]);
    fuzz("answer", &texts(&examples), 1, |bytes| {
        for status in [200, 204, 400, 401, 403, 404, 429, 503] {
            read_answer(status, bytes.to_vec(), &[&secret], status == 200);
        }
        read_cut_off("reset".to_owned(), bytes.to_vec());
        let shown = Problem::read(bytes, &[&secret]).in_brackets();
        assert!(!shown.contains("AT-9f8e7d6c5b4a"), "{shown}");
        assert!(
            shown.len() < 4096 && !shown.contains(['\0', '\u{1b}']),
            "{shown:?}"
        );
        let text = String::from_utf8_lossy(bytes);
        masked(&text, &[&secret]);
        assert!(printable::printable(&text, 80).chars().count() <= 81);
    });
}

#[test]
fn token_files_and_journals() {
    let present = FILE.as_bytes();
    fuzz("token file", &[present, TOKENS.as_bytes()], 1, |bytes| {
        if let Ok(tokens) = TokenFile::parse(bytes) {
            let again = TokenFile::parse(&tokens.to_bytes()).unwrap();
            assert_eq!(again.generation, tokens.generation);
            assert!(tokens.to_bytes().len() < 16 * bytes.len() + 4096);
        }
        // What is removed holds no token that is not in the present file.
        if classify(bytes, Some(present)) == Found::Nothing {
            let is_known = |(n, byte): (usize, &u8)| {
                *byte == 0 || byte.is_ascii_whitespace() || present.get(n) == Some(byte)
            };
            let has_same_tokens = || {
                // A longer file may have been here before: white space and zeros may follow.
                let is_content = |byte: &u8| *byte != 0 && !byte.is_ascii_whitespace();
                let tokens = |file: &[u8]| {
                    let end = file.iter().rposition(is_content).map_or(0, |last| last + 1);
                    let file: serde_json::Value = serde_json::from_slice(&file[..end]).unwrap();
                    [file["access_token"].clone(), file["refresh_token"].clone()]
                };
                tokens(bytes) == tokens(present)
            };
            assert!(bytes.iter().enumerate().all(is_known) || has_same_tokens());
        }
    });
}

#[test]
fn imports_and_pasted_codes() {
    fuzz("import", &texts(&IMPORTS), 1, |bytes| {
        if let Err(error) = parse_credentials(bytes) {
            assert!(!error.to_string().contains('\0'));
        }
    });
    fuzz("pasted", &texts(&PASTED), 1, |bytes| {
        if let Err(error) = read_pasted(&String::from_utf8_lossy(bytes), ["code", "state"], "st4te")
        {
            check_error(&error);
        }
        PendingAuthorization::parse(bytes);
    });
}

#[test]
fn words_of_the_ledger_and_the_environment() {
    fuzz("word", &texts(&WORDS), 1, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(layout) = Layout::parse("csv", &text) {
            let again = Layout::parse(&layout.word(), &layout.columns_text()).unwrap();
            assert_eq!(again.shape(), layout.shape());
        }
        let _ = Layout::parse(&text, "email");
        record::split(&text);
        timestamp::to_utc(&text);
        timestamp::day(&text);
        assert!(timestamp::earliest(&text) <= timestamp::latest(&text));
        if let Err(error) = checked_account(text.into_owned()) {
            check_error(&error);
        }
    });
    let command = RefCell::new(Cli::command());
    fuzz("option", &texts(&WORDS), 1, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let option = OPTIONS[bytes.len() % OPTIONS.len()];
        let line = ["aweber-sync", "run", &format!("{option}={text}")].map(str::to_owned);
        // Building the command takes ten times as long as parsing.
        let matches = command.borrow_mut().try_get_matches_from_mut(line);
        let Ok(cli) = matches.and_then(|matches| Cli::from_arg_matches(&matches)) else {
            return;
        };
        let home = |name: &str| (name == "HOME").then(|| "/nonexistent".into());
        if let Err(error) = config::Command::new(cli, &home) {
            check_error(&error);
        }
    });
}

#[test]
fn damaged_ledgers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite3");
    let mut ledger = Ledger::open(&path, false).unwrap();
    let run = ledger.begin_run(1).unwrap();
    assert_eq!(run, 1);
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    fuzz("ledger", &[&whole], 10, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let read = Ledger::open(&path, true).and_then(|ledger| {
            ledger.check_whole()?;
            ledger.last_work_files()?;
            ledger.unfinished_batch()?;
            ledger.aweber_time()?;
            ledger.last_success()
        });
        if let Err(error) = read {
            check_error(&error);
        }
    });
}
