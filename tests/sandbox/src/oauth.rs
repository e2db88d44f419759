//! The OAuth 2 token and revoke endpoints, with AWeber's rules for the two kinds of client and its errors. The
//! authorization page is in `authorize`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use ring::digest;
use serde_json::{Map, Value};

use crate::account::{AccountState, blocked};
use crate::answer::{Answer, envelope_a, envelope_b, unknown_path, wrong_method};
use crate::authorize;
use crate::oauth1;
use crate::record::{Authorization, value_of};
use crate::request::Request;
use crate::settings::Envelope;
use crate::tokens::{Client, ClientKind, Code, Tokens, random_token};
use crate::world::World;

type Form = [(String, String)];

pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    if request.path.starts_with("/1.0/oauth/") {
        return oauth1::answer(world, request);
    }
    let allowed = match request.path.as_str() {
        "/oauth2/authorize" => "GET",
        "/oauth2/token" | "/oauth2/revoke" => "POST",
        _ => return unknown_path(),
    };
    if request.method != allowed {
        return wrong_method(allowed);
    }
    if world.account_state == AccountState::Blocked {
        return blocked();
    }
    let answer = match request.path.as_str() {
        "/oauth2/authorize" => authorize::authorize(world, request),
        "/oauth2/token" => token(world, request).map(|answer| answer.header("pragma", "no-cache")),
        _ => revoke(world, request),
    };
    answer
        .unwrap_or_else(|rejection| rejection)
        .header("cache-control", "no-store")
}

/// Issues an authorization code.
pub(crate) fn new_code(
    world: &mut World,
    client_id: &str,
    redirect: &str,
    challenge: Option<String>,
    scopes: Vec<String>,
) -> String {
    let lifetime = i64::try_from(world.settings.code_expires_in).unwrap_or(600);
    let code = Code {
        code: random_token("CODE"),
        client_id: client_id.to_owned(),
        redirect_uri: redirect.to_owned(),
        challenge,
        scopes,
        expires_at: world.now() + Duration::seconds(lifetime),
        spent: false,
    };
    world.tokens.new_code(code)
}

fn token(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let form = form_of(request)?;
    let client = authenticate(world, request, &form)?;
    let tokens = match required(&form, "grant_type")? {
        "authorization_code" => exchange_code(world, &client, &form)?,
        "refresh_token" => {
            let (settings, now) = (world.settings.clone(), world.now());
            let old = required(&form, "refresh_token")?;
            let tokens = world.tokens.refresh(old, &client.client_id, &settings, now);
            tokens.ok_or_else(|| invalid_grant("The refresh token is invalid, used or revoked"))?
        }
        _ => {
            return Err(envelope_b(
                400,
                "unsupported_grant_type",
                "grant_type must be authorization_code or refresh_token",
            ));
        }
    };
    Ok(Answer::value(200, &token_answer(world, &tokens)))
}

fn exchange_code(world: &mut World, client: &Client, form: &Form) -> Result<Tokens, Answer> {
    let verifier = form_value(form, "code_verifier");
    match (client.kind, verifier) {
        (ClientKind::Public, None) => return Err(invalid_request("Public Client MUST Use PKCE")),
        (ClientKind::Confidential, Some(_)) => {
            return Err(invalid_request("Confidential Client MUST NOT Use PKCE"));
        }
        _ => {}
    }
    if verifier.is_some_and(|verifier| !is_verifier(verifier)) {
        return Err(invalid_request(
            "code_verifier must have 43 to 128 unreserved characters",
        ));
    }
    let code = required(form, "code")?;
    let now = world.now();
    let invalid = || invalid_grant("The authorization code is invalid, used or expired");
    let own = world
        .tokens
        .codes
        .iter_mut()
        .find(|own| own.code == code && own.client_id == client.client_id);
    let own = own
        .filter(|own| !own.spent && now < own.expires_at)
        .ok_or_else(invalid)?;
    if form_value(form, "redirect_uri").is_some_and(|uri| uri != own.redirect_uri) {
        return Err(invalid_request("Invalid redirect URI"));
    }
    // A wrong verifier spends the code too: it may be a guess.
    own.spent = true;
    let (scopes, challenge) = (own.scopes.clone(), own.challenge.clone());
    if challenge.as_deref() != verifier.map(challenge_of).as_deref() {
        return Err(invalid_grant(
            "The code verifier does not match the code challenge",
        ));
    }
    let settings = world.settings.clone();
    Ok(world
        .tokens
        .open_family(&client.client_id, scopes, &settings, now))
}

fn token_answer(world: &World, tokens: &Tokens) -> Value {
    let settings = &world.settings;
    let mut answer = Map::new();
    answer.insert(
        "access_token".to_owned(),
        tokens.access_token.as_str().into(),
    );
    if !settings.omit_refresh_token {
        answer.insert(
            "refresh_token".to_owned(),
            tokens.refresh_token.as_str().into(),
        );
    }
    if !settings.omit_token_type {
        answer.insert("token_type".to_owned(), "bearer".into());
    }
    answer.insert("expires_in".to_owned(), settings.access_expires_in.into());
    answer.extend(settings.extra_token_fields.iter().cloned());
    Value::Object(answer)
}

fn revoke(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let form = form_of(request)?;
    let client = authenticate(world, request, &form)?;
    let token = required(&form, "token")?;
    if form_value(&form, "token_type_hint")
        .is_some_and(|hint| !["access_token", "refresh_token"].contains(&hint))
    {
        return Err(invalid_request(
            "token_type_hint must be access_token or refresh_token",
        ));
    }
    if world.tokens.revoke(token, &client.client_id) {
        Ok(Answer::json(200, "{}"))
    } else {
        Err(invalid_request("The token was not issued to this client"))
    }
}

/// Identifies the client by Basic authentication or by the form. A public client must not send a secret.
fn authenticate(world: &World, request: &Request, form: &Form) -> Result<Client, Answer> {
    let (id, secret) = match request.authorization() {
        // A public client's Basic header has a blank secret, which is none.
        Authorization::Basic { id, secret } => {
            (id, Some(secret).filter(|secret| !secret.is_empty()))
        }
        _ => match form_value(form, "client_id") {
            Some(id) => (
                id.to_owned(),
                form_value(form, "client_secret").map(str::to_owned),
            ),
            None => {
                return Err(envelope_a(
                    400,
                    "BadRequestError",
                    "Request does not have OAuth credentials.",
                ));
            }
        },
    };
    let rejected = || match world.settings.bad_client_envelope {
        Envelope::A => envelope_a(401, "UnauthorizedError", "Invalid client credentials"),
        Envelope::B => envelope_b(401, "invalid_client", "Invalid client credentials"),
    };
    let client = world.tokens.client(&id).ok_or_else(rejected)?;
    match client.kind {
        ClientKind::Public if secret.is_some() || form_value(form, "client_secret").is_some() => {
            let message = "public clients MUST NOT include secrets";
            let status = world.settings.public_secret_status;
            Err(envelope_b(
                status,
                if status == 401 {
                    "invalid_client"
                } else {
                    "invalid_request"
                },
                message,
            ))
        }
        ClientKind::Confidential if secret != client.client_secret => Err(rejected()),
        _ => Ok(client.clone()),
    }
}

fn form_of(request: &Request) -> Result<Vec<(String, String)>, Answer> {
    request.fields().ok_or_else(|| {
        envelope_a(
            415,
            "InvalidContentTypeError",
            "Content-Type must be application/x-www-form-urlencoded",
        )
    })
}

fn form_value<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    value_of(form, name).filter(|value| !value.is_empty())
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Answer> {
    form_value(form, name).ok_or_else(|| invalid_request(&format!("Missing {name}")))
}

fn invalid_request(message: &str) -> Answer {
    envelope_b(400, "invalid_request", message)
}

fn invalid_grant(message: &str) -> Answer {
    envelope_b(400, "invalid_grant", message)
}

fn is_verifier(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

/// `BASE64URL(SHA256(verifier))`
pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}
