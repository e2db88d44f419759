//! The filters of both subscriber finds: every row of the reference's table, whole values, case-sensitive, all of
//! them together. A value that is not of its type is refused: a client that sends one would otherwise seem to work.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::{Map, Value};

use crate::answer::{Answer, bad_request, bad_window};
use crate::request::Request;
use crate::settings::Settings;
use crate::subscriber::{Status, Subscriber};

/// Order of a find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// The order of being added, when no key is given.
    Added,
    SubscribedAt,
    UnsubscribedAt,
}

/// What a find asks for.
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

/// Text filters and the longest value each takes.
const TEXTS: [(&str, usize); 8] = [
    ("ad_tracking", 20),
    ("city", 100),
    ("country", 100),
    ("region", 100),
    ("postal_code", 100),
    ("email", 50),
    ("misc_notes", 60),
    ("name", 60),
];

/// Text filters that take only certain words.
const CHOICES: [(&str, &[&str]); 2] = [
    (
        "subscription_method",
        &["api", "email", "import", "webform"],
    ),
    (
        "unsubscribe_method",
        &[
            "unsubscribe link",
            "customer cp",
            "undeliverable",
            "api: unsubscribe",
            "api: move",
        ],
    ),
];

/// Whole numbers and their range.
const INTEGERS: [(&str, i64, i64); 3] = [
    ("area_code", 0, 999),
    ("dma_code", 0, 881),
    ("last_followup_message_number_sent", 0, 1001),
];

/// Days: the parameter, the moment it is about, and which side of it.
const DAYS: [(&str, Moment, Side); 8] = [
    ("subscribed_after", Moment::Subscribed, Side::After),
    ("subscribed_at", Moment::Subscribed, Side::On),
    ("subscribed_before", Moment::Subscribed, Side::Before),
    ("unsubscribed_after", Moment::Unsubscribed, Side::After),
    ("unsubscribed_at", Moment::Unsubscribed, Side::On),
    ("unsubscribed_before", Moment::Unsubscribed, Side::Before),
    ("verified_at", Moment::Verified, Side::On),
    (
        "last_followup_message_sent_at",
        Moment::LastFollowup,
        Side::On,
    ),
];

impl Filter {
    /// The filters of a request; an empty value counts as not given, an unknown parameter filters nothing.
    pub(crate) fn parse(request: &Request, settings: &Settings) -> Result<Filter, Answer> {
        let mut conditions = Vec::new();
        for (key, longest) in TEXTS {
            if let Some(value) = request.param(key) {
                if value.chars().count() > longest {
                    return Err(bad_request(&format!(
                        "{key}: must have 1 to {longest} characters"
                    )));
                }
                conditions.push(Condition::Text(key, value.to_owned()));
            }
        }
        for (key, words) in CHOICES {
            if let Some(value) = request.param(key) {
                if !words.contains(&value) {
                    return Err(bad_request(&format!(
                        "{key}: must be one of {}",
                        words.join(", ")
                    )));
                }
                conditions.push(Condition::Text(key, value.to_owned()));
            }
        }
        if let Some(value) = request.param("status") {
            if Status::parse(value).is_none() {
                return Err(bad_request(
                    "status: must be one of subscribed, unsubscribed, unconfirmed",
                ));
            }
            conditions.push(Condition::Text("status", value.to_owned()));
        }
        for (key, least, most) in INTEGERS {
            if let Some(value) = request.param(key) {
                let number = value
                    .parse::<i64>()
                    .ok()
                    .filter(|number| (least..=most).contains(number));
                let number = number.ok_or_else(|| {
                    bad_request(&format!("{key}: must be an integer from {least} to {most}"))
                })?;
                conditions.push(Condition::Number(key, number as f64));
            }
        }
        for key in ["latitude", "longitude"] {
            if let Some(value) = request.param(key) {
                let number = value
                    .parse::<f64>()
                    .ok()
                    .filter(|number| number.is_finite());
                conditions.push(Condition::Number(
                    key,
                    number.ok_or_else(|| bad_request(&format!("{key}: must be a number")))?,
                ));
            }
        }
        for (key, moment, side) in DAYS {
            if let Some(value) = request.param(key) {
                let day = parse_day(value)
                    .ok_or_else(|| bad_request(&format!("{key}: must be a date, YYYY-MM-DD")))?;
                conditions.push(Condition::Day(moment, side, day));
            }
        }
        if let Some(value) = request.param("tags") {
            conditions.push(Condition::Tags(parse_tags("tags", value)?));
        }
        if let Some(value) = request.param("tags_not_in") {
            conditions.push(Condition::NoneOfTags(parse_tags("tags_not_in", value)?));
        }
        if let Some(value) = request.param("custom_fields") {
            let object = serde_json::from_str(value)
                .map_err(|_| bad_request("custom_fields: must be a JSON object"))?;
            conditions.push(Condition::CustomFields(object));
        }
        let zone = Duration::hours(i64::from(settings.day_zone_hours));
        Ok(Filter {
            conditions,
            zone,
            includes_day: settings.after_includes_day,
        })
    }

    /// Whether a subscriber passes every condition.
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

/// Whether a query parameter is a filter.
pub(crate) fn is_filter(key: &str) -> bool {
    matches!(
        key,
        "status" | "latitude" | "longitude" | "tags" | "tags_not_in" | "custom_fields"
    ) || TEXTS.iter().any(|(name, _)| *name == key)
        || CHOICES.iter().any(|(name, _)| *name == key)
        || INTEGERS.iter().any(|(name, _, _)| *name == key)
        || DAYS.iter().any(|(name, _, _)| *name == key)
}

/// `sort_key`, by default the order of being added.
pub(crate) fn sort_key(request: &Request) -> Result<SortKey, Answer> {
    match request.param("sort_key") {
        None => Ok(SortKey::Added),
        Some("subscribed_at") => Ok(SortKey::SubscribedAt),
        Some("unsubscribed_at") => Ok(SortKey::UnsubscribedAt),
        Some(_) => Err(bad_window(
            "\"sort_key\" parameter must be one of subscribed_at, unsubscribed_at.",
        )),
    }
}

/// `sort_order`: true for newest first.
pub(crate) fn is_descending(request: &Request) -> Result<bool, Answer> {
    match request.param("sort_order") {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(bad_window(
            "\"sort_order\" parameter must be one of asc, desc.",
        )),
    }
}

/// `YYYY-MM-DD` or `MM-DD-YYYY`, every digit there.
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

/// A JSON array of strings; a plain string does not work.
fn parse_tags(key: &str, text: &str) -> Result<Vec<String>, Answer> {
    serde_json::from_str(text)
        .map_err(|_| bad_request(&format!("{key}: must be a JSON array of strings")))
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
