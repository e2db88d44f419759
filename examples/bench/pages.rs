//! Pages of subscribers, rendered from one entry of the sandbox: each copy has its own id and times.

use crate::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The id and the time in the sandbox's entry, which are replaced in each copy.
pub(crate) const ID: u64 = 123_456_789;
pub(crate) const TIME: &str = "2024-05-06T07:08:09";

/// Size of the cache of finished answers. Pages beyond it are rendered for each request.
const CACHE_BYTES: usize = 700 * 1024 * 1024;

type Parameters<'a> = HashMap<Cow<'a, str>, Cow<'a, str>>;

/// The subscribers of all lists, ordered by id and by time.
pub(crate) struct Pages {
    /// The sandbox's entry, split at each placeholder.
    template: Vec<(String, Placeholder)>,
    /// The list that each path is for.
    lists: HashMap<String, u64>,
    /// Subscribers on each list at the start.
    initial: u64,
    /// Subscribers added to each list since then.
    pub(crate) added: AtomicU64,
    /// Requests so far, those forwarded to the sandbox too.
    pub(crate) requests: AtomicU64,
    start: DateTime<Utc>,
    origin: String,
    /// Finished answers: all runs and curl request the same pages.
    cache: Mutex<HashMap<String, Arc<Vec<u8>>>>,
}

enum Placeholder {
    Id,
    Time,
    End,
}

impl Pages {
    /// Takes the sandbox's answer with one entry.
    pub(crate) fn new(
        answer: &[u8],
        lists: HashMap<String, u64>,
        initial: u64,
        origin: String,
    ) -> Result<Pages> {
        let text = std::str::from_utf8(answer)?;
        let (_, body) = text
            .split_once("\r\n\r\n")
            .ok_or("no answer from the sandbox")?;
        let page: HashMap<&str, &RawValue> = serde_json::from_str(body)?;
        let entries = page.get("entries").ok_or("no entries")?;
        let entries: Vec<&RawValue> = serde_json::from_str(entries.get())?;
        let entry = entries.first().ok_or("no entry")?.get();
        Ok(Pages {
            template: split_at_placeholders(entry),
            lists,
            initial,
            added: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            start: Utc::now(),
            origin,
            cache: Mutex::default(),
        })
    }

    /// The answer to a request for subscribers; `None` if the request is for something else.
    pub(crate) fn answer(&self, target: &str) -> Option<Arc<Vec<u8>>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let list = *self.lists.get(path)?;
        let total = self.initial + self.added.load(Ordering::SeqCst);
        let key = format!("{total} {target}");
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = cache().get(&key) {
            return Some(answer.clone());
        }
        let parameters: Parameters<'_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let first = self.first_match(&parameters, total)?;
        let body = if parameters.contains_key("ws.show") {
            (total - first).to_string()
        } else {
            self.render_page(path, list, &parameters, first..total)?
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nDate: {}\r\n\r\n{body}",
            body.len(),
            Utc::now().format("%a, %d %b %Y %H:%M:%S GMT")
        );
        let answer = Arc::new(answer.into_bytes());
        let mut cache = cache();
        if (cache.len() + 1) * answer.len().max(1) < CACHE_BYTES {
            cache.insert(key, answer.clone());
        }
        Some(answer)
    }

    /// The first row that passes the filters; all rows after it pass too.
    fn first_match(&self, parameters: &Parameters<'_>, total: u64) -> Option<u64> {
        if parameters.get("status").is_some_and(|s| s == "unconfirmed") {
            return Some(total);
        }
        let Some(day) = parameters.get("subscribed_after") else {
            return Some(0);
        };
        let day = format!("{day}T00:00:00Z").parse::<DateTime<Utc>>().ok()?;
        let (mut low, mut high) = (0, total);
        while low < high {
            let middle = (low + high) / 2;
            if self.subscribed_at(middle) < day {
                low = middle + 1
            } else {
                high = middle
            }
        }
        Some(low)
    }

    /// One page out of the rows that pass the filters.
    fn render_page(
        &self,
        path: &str,
        list: u64,
        parameters: &Parameters<'_>,
        rows: std::ops::Range<u64>,
    ) -> Option<String> {
        let number = |name: &str, default: u64| {
            let text = parameters.get(name);
            text.map_or(Some(default), |text| text.parse().ok())
        };
        let (start, size) = (number("ws.start", 0)?, number("ws.size", 100)?);
        let found = rows.end - rows.start;
        let end = (start + size).min(found);
        let mut body = String::from("{\"entries\":[");
        for row in rows.start + start.min(end)..rows.start + end {
            body.push_str(if row == rows.start + start { "" } else { "," });
            self.render_entry(list, row, &mut body);
        }
        body.push_str(&format!("],\"start\":{start}"));
        if !parameters.contains_key("ws.op") {
            body.push_str(&format!(",\"total_size\":{found}"));
        }
        if end < found {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(parameters.iter().filter(|(name, _)| *name != "ws.start"));
            query.append_pair("ws.start", &end.to_string());
            let (origin, query) = (&self.origin, query.finish());
            body.push_str(&format!(
                ",\"next_collection_link\":\"{origin}{path}?{query}\""
            ));
        }
        Some(body + "}")
    }

    fn render_entry(&self, list: u64, row: u64, out: &mut String) {
        let id = (list % 100 * 10_000_000 + 100_000_000 + row).to_string();
        let time = self.subscribed_at(row) - TimeDelta::hours(4);
        let time = time.format("%Y-%m-%dT%H:%M:%S").to_string();
        for (text, placeholder) in &self.template {
            out.push_str(text);
            out.push_str(match placeholder {
                Placeholder::Id => &id,
                Placeholder::Time => &time,
                Placeholder::End => "",
            });
        }
    }

    /// Initial subscribers are spread over three years that end 40 days ago, but the last one subscribed yesterday.
    /// Added ones subscribed just before the start.
    fn subscribed_at(&self, row: u64) -> DateTime<Utc> {
        let seconds = 3 * 365 * 86_400 * (self.initial - row.min(self.initial)) / self.initial;
        if row >= self.initial {
            let later = TimeDelta::milliseconds((row - self.initial) as i64);
            self.start - TimeDelta::minutes(1) + later
        } else if row + 1 == self.initial {
            self.start - TimeDelta::hours(30)
        } else {
            self.start - TimeDelta::days(40) - TimeDelta::seconds(seconds as i64)
        }
    }
}

fn split_at_placeholders(entry: &str) -> Vec<(String, Placeholder)> {
    let id = ID.to_string();
    let (mut template, mut rest) = (vec![], entry);
    loop {
        let (at_id, at_time) = (rest.find(&id), rest.find(TIME));
        let (at, placeholder, length) = match (at_id, at_time) {
            (Some(i), Some(t)) if i < t => (i, Placeholder::Id, id.len()),
            (Some(i), None) => (i, Placeholder::Id, id.len()),
            (_, Some(t)) => (t, Placeholder::Time, TIME.len()),
            (None, None) => break,
        };
        template.push((rest[..at].to_owned(), placeholder));
        rest = &rest[at + length..];
    }
    template.push((rest.to_owned(), Placeholder::End));
    template
}
