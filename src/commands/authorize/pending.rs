//! What the second half of an authorization must know of the first, in the same process or in another; and what a person
//! pastes with OAuth 1.0a. Pure.

use crate::authorization::PendingAuthorization;
use crate::error::{Error, Kind, Result};
use crate::secret::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

/// An authorization that was begun: what its second half must know.
pub(super) enum Pending {
    /// OAuth 2.
    Code(PendingAuthorization),
    /// OAuth 1.0a.
    Verifier(RequestToken),
}

impl Pending {
    /// The page to open in a browser.
    pub(super) fn url(&self, auth: &Url) -> Url {
        match self {
            Pending::Code(pending) => pending.url(auth),
            Pending::Verifier(request) => request.url(auth),
        }
    }

    /// For the other half in another process.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Pending::Code(pending) => pending.to_bytes(),
            Pending::Verifier(request) => request.to_bytes(),
        }
    }

    /// What [`Pending::to_bytes`] wrote.
    pub(super) fn parse(content: &[u8]) -> Option<Pending> {
        let code = PendingAuthorization::parse(content).map(Pending::Code);
        code.or_else(|| RequestToken::parse(content).map(Pending::Verifier))
    }
}

/// A request token, which the customer authorizes.
#[derive(Debug)]
pub(super) struct RequestToken {
    pub(super) client_id: String,
    /// Pasted with the verifier; else as configured.
    pub(super) client_secret: Option<SecretString>,
    /// Part of the authorization URL, so no secret.
    pub(super) token: String,
    pub(super) secret: SecretString,
}

impl RequestToken {
    /// The page to open in a browser.
    pub(super) fn url(&self, auth: &Url) -> Url {
        let mut url = auth.clone();
        url.set_path("/1.0/oauth/authorize");
        url.query_pairs_mut()
            .append_pair("oauth_token", &self.token);
        url
    }

    /// For the other half in another process.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let secret = self.secret.expose_secret();
        let json = json!({
            "client_id": self.client_id,
            "request_token": self.token,
            "request_token_secret": secret,
        });
        format!("{json}\n").into_bytes()
    }

    /// What [`RequestToken::to_bytes`] wrote.
    pub(super) fn parse(content: &[u8]) -> Option<RequestToken> {
        let map: Map<String, Value> = serde_json::from_slice(content).ok()?;
        let text = |key: &str| Some(map.get(key)?.as_str()?.to_owned());
        Some(RequestToken {
            client_id: text("client_id")?,
            client_secret: None,
            token: text("request_token")?,
            secret: text("request_token_secret")?.into(),
        })
    }
}

/// The code of AWeber's page `authorize_app`: consumer key and secret, request token and its secret, verifier. Returns
/// the verifier apart.
pub(super) fn read_app_code(pasted: &str) -> Option<(RequestToken, String)> {
    let parts: Vec<&str> = pasted.trim().split('|').map(str::trim).collect();
    let [key, secret, token, token_secret, verifier] = parts[..] else {
        return None;
    };
    let request = RequestToken {
        client_id: key.to_owned(),
        client_secret: Some(secret.into()),
        token: token.to_owned(),
        secret: token_secret.into(),
    };
    (!parts.contains(&"")).then(|| (request, verifier.to_owned()))
}

/// The verifier in what a person pasted: itself, or the address of a page with it.
pub(super) fn read_verifier(pasted: &str, token: &str) -> Result<SecretString> {
    let again = |what: &str| {
        Error::new(Kind::NeedsHuman, what)
            .safe("nothing was changed")
            .next("aweber-sync authorize --oauth1")
    };
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']).trim();
    let Some((_, query)) = pasted.split_once('?') else {
        return match pasted {
            "" => Err(again("no code was given")),
            _ if pasted.contains(char::is_whitespace) => {
                Err(again("invalid code: contains white space"))
            }
            _ => Ok(pasted.into()),
        };
    };
    let query = query.split('#').next().unwrap_or(query);
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
    };
    match value("oauth_verifier").filter(|verifier| !verifier.is_empty()) {
        None => Err(again("the pasted address holds no code")),
        Some(_) if value("oauth_token").is_none_or(|pasted| pasted != token) => Err(again(
            "the pasted address belongs to another authorization than the one begun here",
        )),
        Some(verifier) => Ok(verifier.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_authorize_app_has_five_values() {
        let (request, verifier) = read_app_code(" key|s|token|ts|v3rifier\r\n").unwrap();
        assert_eq!(
            (request.client_id.as_str(), verifier.as_str()),
            ("key", "v3rifier")
        );
        assert_eq!(request.secret.expose_secret(), "ts");
        for other in ["", "verifier", "a|b|c|d", "a|b|c|d|", "a|b|c|d|e|f"] {
            assert!(read_app_code(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_verifier_is_found_however_it_is_pasted() {
        for pasted in [
            "abc",
            " 'abc'\n",
            "https://localhost/?oauth_token=t&oauth_verifier=abc",
            "<http://x/?oauth_verifier=abc&oauth_token=t#top>",
        ] {
            let verifier = read_verifier(pasted, "t").unwrap();
            assert_eq!(verifier.expose_secret(), "abc", "{pasted}");
        }
        for bad in [
            "",
            "two words",
            "https://localhost/?oauth_token=t",
            "https://localhost/?oauth_token=other&oauth_verifier=abc",
            "https://localhost/?oauth_verifier=abc",
        ] {
            let error = read_verifier(bad, "t").unwrap_err();
            assert_eq!(error.kind(), Kind::NeedsHuman, "{bad}");
        }
    }

    #[test]
    fn a_request_token_survives_a_process() {
        let (request, _) = read_app_code("key|s|token|ts|v").unwrap();
        let again = RequestToken::parse(&request.to_bytes()).unwrap();
        assert_eq!(
            (again.client_id.as_str(), again.token.as_str()),
            ("key", "token")
        );
        assert_eq!(again.secret.expose_secret(), "ts");
    }
}
