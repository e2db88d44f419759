//! Subscribers that break careless programs: one for each undocumented form seen in AWeber's answers, and for each text
//! that is hard to write as CSV.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::new_subscriber::NewSubscriber;
use crate::subscriber::Status;
use crate::world::World;

/// Fields that may be null, empty or absent.
const OPTIONAL: [&str; 20] = [
    "name",
    "ip_address",
    "misc_notes",
    "verified_at",
    "unsubscribed_at",
    "is_verified",
    "subscription_method",
    "subscription_url",
    "unsubscribe_method",
    "ad_tracking",
    "tags",
    "custom_fields",
    "country",
    "region",
    "city",
    "postal_code",
    "area_code",
    "dma_code",
    "last_followup_message_number_sent",
    "last_followup_sent_at",
];

impl World {
    /// Adds one subscriber for each edge case to a list, oldest first; returns their ids. All are subscribed except the
    /// one with an unknown status. The address names the edge case (`crlf-in-name@nasty.example`).
    pub fn add_nasty_subscribers(&mut self, list: u64) -> Vec<u64> {
        let all = timestamps().into_iter().chain(a_minute_apart(
            all_missing()
                .into_iter()
                .chain(fields())
                .chain(custom_fields_and_tags())
                .chain(locations())
                .chain(names()),
        ));
        all.map(|new| self.add_subscriber(list, new)).collect()
    }
}

fn a_minute_apart(all: impl Iterator<Item = NewSubscriber>) -> impl Iterator<Item = NewSubscriber> {
    let begin = instant("2025-11-21T16:00:00Z");
    all.zip(0..)
        .map(move |(new, minutes)| new.subscribed_at(begin + Duration::minutes(minutes)))
}

fn case(about: &str) -> NewSubscriber {
    NewSubscriber::new(format!("{about}@nasty.example"))
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("a timestamp written here")
}

/// Each form of a time, with the instant that it means. Without an offset it is US Eastern time.
fn timestamps() -> Vec<NewSubscriber> {
    let forms = [
        (
            "space-and-no-offset",
            "2008-01-23T14:20:52.812966Z",
            "2008-01-23 09:20:52.812966",
        ),
        (
            "space-and-offset",
            "2010-01-15T14:21:39Z",
            "2010-01-15 09:21:39-05:00",
        ),
        (
            "summer-offset",
            "2015-10-13T20:19:20Z",
            "2015-10-13T16:19:20-04:00",
        ),
        ("letter-z", "2020-02-29T23:59:59Z", "2020-02-29T23:59:59Z"),
        (
            "microseconds",
            "2025-11-21T15:31:53.202963Z",
            "2025-11-21T10:31:53.202963-05:00",
        ),
        (
            "one-digit-fraction",
            "2025-11-21T15:32:53.5Z",
            "2025-11-21T10:32:53.5-05:00",
        ),
        ("no-offset", "2025-11-21T15:56:38Z", "2025-11-21T10:56:38"),
    ];
    let mut all: Vec<NewSubscriber> = forms
        .iter()
        .map(|(about, utc, text)| {
            case(about)
                .subscribed_at(instant(utc))
                .with("subscribed_at", *text)
        })
        .collect();
    let late = instant("2025-11-21T15:57:00Z");
    all.push(
        case("verified-without-offset")
            .subscribed_at(late)
            .with("verified_at", "2025-11-21T10:57:38"),
    );
    all.push(
        case("verified-empty")
            .subscribed_at(late)
            .with("verified_at", ""),
    );
    all.push(
        case("verified-with-fraction")
            .subscribed_at(late)
            .with("verified_at", "2025-11-21 10:57:38.000001"),
    );
    all.push(
        case("last-followup-with-space")
            .subscribed_at(late)
            .with("last_followup_sent_at", "2025-11-21 11:00:00-05:00"),
    );
    all
}

/// All optional fields null, empty or absent.
fn all_missing() -> Vec<NewSubscriber> {
    let every = |about: &str, value: Value| {
        OPTIONAL
            .iter()
            .fold(case(about), |new, key| new.with(key, value.clone()))
    };
    vec![
        every("every-field-null", Value::Null),
        every("every-field-empty", json!("")),
        OPTIONAL
            .iter()
            .fold(case("every-field-absent"), |new, key| new.without(key)),
    ]
}

/// Fields with undocumented types or values.
fn fields() -> Vec<NewSubscriber> {
    vec![
        case("numbers-as-strings")
            .with("dma_code", "511")
            .with("area_code", "0202")
            .with("latitude", "40.10"),
        case("strings-as-numbers")
            .with("postal_code", 2134)
            .with("name", 12345)
            .with("misc_notes", 0),
        case("booleans-as-strings")
            .with("is_verified", "false")
            .with("last_followup_message_number_sent", "1001"),
        case("big-integers")
            .with_raw("dma_code", "123456789012345678901234567890")
            .with_raw("area_code", "9007199254740993"),
        case("unknown-status").status(Status::Other("deleted")),
        case("email-null").with("email", Value::Null),
        case("email-absent").without("email").name("no address"),
        case("subscribed-at-null").with("subscribed_at", Value::Null),
        case("subscribed-at-empty").with("subscribed_at", ""),
        case("subscribed-at-absent").without("subscribed_at"),
        case("old-method").method("webform opt-in"),
        case("unknown-fields")
            .with("favourite_colour", "blue")
            .with(
                "nested",
                json!({"list": [1, {"deep": null}], "text": "a\nb"}),
            )
            .with_raw("precise", "1.000000000000000000001"),
    ]
}

fn custom_fields_and_tags() -> Vec<NewSubscriber> {
    vec![
        case("custom-values-null")
            .custom("Color", Value::Null)
            .custom("Size", ""),
        case("custom-names-by-case")
            .custom("Color", "blue")
            .custom("COLOR", "red")
            .custom("color", "green"),
        case("custom-names-not-ascii")
            .custom("Größe", "groß")
            .custom("色", "青")
            .custom("with \"quotes\", commas", "x"),
        case("custom-order")
            .custom("Zebra", "1")
            .custom("Apple", "2")
            .custom("Mango", "3")
            .custom("10", "a")
            .custom("9", "b"),
        case("custom-value-lines")
            .custom("Address", "1 High St\r\nBoston\nMA")
            .custom("Note", "say \"hi\", please"),
        case("custom-value-number")
            .custom("Size", 7)
            .custom("Ratio", 0.5)
            .custom("Member", true),
        case("custom-fields-empty").with("custom_fields", json!({})),
        case("custom-fields-absent").without("custom_fields"),
        case("custom-fields-array").with("custom_fields", json!([])),
        case("tags-absent").without("tags"),
        case("tags-null").with("tags", Value::Null),
        case("tags-hard").tags([
            "a,b",
            "say \"hi\"",
            "two\nlines",
            " blank ",
            "",
            "=1+1",
            "ünï",
        ]),
        case("one-empty-tag").tags([""]),
    ]
}

/// Locations with unusual digits or characters.
fn locations() -> Vec<NewSubscriber> {
    vec![
        case("trailing-zero")
            .with_raw("latitude", "40.10")
            .with_raw("longitude", "-75.00"),
        case("exponent")
            .with_raw("latitude", "4.01e1")
            .with_raw("longitude", "-0.0"),
        case("many-digits")
            .with_raw("latitude", "40.123456789012345678")
            .with_raw("longitude", "-75.1"),
        case("ipv6").with("ip_address", "2001:db8::8a2e:370:7334"),
        case("leading-zeros")
            .with("postal_code", "00501")
            .with("area_code", "007"),
        case("country")
            .with("country", "Côte d'Ivoire")
            .with("region", "\"Lagunes\"")
            .with("city", "Abidjan, Plateau"),
        case("url").with(
            "subscription_url",
            "https://example.com/join?a=1&b=\"2\",3#frag",
        ),
    ]
}

/// Names that break a careless CSV writer or reader.
fn names() -> Vec<NewSubscriber> {
    let names = [
        ("quotes-in-name", "Ann \"the Hammer\" Lee"),
        ("only-quotes-in-name", "\"\""),
        ("comma-in-name", "Lee, Ann"),
        ("semicolon-in-name", "Lee; Ann"),
        ("cr-in-name", "Ann\rLee"),
        ("lf-in-name", "Ann\nLee"),
        ("crlf-in-name", "Ann\r\nLee"),
        ("tab-in-name", "Ann\tLee"),
        ("nul-in-name", "Ann\u{0}Lee"),
        ("control-in-name", "Ann\u{1b}[31mLee\u{7f}"),
        ("backslash-in-name", "Ann\\\"Lee\\n"),
        ("emoji-in-name", "Ann 👩‍👩‍👧‍👦🏳️‍🌈"),
        ("right-to-left-in-name", "שלום \u{202e}عليكم\u{202c}"),
        ("combining-in-name", "Zoe\u{308} n\u{303}"),
        ("bom-in-name", "\u{feff}Ann"),
        ("line-separator-in-name", "Ann\u{2028}Lee\u{2029}"),
        ("formula-command", "=cmd|' /C calc'!A0"),
        ("formula-plus", "+1"),
        ("formula-minus", "-1"),
        ("formula-at", "@x"),
        ("formula-after-blank", " =1+1"),
        ("formula-after-tab", "\t=1+1"),
        ("leading-blank-in-name", "  Ann"),
        ("trailing-blank-in-name", "Ann  "),
        ("only-blanks-in-name", "   "),
        ("leading-zeros-in-name", "007"),
        ("looks-like-a-date", "1-2"),
        ("looks-like-null", "null"),
        ("empty-name", ""),
    ];
    let mut all: Vec<NewSubscriber> = names
        .iter()
        .map(|(about, name)| case(about).name(*name))
        .collect();
    all.push(case("long-name").name("long, \"text\" ".repeat(1000)));
    all.push(
        NewSubscriber::new("\"quoted, local\"@nasty.example").name("address with quotes and comma"),
    );
    all.push(NewSubscriber::new("jörg@nästy.example").name("address not in ASCII"));
    let formulas = [
        ("formula-after-semicolon", "x;=1+1"),
        ("formula-after-bar", "x|=1+1"),
        ("formula-after-tab-and-text", "x\t=1+1"),
        ("formula-after-lf", "x\n=1+1;y"),
        ("formula-after-crlf", "x\r\n=1+1;y"),
        ("formula-after-lf-at-the-start", "\n=1+1;y"),
        ("formula-after-quote", "x;\"=1+1;y"),
        ("formula-full-width", "＝1+1"),
        ("formula-full-width-plus", "x;＋1+1"),
        ("formula-with-nul", "\u{0}=1+\u{0}1"),
    ];
    all.extend(formulas.iter().map(|(about, name)| case(about).name(*name)));
    all
}
