//! Bodies with status 200 that are not, or not quite, what was requested.

use super::step::{ACCOUNT, ALL, API, COUNT, LISTS, ONE, PAGED, PAGES, TOKEN};
use super::table::Outcome::{Ends, Retries, Succeeds, TokensLost};
use super::table::{Outcomes, Row, row};
use aweber_sandbox::FaultKind;
use serde_json::{Map, Value, json};

/// An unreadable body is retried; tokens in it are lost.
const UNREADABLE: Outcomes = &[(TOKEN, TokensLost), (API, Retries)];

/// Not a collection.
const NO_PAGE: Outcomes = &[(PAGED, Retries)];

const HARMLESS: Outcomes = &[(API, Succeeds)];

/// Twice AWeber's largest possible answer, and far above the memory limit of a run.
const HUGE: u64 = 200 * 1024 * 1024;

fn bytes(bytes: impl AsRef<[u8]>) -> FaultKind {
    let bytes = bytes.as_ref().to_vec();
    FaultKind::replace_bytes(move |_| bytes.clone())
}

/// Changes each entry of a page, or the body itself if it is not a page.
pub(super) fn entries(change: fn(&mut Map<String, Value>)) -> FaultKind {
    FaultKind::replace(move |mut body| {
        match body.get_mut("entries").and_then(Value::as_array_mut) {
            Some(entries) => entries
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(change),
            None => body.as_object_mut().into_iter().for_each(change),
        }
        body
    })
}

/// Inserts text into each object of a page, before its first key.
fn into_objects(what: impl Into<String>) -> FaultKind {
    let key = format!(r#"{{{},"id":"#, what.into());
    FaultKind::replace_bytes(move |body| {
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains(r#"{"id":"#), "{text}");
        text.replace(r#"{"id":"#, &key).into_bytes()
    })
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// Bodies for every step.
#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    let says = "answer cannot be used";
    let kept = "AWeber's answer";
    vec![
        // Not JSON, or incomplete.
        row("empty, work done", bytes(""), "answer", UNREADABLE).sampled(),
        row("HTML, work done", bytes("<html>Back soon</html>"), "answer", UNREADABLE).sampled(),
        row("half a JSON text", FaultKind::replace_bytes(|b| b[..b.len() / 2].to_vec()), says, &[(PAGED, Retries), (ONE, Retries)]).sampled(),
        row("a NUL", bytes([0]), "answer", UNREADABLE).sampled(),
        row("UTF-16", FaultKind::replace_bytes(|b| b.iter().flat_map(|c| [*c, 0]).collect()), "answer", UNREADABLE).sampled(),
        row("invalid UTF-8", FaultKind::replace_bytes(|b| b.iter().flat_map(|c| [*c, 0xff]).collect()), "answer", UNREADABLE).sampled(),
        row("invalid UTF-8 in the texts", FaultKind::replace_bytes(|b| b.iter().map(|c| if *c == b'l' || *c == b'T' { 0xff } else { *c }).collect()), "answer", &[(TOKEN, TokensLost), (ACCOUNT, Succeeds), (LISTS, Retries), (PAGES, Retries), (ONE, Retries)]).sampled(),
        row("nested 10,000 deep", bytes(deep(10_000)), "answer", UNREADABLE).sampled(),
        row("nested 10,000 deep and cut off", bytes("[".repeat(10_000)), "answer", UNREADABLE).sampled(),
        row("entries nested 10,000 deep", bytes(format!(r#"{{"entries":[{}]}}"#, deep(10_000))), "answer", UNREADABLE).sampled(),
        row("200 MB", FaultKind::HugeBody(HUGE), "larger than", UNREADABLE).sampled(),
        row("200 MB, packed", FaultKind::GzipBomb(HUGE), "larger than", UNREADABLE).sampled(),
        // JSON of another kind.
        row("null", bytes("null"), "answer", UNREADABLE).sampled(),
        row("an array", bytes("[]"), "answer", UNREADABLE).sampled(),
        row("an empty object", bytes("{}"), "answer", UNREADABLE).sampled(),
        row("a text", bytes(r#""OK""#), "answer", UNREADABLE).sampled(),
        row("an error in a 200", bytes(r#"{"error":"temporarily_unavailable"}"#), "answer", UNREADABLE).sampled(),
        row("another error in a 200", bytes(r#"{"error":{"status":503,"type":"ServiceUnavailableError","message":"API Unavailable"}}"#), "answer", UNREADABLE).sampled(),
        row("wrapped", FaultKind::replace(|body| json!({"data": body})), kept, &[(TOKEN, TokensLost), (PAGED, Retries), (COUNT, Retries), (ONE, Retries)]).sampled(),
        row("twice", FaultKind::replace_bytes(|b| [b.as_slice(), b"\n", &b].concat()), says, &[(TOKEN, Succeeds), (API, Retries)]),
        row("entries null", bytes(r#"{"entries":null}"#), says, NO_PAGE).sampled(),
        row("entries an object", bytes(r#"{"entries":{"0":{"id":1}}}"#), says, NO_PAGE).sampled(),
        row("entries of null", bytes(r#"{"entries":[null]}"#), says, NO_PAGE).sampled(),
        row("entries of numbers", bytes(r#"{"entries":[1,2,3]}"#), says, NO_PAGE).sampled(),
        row("duplicate entries key", FaultKind::replace_bytes(|b| [br#"{"entries":[],"#, &b[1..]].concat()), says, NO_PAGE).sampled(),
        row("entries without id", entries(|entry| drop(entry.remove("id"))), says, &[(PAGED, Retries), (ONE, Retries)]).sampled(),
        row("ids that are null", entries(|entry| entry["id"] = Value::Null), says, &[(PAGED, Retries), (ONE, Retries)]).sampled(),
        row("ids that are words", entries(|entry| entry["id"] = json!("seven")), says, &[(PAGED, Retries), (ONE, Retries)]).sampled(),
        row("ids larger than any number", entries(|entry| entry["id"] = json!(1e300)), says, &[(PAGED, Retries), (ONE, Retries)]).sampled(),
        row("another id", entries(|entry| entry["id"] = json!(1)), says, &[(ONE, Retries)]).sampled(),
        row("a negative count", bytes("-205"), says, &[(COUNT, Retries)]),
        row("a count of null", bytes(r#"{"total_size":null}"#), says, &[(COUNT, Retries)]),
        row("a count in words", bytes("many"), says, &[(COUNT, Retries)]),
        row("a page instead of the count", bytes(r#"{"entries":[]}"#), says, &[(COUNT, Retries)]),
        // Unusual but complete.
        row("surrounding blanks", FaultKind::replace_bytes(|b| [b" \r\n\t", b.as_slice(), b"\n\n"].concat()), "", &[(ALL, Succeeds)]),
        row("unknown keys", into_objects(r#""new":{"a":[1,{}]},"":null"#), "", &[(PAGED, Succeeds), (ONE, Succeeds)]).sampled(),
        row("an unknown key nested 10,000 deep", into_objects(format!(r#""new":{}"#, deep(10_000))), "", &[(PAGED, Succeeds), (ONE, Succeeds)]).sampled(),
        row("a custom field nested 10,000 deep", into_objects(format!(r#""custom_fields":{}"#, deep(10_000))), "", &[(PAGED, Succeeds), (ONE, Succeeds)]).sampled(),
        row("half an emoji", into_objects(r#""new":"\ud83d""#), "", &[(PAGED, Succeeds), (ONE, Succeeds)]).sampled(),
        row("duplicate keys", into_objects(r#""id":7,"email":"x","subscribed_at":null,"status":"unsubscribed","name":"x""#), "", &[(PAGED, Succeeds), (ONE, Succeeds)]).sampled(),
        row("numbers as strings", entries(numbers_as_strings), "", HARMLESS).sampled(),
        row("strings as numbers", entries(strings_as_numbers), "", HARMLESS).sampled(),
        row("strings as true", entries(strings_as_true), "", HARMLESS).sampled(),
        row("only ids", entries(only_ids), "", HARMLESS).sampled(),
        row("everything else null", entries(all_null), "", HARMLESS).sampled(),
        row("the size as a string", size(|n| json!(n.to_string())), "", &[(ACCOUNT, Succeeds), (LISTS, Succeeds), (COUNT, Succeeds)]),
        row("the size in words", size(|_| json!("many")), "", &[(ACCOUNT, Succeeds), (LISTS, Succeeds)]),
        row("the size null", size(|_| Value::Null), "", &[(ACCOUNT, Succeeds), (LISTS, Succeeds), (PAGES, Succeeds)]),
        row("the size in an object", size(|n| json!({"total_size": n})), "", &[(COUNT, Succeeds)]),
        row("the size as a string in an object", size(|n| json!({"total_size": n.to_string()})), "", &[(COUNT, Succeeds)]),
        row("a size smaller than the pages", size(|_| json!(0)), "", &[(LISTS, Succeeds), (COUNT, Succeeds)]),
    ]
}

/// Changes the size: the count itself, or the size that a page states.
fn size(change: fn(u64) -> Value) -> FaultKind {
    FaultKind::replace(move |mut body| {
        if let Some(n) = body.as_u64() {
            return change(n);
        }
        let n = body.get("total_size").and_then(Value::as_u64).unwrap_or(0);
        body["total_size"] = change(n);
        body
    })
}

fn numbers_as_strings(entry: &mut Map<String, Value>) {
    for value in entry.values_mut().filter(|value| value.is_number()) {
        *value = Value::String(value.to_string());
    }
}

/// All texts except the times, which identify an event: another value would be another event.
fn texts(entry: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let texts = entry
        .iter_mut()
        .filter(|(key, value)| !is_key(key) && value.is_string());
    texts.map(|(_, value)| value)
}

fn strings_as_numbers(entry: &mut Map<String, Value>) {
    texts(entry).for_each(|value| *value = json!(40.10));
}

fn strings_as_true(entry: &mut Map<String, Value>) {
    texts(entry).for_each(|value| *value = json!(true));
}

fn is_key(key: &str) -> bool {
    matches!(key, "id" | "subscribed_at" | "unsubscribed_at")
}

fn only_ids(entry: &mut Map<String, Value>) {
    entry.retain(|key, _| is_key(key));
}

fn all_null(entry: &mut Map<String, Value>) {
    for (_, value) in entry.iter_mut().filter(|(key, _)| !is_key(key)) {
        *value = Value::Null;
    }
}

/// Token answers: usable ones are used; any other may contain the only live token.
#[rustfmt::skip]
pub(super) fn of_tokens() -> Vec<Row> {
    const USED: Outcomes = &[(TOKEN, Succeeds)];
    const LOST: Outcomes = &[(TOKEN, TokensLost)];
    let says = "answer";
    vec![
        row("duplicate keys, the last one counts", FaultKind::replace_bytes(|b| [br#"{"access_token":"old","refresh_token":"old","#, &b[1..]].concat()), "", USED),
        row("unknown keys of the answer", FaultKind::replace(|mut b| { b["scope"] = json!(["x", {"deep": null}]); b["version"] = json!(99); b }), "", USED),
        row("lifetime as a string", FaultKind::replace(|mut b| { b["expires_in"] = json!("7200"); b }), "", USED),
        row("fractional lifetime", FaultKind::replace(|mut b| { b["expires_in"] = json!(7199.5); b }), "", USED),
        row("lifetime in words", FaultKind::replace(|mut b| { b["expires_in"] = json!("two hours"); b }), "", USED),
        row("negative lifetime", FaultKind::replace(|mut b| { b["expires_in"] = json!(-1); b }), "", USED),
        row("maximum lifetime", FaultKind::replace(|mut b| { b["expires_in"] = json!(u64::MAX); b }), "", USED),
        row("only both tokens", FaultKind::replace(|b| json!({"access_token": b["access_token"], "refresh_token": b["refresh_token"]})), "", USED),
        row("another token type", FaultKind::replace(|mut b| { b["token_type"] = json!(7); b }), "", USED),
        row("cut off after both tokens", FaultKind::replace_bytes(|b| b[..b.len() - 3].to_vec()), "", USED),
        row("trailing text", FaultKind::replace_bytes(|b| [b.as_slice(), b"<!-- cached -->"].concat()), "", USED),
        row("endless trailing blanks", FaultKind::replace_bytes(|b| [b.as_slice(), &[b' '; 200_000]].concat()), "", USED),
        row("a key nested 10,000 deep behind both tokens", FaultKind::replace_bytes(|b| [&b[..b.len() - 1], format!(r#","x":{}}}"#, deep(10_000)).as_bytes()].concat()), "", USED),
        row("no access token", FaultKind::replace(|mut b| { b.as_object_mut().unwrap().remove("access_token"); b }), says, LOST),
        row("an access token that is a number", FaultKind::replace(|mut b| { b["access_token"] = json!(7); b }), says, LOST),
        row("an empty access token", FaultKind::replace(|mut b| { b["access_token"] = json!(""); b }), says, LOST),
        row("a refresh token that is a number", FaultKind::replace(|mut b| { b["refresh_token"] = json!(7); b }), says, LOST),
        row("in an array", FaultKind::replace(|b| json!([b])), says, LOST),
        row("as a script", FaultKind::replace_bytes(|b| [b"callback(", b.as_slice(), b");"].concat()), says, LOST),
        row("cut off before both tokens", FaultKind::replace_bytes(|b| b[..b.len() / 3].to_vec()), says, LOST),
        row("an access token invalid in a header", FaultKind::replace(|mut b| { b["access_token"] = json!("line\nbreak"); b }), "", &[(TOKEN, Ends(69))]),
    ]
}
