//! Verifying the signature of a request (RFC 5849, section 3.2). AWeber's limits: HMAC-SHA1, timestamps within 300 s.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use url::form_urlencoded;

use crate::answer::{Answer, envelope_a};
use crate::request::Request;

/// The furthest that a timestamp may be from now, in seconds.
const THRESHOLD: i64 = 300;

const REQUIRED: [&str; 5] = [
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
];

/// Consumer key, timestamp and nonce of each request accepted.
pub(crate) type Seen = HashSet<[String; 3]>;

/// The protocol parameters of a request.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Decoded; `realm` is not one of them.
    parameters: Vec<(String, String)>,
    /// They are in the header, so query and form have none.
    in_header: bool,
}

impl Claims {
    /// Those in the header, or else in the query or the form.
    pub(crate) fn of(request: &Request) -> Result<Claims, Answer> {
        let header = request.header("authorization").and_then(after_scheme);
        let parameters = match header {
            Some(header) => header
                .split(',')
                .filter_map(|part| {
                    let (name, value) = part.trim().split_once('=')?;
                    let value = value.strip_prefix('"')?.strip_suffix('"')?;
                    Some((percent_decoded(name), percent_decoded(value)))
                })
                .filter(|(name, _)| !name.eq_ignore_ascii_case("realm"))
                .collect(),
            None => request
                .params
                .iter()
                .cloned()
                .chain(request.form())
                .filter(|(name, _)| name.starts_with("oauth_"))
                .collect(),
        };
        let claims = Claims {
            parameters,
            in_header: header.is_some(),
        };
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|name| claims.get(name).is_none())
            .collect();
        if !missing.is_empty() {
            let message = format!("Missing oauth parameters: {}", missing.join(", "));
            return Err(envelope_a(400, "MissingOAuthParametersError", &message));
        }
        let mut names: Vec<&String> = claims.parameters.iter().map(|(name, _)| name).collect();
        names.sort();
        if names.windows(2).any(|two| two[0] == two[1]) {
            return Err(bad("Duplicated oauth parameter"));
        }
        Ok(claims)
    }

    /// A parameter with a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(own, _)| own == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// Whether a request is signed, in the header or elsewhere.
pub(crate) fn is_signed(request: &Request) -> bool {
    let header = request.header("authorization").and_then(after_scheme);
    header.is_some() || request.param("oauth_signature").is_some()
}

/// The signature of a request, if it has one.
pub(crate) fn signature_of(request: &Request) -> Option<String> {
    let claims = Claims::of(request).ok()?;
    claims.get("oauth_signature").map(str::to_owned)
}

fn after_scheme(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("oauth").then_some(rest)
}

/// Checks method, timestamp, signature and nonce. `secrets`: of the consumer and of the token.
pub(crate) fn check_signature(
    request: &Request,
    claims: &Claims,
    secrets: [&str; 2],
    now: i64,
    seen: &mut Seen,
) -> Result<(), Answer> {
    if claims.get("oauth_signature_method") != Some("HMAC-SHA1") {
        return Err(bad("Unsupported oauth_signature_method"));
    }
    if claims
        .get("oauth_version")
        .is_some_and(|version| version != "1.0")
    {
        return Err(bad("Unsupported oauth_version"));
    }
    let written = claims.get("oauth_timestamp").unwrap_or("");
    let timestamp: i64 = written
        .parse()
        .map_err(|_| bad("Invalid oauth_timestamp"))?;
    if (now - timestamp).abs() > THRESHOLD {
        return Err(unauthorized(&format!(
            "Expired timestamp: given {timestamp} and now {now} has a greater difference than threshold {THRESHOLD}"
        )));
    }
    let base = base_string(request, claims);
    let key = secrets.map(percent_encoded).join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let sent = STANDARD.decode(claims.get("oauth_signature").unwrap_or(""));
    if !sent.is_ok_and(|sent| hmac::verify(&key, base.as_bytes(), &sent).is_ok()) {
        return Err(unauthorized(&format!(
            "Invalid signature. Expected signature base string: {base}"
        )));
    }
    let stamp = ["oauth_consumer_key", "oauth_timestamp", "oauth_nonce"];
    let stamp = stamp.map(|name| claims.get(name).unwrap_or("").to_owned());
    if !seen.insert(stamp) {
        return Err(unauthorized("Nonce already used"));
    }
    Ok(())
}

/// RFC 5849, section 3.4.1: the request as it arrived, query and form decoded as forms.
fn base_string(request: &Request, claims: &Claims) -> String {
    let is_signed = |name: &str| name != "oauth_signature";
    let own = claims.parameters.iter().filter(|_| claims.in_header);
    let mut pairs: Vec<(String, String)> = own
        .cloned()
        .chain(form_urlencoded::parse(request.query.as_bytes()).into_owned())
        .chain(request.form())
        .filter(|(name, _)| is_signed(name))
        .map(|(name, value)| (percent_encoded(&name), percent_encoded(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let host = request.header("host").unwrap_or("").to_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let address = format!("http://{host}{}", request.path);
    [
        request.method.to_uppercase(),
        percent_encoded(&address),
        percent_encoded(&pairs.join("&")),
    ]
    .join("&")
}

pub(crate) fn unauthorized(message: &str) -> Answer {
    envelope_a(401, "UnauthorizedError", message)
}

fn bad(message: &str) -> Answer {
    envelope_a(400, "BadRequestError", message)
}

/// RFC 5849, section 3.6.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3);
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
