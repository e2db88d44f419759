//! The API: authentication, routing, authorization, then the answer.

use crate::account::{AccountState, blocked, invalid_account};
use crate::answer::{Answer, envelope_a, invalid_token, wrong_method};
use crate::oauth1;
use crate::record::Authorization;
use crate::request::Request;
use crate::resources;
use crate::routes::{Endpoint, Route};
use crate::signature::is_signed;
use crate::world::World;

pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    let answer = try_answer(world, request).unwrap_or_else(|rejection| rejection);
    if !world.settings.rate_limit_headers {
        return answer;
    }
    answer
        .header("x-ratelimit-limit", "120")
        .header("x-ratelimit-remaining", "100")
}

/// The token is checked first: without a valid one the answer does not depend on the path.
fn try_answer(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    if world.account_state == AccountState::Blocked {
        return Err(blocked());
    }
    let token = authenticate(world, request)?;
    if let Some(rejection) = world.account_state.rejection() {
        return Err(rejection);
    }
    let route = Route::parse(request)?;
    if request.method != "GET" {
        return Err(wrong_method("GET"));
    }
    if let Some(token) = &token {
        check_scope(world, token, route.scope())?;
    }
    if route.account.is_some_and(|id| id != world.account.id) {
        return Err(invalid_account());
    }
    route.check_query(request, world.settings.refuse_unknown_parameters)?;
    match route.endpoint {
        Endpoint::Accounts => resources::accounts(world, request),
        Endpoint::Account => Ok(resources::account(world)),
        Endpoint::FindSubscribers => resources::find_everywhere(world, request),
        Endpoint::Lists => resources::lists(world, request, false),
        Endpoint::FindLists => resources::lists(world, request, true),
        Endpoint::List(id) => resources::list(world, id),
        Endpoint::CustomFields(id) => resources::custom_fields(world, request, id),
        Endpoint::Tags(id) => resources::tags(world, id),
        Endpoint::Subscribers(id) => resources::subscribers(world, request, id),
        Endpoint::FindInList(id) => resources::find_in_list(world, request, id),
        // It exists at AWeber, but its content is no business of an export.
        Endpoint::Linked(_) => Err(envelope_a(404, "NotFoundError", "Not found")),
        Endpoint::Subscriber(list, id) => resources::subscriber(world, list, id),
    }
}

/// The access token; `None` for a signed request, since OAuth 1.0a has no scopes.
fn authenticate(world: &mut World, request: &Request) -> Result<Option<String>, Answer> {
    match request.authorization() {
        Authorization::Bearer(token) | Authorization::Query(token) => {
            if world.use_access_token(&token) {
                Ok(Some(token))
            } else {
                Err(invalid_token(world.settings.bad_token_envelope))
            }
        }
        _ if is_signed(request) => oauth1::check_api(world, request).map(|()| None),
        _ => Err(missing_parameters()),
    }
}

/// AWeber falls back to this OAuth 1 error if it cannot parse the header.
fn missing_parameters() -> Answer {
    let names =
        "oauth_consumer_key, oauth_nonce, oauth_signature, oauth_signature_method, oauth_timestamp";
    envelope_a(
        400,
        "MissingOAuthParametersError",
        &format!("Missing oauth parameters: {names}"),
    )
}

fn check_scope(world: &World, token: &str, scope: &str) -> Result<(), Answer> {
    // The extended scope has been equivalent to the plain one since 2021.
    let is_enough = |own: &String| {
        own == scope || (scope == "subscriber.read" && own == "subscriber.read-extended")
    };
    if world.scopes_of(token).iter().any(is_enough) {
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
