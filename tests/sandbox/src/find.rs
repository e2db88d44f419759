//! The filters and sort parameters of both subscriber finds, as in the reference: whole values, case-sensitive, all of
//! them combined. An invalid value is rejected, because a client that sends one would otherwise seem to work.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::{Map, Value};

use crate::answer::{Answer, bad_request, bad_window};
use crate::request::Request;
use crate::settings::Settings;
use crate::subscriber::Subscriber;

/// The order of a find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// In the order of addition: without `sort_key`.
    Added,
    SubscribedAt,
    UnsubscribedAt,
}

/// The conditions of a find.
#[derive(Debug)]
pub(crate) struct Filter {
    conditions: Vec<Condition>,
    zone: Duration,
    includes_day: bool,
}

#[derive(Debug)]
enum Condition {
    Text(&'static str, String),
    Number(&'static str, f64),
    Day(Moment, Side, NaiveDate),
    Tags(Vec<String>),
    NoneOfTags(Vec<String>),
    CustomFields(Map<String, Value>),
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Subscribed,
    Unsubscribed,
    Verified,
    LastFollowup,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    After,
    On,
    Before,
}

/// The type of a filter's value.
enum Kind {
    /// Text of at most this many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer in this range.
    Integer(i64, i64),
    Float,
    Day(Moment, Side),
    Tags,
    NoneOfTags,
    CustomFields,
}

const STATUSES: Kind = Kind::Word(&["subscribed", "unsubscribed", "unconfirmed"]);
const SUBSCRIPTION_METHODS: Kind = Kind::Word(&["api", "email", "import", "webform"]);
const UNSUBSCRIBE_METHODS: Kind = Kind::Word(&[
    "unsubscribe link",
    "customer cp",
    "undeliverable",
    "api: unsubscribe",
    "api: move",
]);
const FOLLOWUP_DAY: Kind = Kind::Day(Moment::LastFollowup, Side::On);

/// Every filter, by its query parameter.
const FILTERS: [(&str, Kind); 27] = [
    ("ad_tracking", Kind::Text(20)),
    ("city", Kind::Text(100)),
    ("country", Kind::Text(100)),
    ("region", Kind::Text(100)),
    ("postal_code", Kind::Text(100)),
    ("email", Kind::Text(50)),
    ("misc_notes", Kind::Text(60)),
    ("name", Kind::Text(60)),
    ("subscription_method", SUBSCRIPTION_METHODS),
    ("unsubscribe_method", UNSUBSCRIBE_METHODS),
    ("status", STATUSES),
    ("area_code", Kind::Integer(0, 999)),
    ("dma_code", Kind::Integer(0, 881)),
    ("last_followup_message_number_sent", Kind::Integer(0, 1001)),
    ("latitude", Kind::Float),
    ("longitude", Kind::Float),
    (
        "subscribed_after",
        Kind::Day(Moment::Subscribed, Side::After),
    ),
    ("subscribed_at", Kind::Day(Moment::Subscribed, Side::On)),
    (
        "subscribed_before",
        Kind::Day(Moment::Subscribed, Side::Before),
    ),
    (
        "unsubscribed_after",
        Kind::Day(Moment::Unsubscribed, Side::After),
    ),
    ("unsubscribed_at", Kind::Day(Moment::Unsubscribed, Side::On)),
    (
        "unsubscribed_before",
        Kind::Day(Moment::Unsubscribed, Side::Before),
    ),
    ("verified_at", Kind::Day(Moment::Verified, Side::On)),
    ("last_followup_message_sent_at", FOLLOWUP_DAY),
    ("tags", Kind::Tags),
    ("tags_not_in", Kind::NoneOfTags),
    ("custom_fields", Kind::CustomFields),
];

impl Kind {
    fn parse(&self, key: &'static str, value: &str) -> Result<Condition, Answer> {
        let invalid = |expected: String| bad_request(&format!("{key}: must {expected}"));
        let tags = || {
            // A plain string is invalid too.
            serde_json::from_str(value).map_err(|_| invalid("be a JSON array of strings".into()))
        };
        let text = || Condition::Text(key, value.to_owned());
        match self {
            Kind::Text(most) if value.chars().count() > *most => {
                Err(invalid(format!("have 1 to {most} characters")))
            }
            Kind::Text(_) => Ok(text()),
            Kind::Word(words) if words.contains(&value) => Ok(text()),
            Kind::Word(words) => Err(invalid(format!("be one of {}", words.join(", ")))),
            Kind::Integer(min, max) => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&&number) => {
                    Ok(Condition::Number(key, number as f64))
                }
                _ => Err(invalid(format!("be an integer from {min} to {max}"))),
            },
            Kind::Float => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Condition::Number(key, number)),
                _ => Err(invalid("be a number".into())),
            },
            Kind::Day(moment, side) => {
                let day = parse_day(value).ok_or_else(|| invalid("be a date, YYYY-MM-DD".into()));
                day.map(|day| Condition::Day(*moment, *side, day))
            }
            Kind::Tags => tags().map(Condition::Tags),
            Kind::NoneOfTags => tags().map(Condition::NoneOfTags),
            Kind::CustomFields => serde_json::from_str(value)
                .map(Condition::CustomFields)
                .map_err(|_| invalid("be a JSON object".into())),
        }
    }
}

impl Filter {
    /// The filters of a request. An empty value counts as absent; unknown parameters filter nothing.
    pub(crate) fn parse(request: &Request, settings: &Settings) -> Result<Filter, Answer> {
        let mut conditions = Vec::new();
        for (key, kind) in &FILTERS {
            if settings.ignored_parameters.contains(key) {
                continue;
            }
            if let Some(value) = request.param(key) {
                conditions.push(kind.parse(key, value)?);
            }
        }
        Ok(Filter {
            conditions,
            zone: Duration::hours(i64::from(settings.day_zone_hours)),
            includes_day: settings.after_includes_day,
        })
    }

    /// Returns true if a subscriber passes every condition.
    pub(crate) fn matches(&self, subscriber: &Subscriber) -> bool {
        self.conditions
            .iter()
            .all(|condition| self.holds(condition, subscriber))
    }

    fn holds(&self, condition: &Condition, subscriber: &Subscriber) -> bool {
        match condition {
            Condition::Text(key, wanted) => text_is(&subscriber.field(key), wanted),
            Condition::Number(key, wanted) => number_is(&subscriber.field(key), *wanted),
            Condition::Day(moment, side, day) => moment
                .of(subscriber)
                .is_some_and(|instant| self.day_fits(instant, *side, *day)),
            Condition::Tags(wanted) => wanted.iter().all(|tag| subscriber.tags.contains(tag)),
            Condition::NoneOfTags(unwanted) => {
                !unwanted.iter().any(|tag| subscriber.tags.contains(tag))
            }
            Condition::CustomFields(wanted) => wanted.iter().all(|(name, value)| {
                subscriber
                    .custom_fields
                    .iter()
                    .any(|(key, own)| key == name && own == value)
            }),
        }
    }

    fn day_fits(&self, instant: DateTime<Utc>, side: Side, day: NaiveDate) -> bool {
        let own = (instant + self.zone).date_naive();
        match side {
            Side::On => own == day,
            Side::After => own > day || (self.includes_day && own == day),
            Side::Before => own < day || (self.includes_day && own == day),
        }
    }
}

impl Moment {
    fn of(self, subscriber: &Subscriber) -> Option<DateTime<Utc>> {
        match self {
            Moment::Subscribed => Some(subscriber.subscribed_at),
            Moment::Unsubscribed => subscriber.unsubscribed_at,
            Moment::Verified => subscriber.verified_at,
            Moment::LastFollowup => subscriber.last_followup_sent_at,
        }
    }
}

pub(crate) fn is_filter(key: &str) -> bool {
    FILTERS.iter().any(|(name, _)| *name == key)
}

/// `sort_key`; by default the order of addition.
pub(crate) fn sort_key(request: &Request, settings: &Settings) -> Result<SortKey, Answer> {
    let is_ignored = settings.ignored_parameters.contains(&"sort_key");
    match request.param("sort_key").filter(|_| !is_ignored) {
        None => Ok(SortKey::Added),
        Some("subscribed_at") => Ok(SortKey::SubscribedAt),
        Some("unsubscribed_at") => Ok(SortKey::UnsubscribedAt),
        Some(_) => Err(bad_window(
            "\"sort_key\" parameter must be one of subscribed_at, unsubscribed_at.",
        )),
    }
}

/// `sort_order`: true for `desc`.
pub(crate) fn is_descending(request: &Request, settings: &Settings) -> Result<bool, Answer> {
    match request.param("sort_order") {
        None | Some("asc") => Ok(settings.newest_first),
        Some("desc") => Ok(true),
        Some(_) => Err(bad_window(
            "\"sort_order\" parameter must be one of asc, desc.",
        )),
    }
}

/// `YYYY-MM-DD` or `MM-DD-YYYY`, with leading zeros.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => {
            (year, month, day)
        }
        [month, day, year] if (month.len(), day.len(), year.len()) == (2, 2, 4) => {
            (year, month, day)
        }
        _ => return None,
    };
    NaiveDate::from_ymd_opt(
        i32::try_from(digits(year)?).ok()?,
        digits(month)?,
        digits(day)?,
    )
}

fn text_is(own: &Value, wanted: &str) -> bool {
    match own {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        _ => false,
    }
}

fn number_is(own: &Value, wanted: f64) -> bool {
    let number = match own {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    number == Some(wanted)
}
