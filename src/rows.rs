//! A subscriber as the cells of a row: columns, their order and their content. Pure.
//! Null, empty and absent all become an empty cell; numbers keep their digits; values of an undocumented type are
//! exported as received.

use crate::json::{Pairs, push_compact, quoted, raw_text};
use crate::printable::printable;
use crate::record;
use crate::subscriber::Subscriber;
use crate::subscriber::fields::{FIELDS, Kind};
use crate::timestamp;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The list that a row belongs to. Lists are identified by id alone: names change.
#[derive(Clone, Debug)]
pub(crate) struct ListRef {
    /// The id of the list.
    pub(crate) id: i64,
    /// Its name when the row was exported.
    pub(crate) name: String,
}

/// How many characters of a name a message shows.
const NAME_LENGTH: usize = 100;

impl ListRef {
    /// Its name in a message.
    pub(crate) fn shown(&self) -> String {
        printable(&self.name, NAME_LENGTH)
    }
}

/// `list 7 (News)`, for messages.
impl fmt::Display for ListRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list {} ({})", self.id, self.shown())
    }
}

/// A column of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// `list_id`.
    ListId,
    /// `list_name`.
    ListName,
    /// The field at that index of [`FIELDS`].
    Field(usize),
    /// `custom.NAME`: one custom field. Names match exactly, since two can differ only in case.
    Custom(String),
    /// `custom.*`: stands for the custom fields that the lists have when a file begins; no file has this column.
    EveryCustom,
}

impl Column {
    /// The default columns, in the documented order.
    pub(crate) fn all() -> Vec<Column> {
        let fields = (0..FIELDS.len()).map(Column::Field);
        [Column::ListId, Column::ListName]
            .into_iter()
            .chain(fields)
            .collect()
    }

    /// Returns the column with that name.
    pub(crate) fn from_name(name: &str) -> Option<Column> {
        match name.strip_prefix("custom.") {
            Some("") => None,
            Some("*") => Some(Column::EveryCustom),
            Some(custom) => Some(Column::Custom(custom.to_owned())),
            None => Column::all()
                .into_iter()
                .find(|column| column.name() == name),
        }
    }

    /// The name in the header.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Column::ListId => Cow::Borrowed("list_id"),
            Column::ListName => Cow::Borrowed("list_name"),
            Column::Field(field) => Cow::Borrowed(FIELDS[*field].name),
            Column::Custom(name) => Cow::Owned(format!("custom.{name}")),
            Column::EveryCustom => Cow::Borrowed("custom.*"),
        }
    }
}

/// Renders the rows of one list.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    columns: &'a [Column],
    list_id: String,
    list_name: &'a str,
    has_custom: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(columns: &'a [Column], list: &'a ListRef) -> Rows<'a> {
        let is_custom = |column: &Column| matches!(column, Column::Custom(_));
        Rows {
            columns,
            list_id: list.id.to_string(),
            list_name: &list.name,
            has_custom: columns.iter().any(is_custom),
        }
    }

    /// Returns the cells of a row, one per column.
    pub(crate) fn cells<'s>(
        &'s self,
        subscriber: Subscriber<'s>,
    ) -> impl Iterator<Item = Cow<'s, str>> {
        let custom_fields = match self.has_custom {
            true => subscriber.custom_fields(),
            false => Vec::new(),
        };
        self.columns.iter().map(move |column| match column {
            Column::ListId => Cow::Borrowed(self.list_id.as_str()),
            Column::ListName => Cow::Borrowed(self.list_name),
            Column::EveryCustom => Cow::Borrowed(""),
            Column::Field(i) => subscriber
                .raw(*i)
                .map_or(Cow::Borrowed(""), |raw| cell(FIELDS[*i].kind, raw)),
            Column::Custom(name) => custom_fields
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map_or(Cow::Borrowed(""), |(_, raw)| cell(Kind::Text, raw.get())),
        })
    }
}

fn cell(kind: Kind, raw: &str) -> Cow<'_, str> {
    match kind {
        Kind::Tags => tags(raw),
        Kind::Time => match raw_text(raw) {
            Cow::Borrowed(text) => timestamp::to_utc(text),
            Cow::Owned(text) => Cow::Owned(timestamp::to_utc(&text).into_owned()),
        },
        Kind::Text | Kind::Object if matches!(raw.as_bytes(), [b'{' | b'[', ..]) => object(raw),
        Kind::Text | Kind::Object => raw_text(raw),
    }
}

/// Returns the tags as one CSV record, since a tag may contain a comma; an empty cell for no tags.
fn tags(raw: &str) -> Cow<'_, str> {
    let needs_no_quotes = |tag: &str| {
        let special = |byte| matches!(byte, b'"' | b',' | b'\r' | b'\n');
        !tag.is_empty() && !tag.bytes().any(special)
    };
    if let Ok(tags) = serde_json::from_str::<Vec<&str>>(raw)
        && tags.iter().all(|tag| needs_no_quotes(tag))
    {
        // The usual case, in which nothing needs decoding or quoting.
        return Cow::Owned(tags.join(","));
    }
    let Ok(tags) = serde_json::from_str::<Vec<&RawValue>>(raw) else {
        return if raw.starts_with('{') {
            object(raw)
        } else {
            raw_text(raw)
        };
    };
    let cells: Vec<Cow<'_, str>> = tags.iter().map(|tag| raw_text(tag.get())).collect();
    Cow::Owned(record::join(cells.iter().map(|cell| cell.as_bytes())))
}

/// Returns a JSON object or array without white space between its tokens; an empty cell for `{}` and `[]`. Order and
/// digits are kept; keys and strings are decoded.
fn object(raw: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(raw.len());
    if !raw.contains('\\') {
        // Without escapes there is nothing to decode.
        push_compact(raw, &mut out);
        if out == "{}" || out == "[]" {
            return Cow::Borrowed("");
        }
    } else if let Ok(Pairs(pairs)) = serde_json::from_str::<Pairs<'_>>(raw) {
        if pairs.is_empty() {
            return Cow::Borrowed("");
        }
        for (i, (key, value)) in pairs.iter().enumerate() {
            out.push(if i == 0 { '{' } else { ',' });
            out.push_str(&quoted(key));
            out.push(':');
            match serde_json::from_str::<String>(value.get()) {
                Ok(text) => out.push_str(&quoted(&text)),
                Err(_) => push_compact(value.get(), &mut out),
            }
        }
        out.push('}');
    } else {
        push_compact(raw, &mut out);
        if out == "[]" {
            return Cow::Borrowed("");
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriber::Entry;

    fn one(field: &str, raw: &str) -> String {
        let field = FIELDS.iter().find(|known| known.name == field).unwrap();
        cell(field.kind, raw).into_owned()
    }

    #[test]
    fn default_columns_are_the_documented_ones() {
        assert_eq!(
            Column::all()
                .iter()
                .map(Column::name)
                .collect::<Vec<_>>()
                .join(", "),
            "list_id, list_name, id, email, name, status, subscribed_at, verified_at, is_verified, \
             subscription_method, subscription_url, ad_tracking, ip_address, country, region, city, postal_code, \
             area_code, dma_code, latitude, longitude, tags, custom_fields, misc_notes, \
             last_followup_message_number_sent, last_followup_sent_at, unsubscribed_at, unsubscribe_method"
        );
    }

    #[test]
    fn null_empty_and_absent_become_an_empty_cell() {
        for field in FIELDS {
            let name = field.name;
            assert_eq!(one(name, "null"), "", "{name}");
            assert_eq!(one(name, r#""""#), "", "{name}");
        }
        assert_eq!(one("tags", "[]"), "");
        assert_eq!(one("custom_fields", "{}"), "");
        let list = ListRef {
            id: 1,
            name: "L".into(),
        };
        let bare = r#"{"id":5}"#;
        let entry = Entry::parse(bare).unwrap();
        let columns = Column::all();
        let rows = Rows::new(&columns, &list);
        let cells = rows.cells(Subscriber::new(bare, &entry));
        assert_eq!(cells.take(4).collect::<Vec<_>>(), ["1", "L", "5", ""]);
    }

    #[test]
    fn tags_are_a_csv_record() {
        for (raw, expected) in [
            (r#"["a","b c"]"#, "a,b c"),
            (
                r#"["a,b","say \"hi\"","x\ny"]"#,
                "\"a,b\",\"say \"\"hi\"\"\",\"x\ny\"",
            ),
            (r#"[""]"#, "\"\""),
            (r#"["","a"]"#, ",a"),
            (r#"["a\rb"]"#, "\"a\rb\""),
            (r#"[1, null]"#, "1,"),
            (r#""loose""#, "loose"),
            (r#"{"a": 1}"#, r#"{"a":1}"#),
        ] {
            assert_eq!(one("tags", raw), expected, "{raw}");
        }
    }

    #[test]
    fn custom_fields_keep_order_case_digits_and_nulls() {
        assert_eq!(
            one(
                "custom_fields",
                r#"{ "b": "1", "a": null, "A": 40.10, "é": "\u00e9\n", "n": [1, {"x": " y "}] }"#
            ),
            r#"{"b":"1","a":null,"A":40.10,"é":"é\n","n":[1,{"x":" y "}]}"#
        );
    }

    #[test]
    fn custom_fields_without_escapes_lose_only_white_space() {
        for (raw, expected) in [
            (
                r#"{ "b" : "x  y", "b": 1.50, "ü": "é" }"#,
                r#"{"b":"x  y","b":1.50,"ü":"é"}"#,
            ),
            ("{ }", ""),
            ("[ ]", ""),
            (r#"[ 1, { "a" : " " } ]"#, r#"[1,{"a":" "}]"#),
        ] {
            assert_eq!(one("custom_fields", raw), expected);
        }
    }

    #[test]
    fn text_is_exported_exactly_as_held_by_aweber() {
        for text in [" 007 ", "a\"b,c\r\nd", "=cmd|x", "😀", "\u{202e}rtl"] {
            assert_eq!(one("name", &quoted(text)), text);
        }
        assert_eq!(one("latitude", "40.10"), "40.10");
        assert_eq!(one("dma_code", r#""511""#), "511");
        assert_eq!(
            one("verified_at", r#""2025-11-21T10:56:38""#),
            "2025-11-21T10:56:38"
        );
        assert_eq!(
            one("unsubscribed_at", r#""2025-11-21T10:56:38-05:00""#),
            "2025-11-21T15:56:38Z"
        );
        assert_eq!(one("name", r#"{"odd": 1}"#), r#"{"odd":1}"#);
    }

    #[test]
    fn columns_are_selected_by_exact_name() {
        let names = [
            "email",
            "custom.Color",
            "custom.COLOR",
            "custom.absent",
            "list_name",
        ];
        let columns: Vec<Column> = names
            .iter()
            .map(|name| Column::from_name(name).unwrap())
            .collect();
        let list = ListRef {
            id: 1,
            name: "L".into(),
        };
        let json =
            r#"{"id":5,"email":"a@b","custom_fields":{"Color":"blue","COLOR":null,"n":1.50}}"#;
        let entry = Entry::parse(json).unwrap();
        let rows = Rows::new(&columns, &list);
        let cells = rows.cells(Subscriber::new(json, &entry));
        assert_eq!(cells.collect::<Vec<_>>(), ["a@b", "blue", "", "", "L"]);
        for (name, column) in names.iter().zip(&columns) {
            assert_eq!(column.name(), *name);
        }
        for unknown in ["", "Email", "custom.", "custom"] {
            assert_eq!(Column::from_name(unknown), None, "{unknown}");
        }
    }
}
