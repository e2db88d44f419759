//! The API: who asks, what for, and the answer. Everything under `/1.0` that an export needs to read.

use crate::account::{self, invalid_account};
use crate::answer::{Answer, bad_request, envelope_a, invalid_token, unknown_path, wrong_method};
use crate::record::Authorization;
use crate::request::Request;
use crate::resources;
use crate::world::World;

/// Answers one API request.
pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    check(world, request)
        .and_then(|()| route(world, request))
        .unwrap_or_else(|refusal| refusal)
}

/// Identity before everything else: no path is told apart from another without a good token.
fn check(world: &mut World, request: &Request) -> Result<(), Answer> {
    if world.account_state == crate::AccountState::Blocked {
        return Err(account::blocked());
    }
    let token = match request.authorization() {
        Authorization::Bearer(token) | Authorization::Query(token) => token,
        Authorization::Other(header) if header.to_ascii_lowercase().starts_with("oauth ") => {
            return Err(envelope_a(
                401,
                "UnauthorizedError",
                "Consumer key is invalid.",
            ));
        }
        _ => return Err(missing_parameters()),
    };
    if !world.use_access_token(&token) {
        return Err(invalid_token(world.settings.bad_token_envelope));
    }
    world.account_state.refusal().map_or(Ok(()), Err)
}

/// The wording is OAuth 1's: AWeber falls back to it when it cannot read the header.
fn missing_parameters() -> Answer {
    let names =
        "oauth_consumer_key, oauth_nonce, oauth_signature, oauth_signature_method, oauth_timestamp";
    envelope_a(
        400,
        "MissingOAuthParametersError",
        &format!("Missing oauth parameters: {names}"),
    )
}

fn route(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let rest = request
        .path
        .strip_prefix("/1.0/")
        .ok_or_else(unknown_path)?;
    let segments: Vec<&str> = rest.split('/').collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| unknown_path());
    let own = |world: &World, text: &str| {
        let id = number(text)?;
        if world.account.id == id {
            Ok(())
        } else {
            Err(invalid_account())
        }
    };
    let read = |world: &World, scope: &str| may_read(world, request, scope);
    match segments.as_slice() {
        ["accounts"] => {
            read(world, "account.read")?;
            no_operation(request, &[])?;
            resources::accounts(world, request)
        }
        ["accounts", id] => {
            number(id)?;
            let is_find = request.param("ws.op") == Some("findSubscribers");
            read(
                world,
                if is_find {
                    "subscriber.read"
                } else {
                    "account.read"
                },
            )?;
            own(world, id)?;
            no_operation(request, &["findSubscribers"])?;
            if is_find {
                return resources::find_everywhere(world, request);
            }
            Ok(Answer::json(
                200,
                account::render(
                    &world.account,
                    &format!("{}/1.0/accounts", world.link_origin()),
                ),
            ))
        }
        ["accounts", id, "lists"] => {
            number(id)?;
            read(world, "list.read")?;
            own(world, id)?;
            no_operation(request, &["find"])?;
            resources::lists(world, request)
        }
        ["accounts", id, "lists", list, rest @ ..] => {
            let list = number(list)?;
            number(id)?;
            match rest {
                [] | ["custom_fields"] | ["tags"] => read(world, "list.read")?,
                ["subscribers"] => read(world, "subscriber.read")?,
                ["subscribers", subscriber] => {
                    number(subscriber)?;
                    read(world, "subscriber.read")?;
                }
                _ => return Err(unknown_path()),
            }
            own(world, id)?;
            no_operation(
                request,
                if rest == ["subscribers"] {
                    &["find"]
                } else {
                    &[]
                },
            )?;
            resources::in_list(world, request, list, rest)
        }
        _ => Err(unknown_path()),
    }
}

/// The path exists; now the method and the scope.
fn may_read(world: &World, request: &Request, scope: &str) -> Result<(), Answer> {
    if request.method != "GET" {
        return Err(wrong_method("GET"));
    }
    let token = match request.authorization() {
        Authorization::Bearer(token) | Authorization::Query(token) => token,
        _ => return Err(missing_parameters()),
    };
    let granted = world.scopes_of(&token);
    // The extended scope has been equal to the plain one since 2021.
    if granted.iter().any(|own| {
        own == scope || (scope == "subscriber.read" && own == "subscriber.read-extended")
    }) {
        return Ok(());
    }
    let status = world.settings.require_scope_status;
    let kind = if status == 401 {
        "UnauthorizedError"
    } else {
        "ForbiddenError"
    };
    Err(envelope_a(
        status,
        kind,
        &format!("The access token does not have the scope {scope}"),
    ))
}

/// An operation that the path does not have.
fn no_operation(request: &Request, known: &[&str]) -> Result<(), Answer> {
    match request.param("ws.op") {
        Some(name) if !known.contains(&name) => {
            Err(bad_request(&format!("No such operation: {name}")))
        }
        _ => Ok(()),
    }
}
