//! The control interface for use without Rust: `/_sandbox/` on the API origin. Its requests are neither recorded nor
//! counted towards the rate limit.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::new_subscriber::NewSubscriber;
use crate::record::{Authorization, Origin, Recorded};
use crate::request::Request;
use crate::subscriber::Status;
use crate::world::World;

pub(crate) const PREFIX: &str = "/_sandbox/";

pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    let path = request.path.strip_prefix(PREFIX).unwrap_or("");
    let segments: Vec<&str> = path.split('/').collect();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let outcome = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["state"]) => Ok(state(world)),
        ("GET", ["requests"]) => Ok(world.requests.iter().map(record).collect()),
        ("POST", ["lists"]) => add_list(world, &body),
        ("POST", ["lists", list, "subscribers"]) => add_subscriber(world, list, &body),
        ("POST", ["lists", list, "subscribers", id, change]) => {
            change_subscriber(world, list, id, change)
        }
        ("POST", ["expire"]) => {
            world.expire_access_tokens();
            Ok(json!({"done": "expired all access tokens"}))
        }
        ("POST", ["revoke"]) => {
            world.revoke_everything();
            Ok(json!({"done": "revoked all tokens"}))
        }
        _ => Err((404, "unknown control request".to_owned())),
    };
    match outcome {
        Ok(value) => Answer::value(200, &value),
        Err((status, error)) => Answer::value(status, &json!({"error": error})),
    }
}

/// The answer, or a status and an error message.
type Outcome = Result<Value, (u16, String)>;

fn state(world: &World) -> Value {
    let lists: Vec<Value> = world
        .lists()
        .map(|list| {
            let count = |status| {
                list.subscribers()
                    .iter()
                    .filter(|own| own.status == status)
                    .count()
            };
            json!({
                "id": list.id,
                "name": list.name,
                "subscribed": count(Status::Subscribed),
                "unconfirmed": count(Status::Unconfirmed),
                "unsubscribed": count(Status::Unsubscribed),
            })
        })
        .collect();
    let clients: Vec<&str> = world
        .tokens
        .clients
        .iter()
        .map(|client| client.client_id.as_str())
        .collect();
    json!({
        "api_url": world.api_url(),
        "auth_url": world.auth_url(),
        "now": world.now().to_rfc3339(),
        "account": {"id": world.account.id, "company": world.account.company, "state": format!("{:?}", world.account_state)},
        "clients": clients,
        "lists": lists,
        "live_access_tokens": world.live_access_tokens().len(),
        "live_refresh_tokens": world.live_refresh_tokens().len(),
        "requests": world.requests.len(),
    })
}

fn record(request: &Recorded) -> Value {
    let authorization = match &request.authorization {
        Authorization::None => "none",
        Authorization::Bearer(_) => "bearer",
        Authorization::Basic { .. } => "basic",
        Authorization::Query(_) => "query",
        Authorization::Other(_) => "other",
    };
    json!({
        "number": request.number,
        "origin": if request.origin == Origin::Api { "api" } else { "auth" },
        "method": request.method,
        "path_and_query": request.path_and_query,
        "authorization": authorization,
        "user_agent": request.user_agent,
        "form": request.form.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
        "status": request.status,
        "fault": request.fault,
    })
}

fn add_list(world: &mut World, body: &Value) -> Outcome {
    let name = text(body, "name").ok_or_else(|| bad_request("missing name"))?;
    let id = world.add_list(name);
    Ok(json!({"id": id, "name": name}))
}

/// A key that is not handled here becomes a field of the subscriber's JSON.
fn add_subscriber(world: &mut World, list: &str, body: &Value) -> Outcome {
    let list = list_id(world, list)?;
    let email = text(body, "email").ok_or_else(|| bad_request("missing email"))?;
    let mut new = NewSubscriber::new(email);
    for (key, value) in body.as_object().into_iter().flatten() {
        new = match (key.as_str(), value) {
            ("email", _) => new,
            ("name", Value::String(name)) => new.name(name),
            ("status", Value::String(word)) => {
                new.status(Status::parse(word).ok_or_else(|| {
                    bad_request("invalid status: expected subscribed, unsubscribed or unconfirmed")
                })?)
            }
            ("subscribed_at", Value::String(instant)) => {
                new.subscribed_at(instant.parse().map_err(|_| {
                    bad_request("invalid subscribed_at: expected a time like 2026-11-20T08:30:00Z")
                })?)
            }
            ("tags", Value::Array(tags)) => new.tags(tags.iter().filter_map(Value::as_str)),
            ("custom_fields", Value::Object(fields)) => fields
                .iter()
                .fold(new, |new, (name, value)| new.custom(name, value.clone())),
            (key, value) => new.with(key, value.clone()),
        };
    }
    let id = world.add_subscriber(list, new);
    Ok(json!({"list": list, "id": id, "email": email}))
}

fn change_subscriber(world: &mut World, list: &str, id: &str, change: &str) -> Outcome {
    let list = list_id(world, list)?;
    let id = id
        .parse()
        .ok()
        .filter(|id| world.subscriber(list, *id).is_some());
    let id = id.ok_or_else(|| (404, "no such subscriber".to_owned()))?;
    match change {
        "confirm" => world.confirm(list, id),
        "unsubscribe" => world.unsubscribe(list, id),
        "delete" => world.delete(list, id),
        _ => {
            return Err((
                404,
                "unknown change: expected confirm, unsubscribe or delete".to_owned(),
            ));
        }
    }
    Ok(json!({"list": list, "id": id, "done": change}))
}

fn list_id(world: &World, list: &str) -> Result<u64, (u16, String)> {
    let id = list.parse().ok().filter(|id| world.list(*id).is_some());
    id.ok_or_else(|| (404, "no such list".to_owned()))
}

fn text<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn bad_request(error: &str) -> (u16, String) {
    (400, error.to_owned())
}
