//! JSON objects written field by field, so that a test can replace or remove any field. Fields are JSON *text*, so that
//! digits are preserved: `40.10` stays `40.10`.

use std::collections::HashSet;

use serde_json::Value;

use crate::settings::Missing;

/// Fields that a test has set (to JSON text) or removed (`None`), by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(Vec<(String, Option<Box<str>>)>);

impl Overrides {
    /// Sets a field to JSON text. Invalid text is allowed: a test may want a broken body.
    pub(crate) fn set(&mut self, key: &str, text: &str) {
        self.put(key, Some(text.into()));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.put(key, None);
    }

    /// `None` if the field is not overridden, `Some(None)` if it is removed.
    pub(crate) fn get(&self, key: &str) -> Option<Option<&str>> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, text)| text.as_deref())
    }

    /// The value of an overridden field; null if it is removed or not valid JSON.
    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        self.get(key).map(|text| {
            text.and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        })
    }

    fn put(&mut self, key: &str, text: Option<Box<str>>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some(field) => field.1 = text,
            None => self.0.push((key.to_owned(), text)),
        }
    }
}

/// Writes one object. Fields keep their order, overridden ones too; additional ones come last.
pub(crate) struct ObjectWriter<'a> {
    out: Vec<u8>,
    overrides: &'a Overrides,
    written: HashSet<&'static str>,
    missing: Missing,
}

impl<'a> ObjectWriter<'a> {
    pub(crate) fn new(overrides: &'a Overrides) -> ObjectWriter<'a> {
        ObjectWriter {
            out: Vec::with_capacity(1024),
            overrides,
            written: HashSet::new(),
            missing: Missing::Null,
        }
    }

    /// Sets the form of fields without a value. Overridden fields are not affected.
    pub(crate) fn sending_missing_as(mut self, missing: Missing) -> ObjectWriter<'a> {
        self.missing = missing;
        self
    }

    /// Writes a field as JSON text.
    pub(crate) fn raw(&mut self, key: &'static str, text: &str) {
        if self.overrides.0.is_empty() {
            self.write_own(key, text);
            return;
        }
        self.written.insert(key);
        match self.overrides.get(key) {
            None => self.write_own(key, text),
            Some(Some(own)) => self.write_known(key, own),
            Some(None) => {}
        }
    }

    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.raw(key, &quoted(value));
    }

    pub(crate) fn optional(&mut self, key: &'static str, value: Option<&str>) {
        self.raw(key, &value.map_or_else(|| "null".to_owned(), quoted));
    }

    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        self.raw(key, &value.to_string());
    }

    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.raw(key, if value { "true" } else { "false" });
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let overrides = self.overrides;
        for (key, text) in &overrides.0 {
            if let (false, Some(text)) = (self.written.contains(key.as_str()), text) {
                self.write(key, text);
            }
        }
        if self.out.is_empty() {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        self.out
    }

    fn write_own(&mut self, key: &'static str, text: &str) {
        match self.missing {
            Missing::Absent if text == "null" => {}
            Missing::Empty if text == "null" => self.write_known(key, "\"\""),
            _ => self.write_known(key, text),
        }
    }

    /// The keys in this crate need no escapes.
    fn write_known(&mut self, key: &'static str, text: &str) {
        self.out
            .extend_from_slice(if self.out.is_empty() { b"{\"" } else { b",\"" });
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out.extend_from_slice(text.as_bytes());
    }

    fn write(&mut self, key: &str, text: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        self.out.extend_from_slice(quoted(key).as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    // Most texts need no escapes, and rendering a page spends most of its time here.
    if text
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        return Value::from(text).to_string();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
    out
}
