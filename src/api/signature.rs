//! Signatures of OAuth 1.0a (RFC 5849, section 3.4): HMAC-SHA1 over method, URL and parameters, sent in the
//! Authorization header only. Pure but for the nonce.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::SecureRandom;
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write;
use url::Url;

/// The keys to sign with.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    /// The client id.
    pub(crate) consumer_key: String,
    /// The client secret.
    pub(crate) consumer_secret: SecretString,
    /// Token and token secret; none to ask for a request token.
    pub(crate) token: Option<(SecretString, SecretString)>,
}

/// What differs between two signatures of one request.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Unix seconds, by the clock of the server.
    pub(crate) timestamp: i64,
    pub(crate) nonce: String,
}

/// A signed request's header, and the signature in it, which no message may repeat.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) header: SecretString,
    pub(crate) signature: SecretString,
}

impl Stamp {
    /// A new one for each attempt: a server refuses a nonce that it has seen.
    pub(crate) fn at(timestamp: i64) -> Stamp {
        let mut bytes = [0; 12];
        // With a generator that fails, AWeber refuses the second request.
        let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
        let nonce = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Stamp { timestamp, nonce }
    }
}

impl Signer {
    /// Signs a request whose body has no parameters. `extra`: further protocol parameters.
    pub(crate) fn sign(
        &self,
        method: &str,
        url: &Url,
        extra: &[(&str, &str)],
        stamp: &Stamp,
    ) -> Signed {
        let timestamp = stamp.timestamp.to_string();
        let mut parameters = vec![
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", &stamp.nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &timestamp),
            ("oauth_version", "1.0"),
        ];
        let token = self.token.as_ref();
        parameters.extend(token.map(|(token, _)| ("oauth_token", token.expose_secret())));
        parameters.extend(extra);

        let token_secret = token.map_or("", |(_, secret)| secret.expose_secret());
        let key = [self.consumer_secret.expose_secret(), token_secret].map(encoded);
        let key = hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            key.join("&").as_bytes(),
        );
        let tag = hmac::sign(&key, base_string(method, url, &parameters).as_bytes());
        let signature = STANDARD.encode(tag);

        parameters.push(("oauth_signature", &signature));
        let fields: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", encoded(value)))
            .collect();
        Signed {
            header: format!("OAuth {}", fields.join(", ")).into(),
            signature: signature.into(),
        }
    }
}

/// The text that is signed (RFC 5849, section 3.4.1).
fn base_string(method: &str, url: &Url, parameters: &[(&str, &str)]) -> String {
    let protocol = parameters
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)));
    let query = url
        .query_pairs()
        .map(|(name, value)| (encoded(&name), encoded(&value)));
    let mut pairs: Vec<(String, String)> = protocol.chain(query).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut without_query = url.clone();
    without_query.set_query(None);
    without_query.set_fragment(None);
    let parts = [method, without_query.as_str(), &pairs.join("&")];
    parts.map(encoded).join("&")
}

/// Percent-encoding of RFC 5849, section 3.6; a form would encode a blank as `+` and leave `*` as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(key: [&str; 2], token: Option<[&str; 2]>) -> Signer {
        Signer {
            consumer_key: key[0].to_owned(),
            consumer_secret: key[1].into(),
            token: token.map(|[token, secret]| (token.into(), secret.into())),
        }
    }

    /// The parameters with which the example of RFC 5849, section 3.4.1.1, is signed, its body among them.
    const EXAMPLE: [(&str, &str); 7] = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
        ("c2", ""),
        ("a3", "2 q"),
    ];

    #[test]
    fn the_base_string_is_that_of_rfc_5849() {
        let url =
            Url::parse("HTTP://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b#x").unwrap();
        assert_eq!(
            base_string("POST", &url, &EXAMPLE),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D\
             %26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method\
             %3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn texts_are_encoded_as_in_rfc_5849_and_not_as_in_forms() {
        for (text, expected) in [
            ("aZ09-._~", "aZ09-._~"),
            (" +*'()!", "%20%2B%2A%27%28%29%21"),
            ("ladies + gentlemen", "ladies%20%2B%20gentlemen"),
            ("ä☃%41", "%C3%A4%E2%98%83%2541"),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }

    /// The photograph of RFC 5849, section 1.2: signed for a request token, an access token, and with one. As printed
    /// there, without a version.
    #[test]
    fn the_signature_is_hmac_sha1_with_both_secrets() {
        let sign = |token_secret: &str, base: &str| {
            let key = format!("{}&{}", encoded("kd94hf93k423kf44"), encoded(token_secret));
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
            STANDARD.encode(hmac::sign(&key, base.as_bytes()))
        };
        let common = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_signature_method", "HMAC-SHA1"),
        ];
        for (method, url, token_secret, own, expected) in [
            (
                "POST",
                "https://photos.example.net/initiate",
                "",
                vec![
                    ("oauth_timestamp", "137131200"),
                    ("oauth_nonce", "wIjqoS"),
                    ("oauth_callback", "http://printer.example.com/ready"),
                ],
                "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
            ),
            (
                "POST",
                "https://photos.example.net/token",
                "hdhd0244k9j7ao03",
                vec![
                    ("oauth_token", "hh5s93j4hdidpola"),
                    ("oauth_timestamp", "137131201"),
                    ("oauth_nonce", "walatlh"),
                    ("oauth_verifier", "hfdp7dh39dks9884"),
                ],
                "gKgrFCywp7rO0OXSjdot/IHF7IU=",
            ),
            (
                "GET",
                "http://photos.example.net/photos?file=vacation.jpg&size=original",
                "pfkkdhi9sl3r4s00",
                vec![
                    ("oauth_token", "nnch734d00sl2jdk"),
                    ("oauth_timestamp", "137131202"),
                    ("oauth_nonce", "chapoH"),
                ],
                "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
            ),
        ] {
            let parameters = [&common[..], &own].concat();
            let base = base_string(method, &Url::parse(url).unwrap(), &parameters);
            assert_eq!(sign(token_secret, &base), expected, "{base}");
        }
    }

    #[test]
    fn a_header_shows_neither_secret_and_two_attempts_differ() {
        let signer = signer(["key", "consumer-secret"], Some(["token", "token-secret"]));
        let url = Url::parse("https://api.aweber.com/1.0/accounts?a=b%20c").unwrap();
        let sign = || signer.sign("GET", &url, &[("oauth_verifier", "v w")], &Stamp::at(7));
        let (one, two) = (sign(), sign());
        let header = one.header.expose_secret();
        assert!(header.starts_with("OAuth oauth_consumer_key=\"key\", oauth_nonce=\""));
        assert!(
            header.contains("oauth_token=\"token\", oauth_verifier=\"v%20w\", oauth_signature=\"")
        );
        assert!(!header.contains("secret"), "{header}");
        assert_ne!(header, two.header.expose_secret());
        let debug = format!("{signer:?} {one:?}");
        assert!(!debug.contains("-secret"), "{debug}");
        assert!(!debug.contains(one.signature.expose_secret()), "{debug}");
    }
}
