//! The authorization code flow as data (RFC 6749, section 4.1; PKCE: RFC 7636), and that of OAuth 1.0a (RFC 5849, section
//! 2), which has the same parts: the URL to open, and what a person pastes back. Pure but for random bytes.

use crate::api::reaction::SCOPES;
use crate::error::{Error, Kind, Result};
use crate::printable::printable;
use crate::secret::{ExposeSecret, SecretString};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use serde_json::{Map, Value, json};
use url::Url;

/// Random bytes behind a verifier: 48 make 64 characters, of the 43 to 128 allowed (RFC 7636, section 4.1).
const VERIFIER_BYTES: usize = 48;

/// Random bytes behind a state.
const STATE_BYTES: usize = 18;

/// An authorization that was begun: what its second half must know.
#[derive(Debug)]
pub(crate) struct PendingAuthorization {
    pub(crate) client_id: String,
    /// None: OAuth 1.0a, out of band.
    pub(crate) redirect_uri: Option<String>,
    /// Comes back in the redirect, so that a code of another account cannot be injected. With OAuth 1.0a: the request
    /// token.
    pub(crate) state: String,
    /// PKCE, for public clients; confidential ones must not use it (AWeber API, section 1). With OAuth 1.0a: the secret of
    /// the request token.
    pub(crate) verifier: Option<SecretString>,
}

impl PendingAuthorization {
    /// Begins anew.
    pub(crate) fn new(
        client_id: String,
        redirect_uri: String,
        public: bool,
    ) -> Result<PendingAuthorization> {
        Ok(PendingAuthorization {
            client_id,
            redirect_uri: Some(redirect_uri),
            state: random_text(STATE_BYTES)?,
            verifier: if public {
                Some(random_text(VERIFIER_BYTES)?.into())
            } else {
                None
            },
        })
    }

    /// The page to open in a browser. Holds no secret: the challenge is a hash of the verifier.
    pub(crate) fn url(&self, auth: &Url) -> Url {
        let mut url = auth.clone();
        let Some(redirect_uri) = &self.redirect_uri else {
            url.set_path("/1.0/oauth/authorize");
            url.query_pairs_mut()
                .append_pair("oauth_token", &self.state);
            return url;
        };
        url.set_path("/oauth2/authorize");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", SCOPES)
            .append_pair("state", &self.state);
        if let Some(verifier) = &self.verifier {
            let hash =
                ring::digest::digest(&ring::digest::SHA256, verifier.expose_secret().as_bytes());
            url.query_pairs_mut()
                .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(hash))
                .append_pair("code_challenge_method", "S256");
        }
        url
    }

    /// For the other half in another process.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let verifier = self.verifier.as_ref().map(ExposeSecret::expose_secret);
        let json = json!({
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_verifier": verifier,
        });
        format!("{json}\n").into_bytes()
    }

    /// The code in what a person pasted. Errors: as [`read_pasted`].
    pub(crate) fn read_pasted(&self, pasted: &str) -> Result<SecretString> {
        match &self.redirect_uri {
            Some(_) => read_pasted(pasted, ["code", "state"], &self.state),
            None => read_pasted(pasted, ["oauth_verifier", "oauth_token"], &self.state)
                .map_err(|error| error.next("aweber-sync authorize --oauth1")),
        }
    }

    /// What [`PendingAuthorization::to_bytes`] wrote.
    pub(crate) fn parse(content: &[u8]) -> Option<PendingAuthorization> {
        let map: Map<String, Value> = serde_json::from_slice(content).ok()?;
        let text = |key: &str| Some(map.get(key)?.as_str()?.to_owned());
        Some(PendingAuthorization {
            client_id: text("client_id")?,
            redirect_uri: text("redirect_uri"),
            state: text("state")?,
            verifier: text("code_verifier").map(Into::into),
        })
    }
}

/// The code of AWeber's page `authorize_app`: consumer key and secret, request token and its secret, verifier. Returns
/// the authorization that it completes, the consumer secret and the verifier.
pub(crate) fn read_app_code(pasted: &str) -> Option<(PendingAuthorization, SecretString, String)> {
    let parts: Vec<&str> = pasted.trim().split('|').map(str::trim).collect();
    let [key, secret, token, token_secret, verifier] = parts[..] else {
        return None;
    };
    let pending = PendingAuthorization {
        client_id: key.to_owned(),
        redirect_uri: None,
        state: token.to_owned(),
        verifier: Some(token_secret.into()),
    };
    (!parts.contains(&"")).then(|| (pending, secret.into(), verifier.to_owned()))
}

/// The code in what a person pasted: the code itself, or the whole URL that AWeber redirected to. `names`: of the
/// parameters with the code and with the state.
///
/// Errors: 77 if AWeber or the customer refused, or, as a wrong paste, it is no code of this authorization.
pub(crate) fn read_pasted(pasted: &str, names: [&str; 2], state: &str) -> Result<SecretString> {
    let again = |what: &str| ended(Kind::WrongPaste, what);
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']).trim();
    if pasted.is_empty() {
        return Err(again("no code was given"));
    }
    let query = match pasted.split_once('?') {
        Some((_, query)) => query.split('#').next().unwrap_or(query),
        None if has_parameter(pasted, names[0]) => pasted,
        None if pasted.contains("://") => {
            return Err(again("the pasted address holds no code"));
        }
        None if pasted.contains(char::is_whitespace) => {
            return Err(again("invalid code: contains white space"));
        }
        None => return Ok(pasted.into()),
    };
    let (mut code, mut came_back, mut refusal, mut why) = (None, None, None, String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            name if name == names[0] => code = Some(value.into_owned()),
            name if name == names[1] => came_back = Some(value.into_owned()),
            "error" => refusal = Some(value.into_owned()),
            "error_description" => why = format!(": {value}"),
            _ => {}
        }
    }
    if let Some(refusal) = refusal {
        let text = format!("AWeber did not allow it ({refusal}{why})");
        return Err(ended(Kind::NeedsHuman, &printable(&text, 300)));
    }
    match came_back {
        None => {
            return Err(again(
                "the pasted address has no state: copy the whole address",
            ));
        }
        Some(came_back) if came_back != state => {
            return Err(again(
                "the pasted address belongs to another authorization than the one begun here",
            ));
        }
        Some(_) => {}
    }
    match code.filter(|code| !code.is_empty()) {
        Some(code) => Ok(code.into()),
        None => Err(again("the pasted address holds no code")),
    }
}

fn ended(kind: Kind, what: &str) -> Error {
    Error::new(kind, what)
        .safe("nothing was changed")
        .next("aweber-sync authorize")
}

/// Whether a text is a query with that parameter.
fn has_parameter(text: &str, name: &str) -> bool {
    let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.any(|(found, _)| found == name)
}

fn random_text(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    ring::rand::SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::new(Kind::LocalIo, "the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_public_client_sends_a_challenge() {
        let auth = Url::parse("https://auth.aweber.com").unwrap();
        for public in [true, false] {
            let begun = PendingAuthorization::new(
                "id 1".into(),
                "urn:ietf:wg:oauth:2.0:oob".into(),
                public,
            )
            .unwrap();
            let url = begun.url(&auth);
            let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
            assert_eq!(pairs["scope"], "account.read list.read subscriber.read");
            assert_eq!(pairs["state"], begun.state);
            assert_eq!(pairs.contains_key("code_challenge"), public);
            assert_eq!(
                pairs.get("code_challenge_method").map(String::as_str),
                public.then_some("S256")
            );
            if let Some(verifier) = &begun.verifier {
                assert_eq!(verifier.expose_secret().len(), 64);
                assert!(!url.as_str().contains(verifier.expose_secret()));
            }
        }
    }

    #[test]
    fn the_challenge_is_the_example_of_rfc_7636() {
        let begun = PendingAuthorization {
            client_id: "c".into(),
            redirect_uri: Some("r".into()),
            state: "s".into(),
            verifier: Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
        };
        let url = begun.url(&Url::parse("http://localhost:1").unwrap());
        assert!(
            url.as_str()
                .contains("code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&"),
            "{url}"
        );
    }

    #[test]
    fn what_is_begun_survives_a_process() {
        let begun = PendingAuthorization::new("c".into(), "r".into(), true).unwrap();
        let again = PendingAuthorization::parse(&begun.to_bytes()).unwrap();
        assert_eq!(
            (again.client_id, again.state),
            (begun.client_id, begun.state)
        );
        assert_eq!(
            again.verifier.unwrap().expose_secret(),
            begun.verifier.unwrap().expose_secret()
        );
        assert!(PendingAuthorization::parse(b"{}").is_none());
    }

    #[test]
    fn a_code_is_found_however_it_is_pasted() {
        for pasted in [
            "abc",
            "  abc\r\n",
            "'abc'",
            "https://localhost/?state=s1&code=abc",
            "https://localhost/?code=abc&state=s1#_",
            "http://localhost:3000/callback?code=abc&state=s1",
            "code=abc&state=s1",
            "state=s1&code=abc",
            "<https://localhost/?code=abc&state=s1>",
        ] {
            assert_eq!(
                read_pasted(pasted, ["code", "state"], "s1")
                    .unwrap()
                    .expose_secret(),
                "abc",
                "{pasted}"
            );
        }
        for bad in [
            "",
            "\n",
            "https://localhost/",
            "https://localhost/?state=s1",
            "https://localhost/?code=&state=s1",
            "https://localhost/?code=abc&state=other",
            "https://localhost/?code=abc",
            "code=abc&x=1",
            "two words",
        ] {
            assert_eq!(
                read_pasted(bad, ["code", "state"], "s1")
                    .unwrap_err()
                    .kind(),
                Kind::WrongPaste,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_refusal_is_not_a_wrong_paste() {
        let refused = "https://localhost/?error=access_denied&error_description=no&state=s1";
        let error = read_pasted(refused, ["code", "state"], "s1").unwrap_err();
        assert_eq!(error.kind(), Kind::NeedsHuman);
        assert_eq!(error.what(), "AWeber did not allow it (access_denied: no)");
    }

    #[test]
    fn the_code_of_authorize_app_has_five_values() {
        let (pending, secret, verifier) = read_app_code(" key|s|token|ts|v3rifier\r\n").unwrap();
        assert_eq!((&*pending.client_id, &*verifier), ("key", "v3rifier"));
        assert_eq!(secret.expose_secret(), "s");
        let again = PendingAuthorization::parse(&pending.to_bytes()).unwrap();
        assert_eq!(
            (&*again.state, again.redirect_uri.as_deref()),
            ("token", None)
        );
        assert_eq!(again.verifier.unwrap().expose_secret(), "ts");
        for other in ["", "verifier", "a|b|c|d", "a|b|c|d|", "a|b|c|d|e|f"] {
            assert!(read_app_code(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_verifier_is_found_however_it_is_pasted() {
        let (pending, ..) = read_app_code("key|s|t|ts|v").unwrap();
        for pasted in [
            "abc",
            " 'abc'\n",
            "https://localhost/?oauth_token=t&oauth_verifier=abc",
            "oauth_verifier=abc&oauth_token=t",
            "<http://x/?oauth_verifier=abc&oauth_token=t#top>",
        ] {
            let verifier = pending.read_pasted(pasted).unwrap();
            assert_eq!(verifier.expose_secret(), "abc", "{pasted}");
        }
        for bad in [
            "",
            "two words",
            "https://localhost/?oauth_token=t",
            "https://localhost/?oauth_token=other&oauth_verifier=abc",
            "https://localhost/?oauth_verifier=abc",
        ] {
            let error = pending.read_pasted(bad).unwrap_err();
            assert_eq!(error.kind(), Kind::WrongPaste, "{bad}");
        }
    }
}
