//! OAuth 1.0a: request tokens, the authorization page with its verifier, access tokens that never expire.

use url::Url;
use url::form_urlencoded::{self, Serializer};

use crate::account::{AccountState, blocked};
use crate::answer::{Answer, envelope_a, envelope_b, unknown_path, wrong_method};
use crate::request::Request;
use crate::signature::{Claims, Seen, check_signature, unauthorized};
use crate::tokens::random_token;
use crate::world::World;

const OUT_OF_BAND: &str = "oob";

/// An app made before April 2019.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// The consumer key.
    pub key: String,
    /// The consumer secret.
    pub secret: String,
    /// The id in the address of its page `authorize_app`.
    pub app_id: String,
}

/// Access token and token secret.
#[derive(Debug, Clone)]
pub struct SignedTokens {
    /// The access token.
    pub token: String,
    /// Its secret.
    pub secret: String,
}

#[derive(Debug, Clone)]
struct RequestToken {
    token: SignedTokens,
    consumer: String,
    callback: String,
    /// Once the customer has allowed access.
    verifier: Option<String>,
    spent: bool,
}

#[derive(Debug, Clone)]
struct AccessToken {
    token: SignedTokens,
    consumer: String,
    revoked: bool,
}

/// Consumers, tokens, and the nonces seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct OAuth1 {
    consumers: Vec<Consumer>,
    requests: Vec<RequestToken>,
    access: Vec<AccessToken>,
    seen: Seen,
}

impl OAuth1 {
    fn consumer(&self, key: &str) -> Option<&Consumer> {
        self.consumers.iter().find(|own| own.key == key)
    }

    /// Valid or not, oldest first.
    pub(crate) fn access_tokens(&self) -> impl Iterator<Item = &str> {
        self.access.iter().map(|own| own.token.token.as_str())
    }

    pub(crate) fn revoke_all(&mut self) {
        self.access.iter_mut().for_each(|own| own.revoked = true);
    }
}

/// Apps and tokens of OAuth 1.0a.
impl World {
    /// Registers an app.
    pub fn add_consumer(&mut self, key: &str, secret: &str) -> Consumer {
        let consumer = Consumer {
            key: key.to_owned(),
            secret: secret.to_owned(),
            app_id: format!("app{}", self.oauth1.consumers.len() + 1),
        };
        self.tokens.record_secret(secret);
        self.oauth1.consumers.push(consumer.clone());
        consumer
    }

    /// The app that every sandbox has.
    pub fn consumer(&self) -> Consumer {
        self.oauth1.consumers[0].clone()
    }

    /// Authorizes an app.
    pub fn grant_signed(&mut self, consumer_key: &str) -> SignedTokens {
        let token = SignedTokens {
            token: random_token("AT1"),
            secret: random_token("TS1"),
        };
        self.tokens.record_secret(&token.token);
        self.tokens.record_secret(&token.secret);
        self.oauth1.access.push(AccessToken {
            token: token.clone(),
            consumer: consumer_key.to_owned(),
            revoked: false,
        });
        token
    }

    /// The valid access tokens of OAuth 1.0a, oldest first.
    pub fn live_signed_tokens(&self) -> Vec<String> {
        let access = self.oauth1.access.iter();
        access
            .filter(|own| !own.revoked)
            .map(|own| own.token.token.clone())
            .collect()
    }

    /// Returns true if an access token of OAuth 1.0a is valid.
    pub fn is_live_signed_token(&self, token: &str) -> bool {
        self.live_signed_tokens().iter().any(|own| own == token)
    }

    fn new_request_token(&mut self, consumer: &str, callback: &str) -> SignedTokens {
        let token = SignedTokens {
            token: random_token("RQ1"),
            secret: random_token("QS1"),
        };
        // The token itself is part of an address that people open.
        self.tokens.record_secret(&token.secret);
        self.oauth1.requests.push(RequestToken {
            token: token.clone(),
            consumer: consumer.to_owned(),
            callback: callback.to_owned(),
            verifier: None,
            spent: false,
        });
        token
    }

    /// The customer allows access: the verifier, and where to go with it.
    fn verify(&mut self, token: &str) -> Option<(String, String)> {
        let mut requests = self.oauth1.requests.iter_mut();
        let own = requests.find(|own| own.token.token == token && !own.spent)?;
        let verifier = random_token("VF1");
        own.verifier = Some(verifier.clone());
        let callback = own.callback.clone();
        self.tokens.record_secret(&verifier);
        Some((verifier, callback))
    }
}

pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    if world.account_state == AccountState::Blocked {
        return blocked();
    }
    let path = request.path.strip_prefix("/1.0/oauth/").unwrap_or("");
    let answer = match (path, path.strip_prefix("authorize_app/")) {
        ("request_token", _) => request_token(world, request),
        ("access_token", _) => access_token(world, request),
        ("authorize", _) | (_, Some(_)) if request.method != "GET" => Err(wrong_method("GET")),
        ("authorize", _) => authorize(world, request),
        (_, Some(app)) => authorize_app(world, app),
        _ => Err(unknown_path()),
    };
    answer.unwrap_or_else(|rejection| rejection)
}

/// Checks the signature of a request to the API; returns the answer to reject it with.
pub(crate) fn check_api(world: &mut World, request: &Request) -> Result<(), Answer> {
    let claims = Claims::of(request)?;
    let consumer = consumer_of(world, &claims)?;
    let token = claims.get("oauth_token").unwrap_or("");
    let mut access = world.oauth1.access.iter();
    let own =
        access.find(|own| own.token.token == token && own.consumer == consumer.key && !own.revoked);
    let secret = own.map(|own| own.token.secret.clone());
    let secret = secret.ok_or_else(|| unauthorized("Invalid Token"))?;
    check(world, request, &claims, [&consumer.secret, &secret])
}

fn request_token(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let claims = Claims::of(request)?;
    let consumer = consumer_of(world, &claims)?;
    check(world, request, &claims, [&consumer.secret, ""])?;
    let callback = claims.get("oauth_callback").ok_or_else(|| {
        let message = "Missing oauth parameters: oauth_callback";
        envelope_a(400, "MissingOAuthParametersError", message)
    })?;
    if callback != OUT_OF_BAND && Url::parse(callback).is_err() {
        return Err(envelope_a(400, "BadRequestError", "Invalid oauth_callback"));
    }
    let token = world.new_request_token(&consumer.key, callback);
    Ok(form(&[
        ("oauth_token_secret", &token.secret),
        ("oauth_token", &token.token),
        ("oauth_callback_confirmed", "true"),
    ]))
}

fn access_token(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let claims = Claims::of(request)?;
    let consumer = consumer_of(world, &claims)?;
    let token = claims.get("oauth_token").unwrap_or("").to_owned();
    let find = |world: &World| {
        let mut requests = world.oauth1.requests.iter();
        requests
            .position(|own| own.token.token == token && own.consumer == consumer.key && !own.spent)
    };
    let at = find(world).ok_or_else(|| unauthorized("Invalid Token"))?;
    let secret = world.oauth1.requests[at].token.secret.clone();
    check(world, request, &claims, [&consumer.secret, &secret])?;
    let own = &mut world.oauth1.requests[at];
    if own.verifier.is_none() || own.verifier.as_deref() != claims.get("oauth_verifier") {
        return Err(unauthorized("Invalid oauth_verifier"));
    }
    own.spent = true;
    let tokens = world.grant_signed(&consumer.key);
    Ok(form(&[
        ("oauth_token_secret", &tokens.secret),
        ("oauth_token", &tokens.token),
    ]))
}

/// A visit counts as consent.
fn authorize(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let token = request.param("oauth_token").unwrap_or("").to_owned();
    if world.settings.customer_refuses {
        return Err(envelope_b(400, "access_denied", "The customer denied it"));
    }
    let Some((verifier, callback)) = world.verify(&token) else {
        return Err(unauthorized("Invalid Token"));
    };
    if callback == OUT_OF_BAND {
        return Ok(page(&verifier));
    }
    let target = Url::parse(&callback).map(|mut url| {
        url.query_pairs_mut()
            .append_pair("oauth_token", &token)
            .append_pair("oauth_verifier", &verifier);
        url.to_string()
    });
    Ok(Answer::of(302, "text/html; charset=utf-8", "")
        .header("location", target.unwrap_or(callback)))
}

/// Shows key, secret, request token, its secret and verifier as one code.
fn authorize_app(world: &mut World, app: &str) -> Result<Answer, Answer> {
    let consumer = world.oauth1.consumers.iter().find(|own| own.app_id == app);
    let consumer = consumer.ok_or_else(unknown_path)?.clone();
    let token = world.new_request_token(&consumer.key, OUT_OF_BAND);
    let (verifier, _) = world
        .verify(&token.token)
        .ok_or_else(|| unauthorized("Invalid Token"))?;
    let parts = [
        &consumer.key,
        &consumer.secret,
        &token.token,
        &token.secret,
        &verifier,
    ];
    Ok(page(&parts.map(String::as_str).join("|")))
}

fn consumer_of(world: &World, claims: &Claims) -> Result<Consumer, Answer> {
    let consumer = claims
        .get("oauth_consumer_key")
        .and_then(|key| world.oauth1.consumer(key));
    consumer
        .cloned()
        .ok_or_else(|| unauthorized("Consumer key is invalid."))
}

fn check(
    world: &mut World,
    request: &Request,
    claims: &Claims,
    secrets: [&str; 2],
) -> Result<(), Answer> {
    let now = world.now().timestamp();
    check_signature(request, claims, secrets, now, &mut world.oauth1.seen)
}

fn form(pairs: &[(&str, &str)]) -> Answer {
    let mut body: Serializer<'_, String> = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(pairs);
    Answer::of(200, "application/x-www-form-urlencoded", body.finish())
}

fn page(code: &str) -> Answer {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><title>Authorization code</title></head>\n<body>\n\
         <p>Copy this code into the application:</p>\n<p><code id=\"code\">{code}</code></p>\n</body></html>\n"
    );
    Answer::of(200, "text/html; charset=utf-8", page)
}
