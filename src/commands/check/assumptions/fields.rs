//! The fields of subscribers: forms of times, missing values, types, unknown fields and statuses. Only counts leave this
//! module.

use crate::commands::check::facts::Facts;
use crate::commands::check::judgement::Part::{Count, Text};
use crate::commands::check::judgement::{Assumption, Judgement};
use crate::commands::check::listing::{text, time};
use crate::subscriber::Status;
use crate::subscriber::fields::FIELDS;
use crate::timestamp;
use chrono::NaiveDateTime;
use serde_json::{Map, Value};

const NO_ROWS: &str = "there are no rows";

/// The documented type of a field's value.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Number,
    Boolean,
    Array,
    Object,
}

/// The fields that every row needs to be exported and recognized.
const NEEDED: [&str; 4] = ["id", "email", "status", "subscribed_at"];

/// The fields that have no value for many subscribers, with their documented types.
const NULLABLE: [(&str, Type); 19] = [
    ("name", Type::Text),
    ("verified_at", Type::Text),
    ("unsubscribed_at", Type::Text),
    ("subscription_method", Type::Text),
    ("subscription_url", Type::Text),
    ("unsubscribe_method", Type::Text),
    ("ad_tracking", Type::Text),
    ("country", Type::Text),
    ("region", Type::Text),
    ("city", Type::Text),
    ("postal_code", Type::Text),
    ("area_code", Type::Number),
    ("dma_code", Type::Number),
    ("latitude", Type::Number),
    ("longitude", Type::Number),
    ("last_followup_message_number_sent", Type::Number),
    ("last_followup_sent_at", Type::Text),
    ("last_followup_sent_link", Type::Text),
    ("ip_address", Type::Text),
];

/// The other documented fields.
const OTHERS: [(&str, Type); 13] = [
    ("id", Type::Number),
    ("email", Type::Text),
    ("status", Type::Text),
    ("subscribed_at", Type::Text),
    ("misc_notes", Type::Text),
    ("is_verified", Type::Boolean),
    ("tags", Type::Array),
    ("custom_fields", Type::Object),
    ("self_link", Type::Text),
    ("resource_type_link", Type::Text),
    ("list_link", Type::Text),
    ("list_name", Type::Text),
    ("http_etag", Type::Text),
];

type Row = Map<String, Value>;

/// The rows of the finds and of the plain page; a row can be among them twice.
fn rows(facts: &Facts) -> impl Iterator<Item = &Row> {
    let pages = [
        &facts.oldest,
        &facts.newest,
        &facts.unsubscribed,
        &facts.plain,
    ];
    pages.into_iter().flatten().flat_map(|page| &page.rows)
}

fn count(rows: impl Iterator<Item = bool>) -> u64 {
    rows.filter(|holds| *holds).count() as u64
}

fn has_rows(facts: &Facts) -> bool {
    rows(facts).next().is_some()
}

pub(super) fn subscribed_at(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "subscribed_at_form",
        expected: "a time with a numeric offset, with or without a fraction",
    };
    let texts: Vec<&str> = rows(facts)
        .filter_map(|row| text(row, "subscribed_at"))
        .collect();
    let is_utc = |text: &&&str| text.ends_with(['Z', 'z']) && timestamp::instant(text).is_some();
    let without = texts
        .iter()
        .filter(|text| timestamp::instant(text).is_none());
    let (utc, without) = (
        texts.iter().filter(is_utc).count() as u64,
        without.count() as u64,
    );
    match (texts.len() as u64, utc, without) {
        (0, ..) => assumption.unseen(NO_ROWS),
        (all, _, without @ 1..) => assumption.costs(
            [Count(without), Text(" of "), Count(all), Text(" times have no offset")],
            "such a time is exported as it is, and read in the zone that costs a request and not a row",
        ),
        (_, utc @ 1.., _) => assumption.is_fine(
            [Count(utc), Text(" times end with Z")],
            "every offset is converted to UTC",
        ),
        _ => assumption.holds("with an offset"),
    }
}

pub(super) fn verified_at(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "verified_at_zone",
        expected: "a time without an offset, in US Eastern time",
    };
    let (mut with_offset, mut eastern, mut utc) = (0, 0, 0);
    for row in rows(facts) {
        let (Some(verified), Some(subscribed)) =
            (text(row, "verified_at"), time(row, "subscribed_at"))
        else {
            continue;
        };
        if timestamp::instant(verified).is_some() {
            with_offset += 1;
            continue;
        }
        let wall = verified.replacen(' ', "T", 1);
        let Ok(wall) = NaiveDateTime::parse_from_str(&wall, "%Y-%m-%dT%H:%M:%S%.f") else {
            continue;
        };
        // A confirmation follows the sign-up, most of them within hours.
        let after = wall.and_utc().timestamp() - subscribed;
        match after {
            ..-60 => eastern += 1,
            _ if after >= 0 => utc += 1,
            _ => {}
        }
    }
    let verbatim = "the column is exported as AWeber sends it";
    match (with_offset, eastern, utc) {
        (0, 0, 0) => assumption.unseen("no row has one"),
        (1.., ..) => assumption.is_fine(
            [Count(with_offset), Text(" have an offset")],
            "it is converted to UTC",
        ),
        // Read as UTC, Eastern times fall before the sign-up unless the confirmation took hours.
        (_, eastern @ 1.., _) => assumption.holds([Count(eastern), Text(" can only be Eastern")]),
        (_, 0, utc) => assumption.is_fine(
            [Count(utc), Text(" fit UTC, none can only be Eastern")],
            verbatim,
        ),
    }
}

pub(super) fn needed(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "needed_fields",
        expected: "every row has id, email, status and subscribed_at",
    };
    if !has_rows(facts) {
        return assumption.unseen(NO_ROWS);
    }
    let lacks = |key: &'static str| {
        count(rows(facts).map(|row| {
            matches!(row.get(key), None | Some(Value::Null)) || text(row, key) == Some("")
        }))
    };
    let lacking = NEEDED.map(|key| (key, lacks(key)));
    match lacking.into_iter().find(|(_, rows)| *rows > 0) {
        None => assumption.holds("all of them"),
        Some((key @ ("id" | "subscribed_at"), rows)) => assumption.risks(
            [Count(rows), Text(" rows without "), Text(key)],
            "a row without an id is not exported, and the run ends with 69; one without a time may be doubled",
        ),
        Some((key, rows)) => assumption.risks(
            [Count(rows), Text(" rows without "), Text(key)],
            "the cells are empty: the app may lack the permission to request subscriber data",
        ),
    }
}

pub(super) fn missing(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "missing_values",
        expected: "null for a field without a value",
    };
    if !has_rows(facts) {
        return assumption.unseen(NO_ROWS);
    }
    let values = || rows(facts).flat_map(|row| NULLABLE.map(|(key, _)| row.get(key)));
    let absent = count(values().map(|value| value.is_none()));
    let empty = count(values().map(|value| value.and_then(Value::as_str) == Some("")));
    match (absent, empty) {
        (0, 0) => assumption.holds("null"),
        (absent, empty) => assumption.is_fine(
            [
                Count(absent),
                Text(" absent, "),
                Count(empty),
                Text(" empty"),
            ],
            "null, empty and absent are all an empty cell",
        ),
    }
}

fn has_type(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Text => value.is_string(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Array => value.is_array(),
        Type::Object => value.is_object(),
    }
}

pub(super) fn types(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "types",
        expected: "each value has the documented type",
    };
    if !has_rows(facts) {
        return assumption.unseen(NO_ROWS);
    }
    let fields = || NULLABLE.iter().chain(&OTHERS);
    let others = |row: &Row| {
        let is_other = |(key, kind): &&(&str, Type)| {
            let value = row.get(*key);
            value.is_some_and(|value| {
                !value.is_null() && value.as_str() != Some("") && !has_type(value, *kind)
            })
        };
        fields().filter(is_other).count() as u64
    };
    match rows(facts).map(others).sum::<u64>() {
        0 => assumption.holds("all of them"),
        others => assumption.is_fine(
            [Count(others), Text(" values of another type")],
            "a value is exported as it was sent",
        ),
    }
}

pub(super) fn unknown(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "unknown_fields",
        expected: "no fields but the documented ones",
    };
    if !has_rows(facts) {
        return assumption.unseen(NO_ROWS);
    }
    let is_known = |key: &str| {
        let mut documented = NULLABLE.iter().chain(&OTHERS);
        documented.any(|(known, _)| *known == key) || FIELDS.iter().any(|field| field.name == key)
    };
    let mut names: Vec<&String> = rows(facts)
        .flat_map(Map::keys)
        .filter(|key| !is_known(key))
        .collect();
    names.sort();
    names.dedup();
    match names.len() as u64 {
        0 => assumption.holds("none"),
        count => assumption.is_fine(
            [Count(count), Text(" unknown fields")],
            "--format jsonl keeps them, csv has no column for them",
        ),
    }
}

pub(super) fn statuses(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "statuses",
        expected: "subscribed, unconfirmed or unsubscribed",
    };
    if !has_rows(facts) {
        return assumption.unseen(NO_ROWS);
    }
    let is_unknown = |row: &Row| {
        text(row, "status")
            .is_some_and(|word| !word.is_empty() && Status::from_word(word).is_none())
    };
    match count(rows(facts).map(is_unknown)) {
        0 => assumption.holds("no others"),
        others => assumption.risks(
            [Count(others), Text(" rows with another status")],
            "they are exported once their status is one of the three: please report this",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::judgement::Effect;
    use crate::commands::check::listing::Listing;
    use serde_json::json;

    fn facts(row: Value) -> Facts {
        Facts {
            oldest: Some(Listing {
                rows: vec![row.as_object().unwrap().clone()],
                ..Listing::default()
            }),
            ..Facts::default()
        }
    }

    fn usual() -> Value {
        let mut row = json!({
            "id": 1, "email": "a@b.c", "status": "subscribed", "misc_notes": "",
            "subscribed_at": "2026-03-10T08:00:00-04:00", "tags": [], "custom_fields": {}, "is_verified": true,
        });
        for (key, _) in NULLABLE {
            row[key] = Value::Null;
        }
        row["verified_at"] = json!("2026-03-10T08:10:00");
        row
    }

    /// One judgement of this module.
    type Judge = fn(&Facts) -> Judgement;

    #[test]
    fn each_field_has_its_usual_form_and_its_odd_ones() {
        let table: [(Judge, &str, Value, &str); 13] = [
            (
                subscribed_at,
                "subscribed_at",
                json!("2026-03-10T08:00:00.123-04:00"),
                "as_expected",
            ),
            (
                subscribed_at,
                "subscribed_at",
                json!("2026-03-10T12:00:00Z"),
                "fine",
            ),
            (
                subscribed_at,
                "subscribed_at",
                json!("2026-03-10 08:00:00"),
                "more_requests",
            ),
            (
                verified_at,
                "verified_at",
                json!("2026-03-10T12:10:00"),
                "fine",
            ),
            (
                verified_at,
                "verified_at",
                json!("2026-03-10T08:10:00-04:00"),
                "fine",
            ),
            (verified_at, "verified_at", json!(null), "not_seen"),
            (needed, "email", json!(""), "rows_at_risk"),
            (needed, "id", json!(null), "rows_at_risk"),
            (missing, "city", json!(""), "fine"),
            (types, "area_code", json!("207"), "fine"),
            (types, "custom_fields", json!([]), "fine"),
            (unknown, "favourite", json!(1), "fine"),
            (statuses, "status", json!("deleted"), "rows_at_risk"),
        ];
        for (judge, key, value, effect) in table {
            assert_eq!(judge(&facts(usual())).effect, Effect::AsExpected, "{key}");
            assert_eq!(judge(&Facts::default()).effect, Effect::Unseen, "{key}");
            let mut row = usual();
            row[key] = value.clone();
            assert_eq!(judge(&facts(row)).effect.word(), effect, "{key} {value}");
        }
        let mut row = usual();
        row.as_object_mut().unwrap().remove("city");
        assert_eq!(missing(&facts(row)).effect.word(), "fine");
    }
}
