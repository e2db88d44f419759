//! The authorization page: checks client, redirect URI, PKCE and scopes, then shows the code or redirects with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::answer::{Answer, envelope_b};
use crate::oauth::new_code;
use crate::request::Request;
use crate::tokens::ClientKind;
use crate::world::World;

const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// All scopes of AWeber.
const SCOPES: [&str; 9] = [
    "account.read",
    "list.read",
    "list.write",
    "subscriber.read",
    "subscriber.write",
    "subscriber.read-extended",
    "email.read",
    "email.write",
    "landing-page.read",
];

/// Answers a visit to the page. A visit counts as consent.
pub(crate) fn authorize(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let client = request
        .param("client_id")
        .and_then(|id| world.tokens.client(id))
        .cloned();
    let client = client.ok_or_else(|| envelope_b(401, "invalid_client", "Unknown client"))?;
    let redirect = request
        .param("redirect_uri")
        .filter(|uri| client.redirect_uris.iter().any(|own| own == uri));
    let redirect = redirect
        .ok_or_else(|| envelope_b(400, "invalid_request", "Invalid redirect URI"))?
        .to_owned();
    let state = request.param("state").map(str::to_owned);
    let reject = |error: &str, description: &str| {
        let pairs = [("error", error), ("error_description", description)];
        if redirect == OUT_OF_BAND {
            envelope_b(400, error, description)
        } else {
            redirect_to_client(&redirect, state.as_deref(), &pairs)
        }
    };
    if request.param("response_type") != Some("code") {
        return Err(reject(
            "unsupported_response_type",
            "response_type must be code",
        ));
    }
    check_challenge(request, client.kind).map_err(|message| reject("invalid_request", message))?;
    let scopes: Vec<String> = request
        .param("scope")
        .unwrap_or("")
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(reject(
            "invalid_scope",
            "The requested scope is missing, unknown or malformed",
        ));
    }
    if world.settings.customer_refuses {
        return Err(reject(
            "access_denied",
            "The resource owner denied the request",
        ));
    }
    let challenge = request.param("code_challenge").map(str::to_owned);
    let code = new_code(world, &client.client_id, &redirect, challenge, scopes);
    if redirect == OUT_OF_BAND {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><title>Authorization code</title></head>\n<body>\n\
             <p>Copy this code into the application:</p>\n<p><code id=\"code\">{code}</code></p>\n</body></html>\n"
        );
        return Ok(Answer::of(200, "text/html; charset=utf-8", page));
    }
    Ok(redirect_to_client(
        &redirect,
        state.as_deref(),
        &[("code", &code)],
    ))
}

/// PKCE is required for public clients and forbidden for confidential ones.
fn check_challenge(request: &Request, kind: ClientKind) -> Result<(), &'static str> {
    let (challenge, method) = (
        request.param("code_challenge"),
        request.param("code_challenge_method"),
    );
    match kind {
        ClientKind::Confidential if challenge.is_some() || method.is_some() => {
            Err("Confidential Client MUST NOT Use PKCE")
        }
        ClientKind::Confidential => Ok(()),
        ClientKind::Public => {
            let challenge = challenge.ok_or("Public Client MUST Use PKCE")?;
            if method != Some("S256") {
                return Err("code_challenge_method must be S256");
            }
            let is_sha256 = URL_SAFE_NO_PAD
                .decode(challenge)
                .is_ok_and(|bytes| bytes.len() == 32);
            if is_sha256 {
                Ok(())
            } else {
                Err("code_challenge must be the base64url form of a SHA-256")
            }
        }
    }
}

/// A redirect to the client. AWeber puts the state first.
fn redirect_to_client(redirect: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Answer {
    let target = Url::parse(redirect).map(|mut url| {
        url.query_pairs_mut()
            .extend_pairs(state.map(|state| ("state", state)))
            .extend_pairs(pairs);
        url.to_string()
    });
    Answer::of(302, "text/html; charset=utf-8", "")
        .header("location", target.unwrap_or_else(|_| redirect.to_owned()))
}
