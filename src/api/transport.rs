//! One request in; status, date and a bounded body out. The only user of reqwest. No redirect is followed, so a
//! credential goes to the configured origin only; plain http (loopback) never goes through a proxy.

use crate::config::Network;
use crate::error::{Error, Kind, Result, chain};
use crate::secret::{ExposeSecret, SecretString};
use crate::token::journal::RESERVED;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap,
    HeaderValue,
};
use reqwest::{Client, ClientBuilder, Response};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// The largest accepted body, after decompression. A page of 100 subscribers has some 150 KiB.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest that a ping may take.
const PING: Duration = Duration::from_secs(10);

/// The clients for both origins; a clone shares them.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    api: Client,
    auth: Client,
    auth_origin: Url,
    api_origin: Url,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The `Date` header.
    pub(crate) date: Option<DateTime<Utc>>,
    /// It has headers about a rate limit, which AWeber does not document.
    pub(crate) has_limit_headers: bool,
    /// Such as `HTTP/1.1`.
    pub(crate) protocol: &'static str,
    pub(crate) body: Vec<u8>,
}

/// No answer, or half of one. `arrived` is the part of its body that was received.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) arrived: Vec<u8>,
    /// The server's certificate is not trusted: nothing was sent.
    untrusted: bool,
}

impl Transport {
    /// Builds the clients. Errors: 78 if there are no CA certificates to check AWeber's with.
    pub(crate) fn new(network: &Network) -> Result<Transport> {
        // A new connection for each token request: a POST must not fail on a stale one.
        let auth = Client::builder().pool_max_idle_per_host(0);
        Ok(Transport {
            api: build(network, &network.api, Client::builder())?,
            auth: build(network, &network.auth, auth)?,
            api_origin: network.api.clone(),
            auth_origin: network.auth.clone(),
        })
    }

    /// The API's origin.
    pub(crate) fn api_origin(&self) -> &Url {
        &self.api_origin
    }

    /// The URL of a path (with query) of the API.
    pub(crate) fn api_url(&self, path: &str) -> std::result::Result<Url, Fault> {
        at(&self.api_origin, path)
    }

    /// GET from the API with that Authorization header.
    pub(crate) async fn get(
        &self,
        url: Url,
        authorization: &SecretString,
    ) -> std::result::Result<Reply, Fault> {
        let request = self.api.get(url);
        let request = request.header(AUTHORIZATION, sensitive(authorization)?);
        let response = request.send().await.map_err(Fault::from_reqwest)?;
        read(response, LARGEST_BODY, |_| false).await
    }

    /// The URL of a path of the authorization server.
    pub(crate) fn auth_url(&self, path: &str) -> std::result::Result<Url, Fault> {
        at(&self.auth_origin, path)
    }

    /// POST of a form to a path of the authorization server, with that Authorization header.
    pub(crate) async fn post_form(
        &self,
        path: &str,
        form: &[(&str, &str)],
        authorization: Option<&SecretString>,
    ) -> std::result::Result<Reply, Fault> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .auth
            .post(self.auth_url(path)?)
            // Uncompressed, so that the beginning of a body that was cut off can be read.
            .header(ACCEPT_ENCODING, "identity")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, sensitive(authorization)?);
        }
        let response = request.send().await.map_err(Fault::from_reqwest)?;
        // The object may be complete before the stream ends: every moment before it is stored counts.
        read(response, RESERVED, |body| {
            serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        })
        .await
    }
}

fn build(network: &Network, url: &Url, builder: ClientBuilder) -> Result<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let cannot = |cause: String| {
        Error::config(format!("cannot set up TLS: {cause}"))
            .safe("no request was sent and no token was spent")
            .next("install the package ca-certificates, or set SSL_CERT_FILE to a file with CA certificates")
    };
    let builder = with_shared_settings(builder, url)
        .map_err(|e| cannot(chain(&e)))?
        .default_headers(headers)
        .connect_timeout(CONNECT.min(network.timeout))
        .read_timeout(network.timeout)
        .timeout(network.timeout * 4);
    builder.build().map_err(|e| cannot(chain(&e)))
}

/// What the clients have in common. Errors: no CA certificates.
fn with_shared_settings(
    builder: ClientBuilder,
    url: &Url,
) -> std::result::Result<ClientBuilder, rustls::Error> {
    provide_cryptography();
    let builder = builder
        .user_agent(concat!("aweber-sync/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    Ok(match url.scheme() {
        // Loopback: no certificates needed, and a proxy would see the token, or the URL of a ping.
        "http" => builder.no_proxy().tls_certs_only([]),
        _ => builder.tls_backend_preconfigured(tls()?),
    })
}

/// TLS with the CA certificates of the machine. Reading those costs more than an idle run of 50 lists, so the clients
/// share them.
fn tls() -> std::result::Result<ClientConfig, rustls::Error> {
    static TLS: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(tls) = TLS.get() {
        return Ok(tls.clone());
    }
    let builder = ClientConfig::builder().with_platform_verifier()?;
    let mut tls = builder.with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TLS.get_or_init(|| tls).clone())
}

/// GET of a path of the API without a token, by a client that leaves the body as sent: its `Date`, and whether it was
/// compressed. The status does not matter.
pub(crate) async fn look(
    network: &Network,
    path: &str,
) -> Result<std::result::Result<(Reply, bool), Fault>> {
    let client = build(network, &network.api, Client::builder().gzip(false))?;
    let url = match at(&network.api, path) {
        Ok(url) => url,
        Err(fault) => return Ok(Err(fault)),
    };
    let request = client.get(url).header(ACCEPT_ENCODING, "gzip");
    let response = match request.send().await {
        Ok(response) => response,
        Err(e) => return Ok(Err(Fault::from_reqwest(e))),
    };
    let is_compressed = response.headers().contains_key(CONTENT_ENCODING);
    let reply = read(response, LARGEST_BODY, |_| false).await;
    Ok(reply.map(|reply| (reply, is_compressed)))
}

/// `Basic …` for a client id and secret.
pub(crate) fn basic(id: &str, secret: &SecretString) -> SecretString {
    let pair = format!("{id}:{}", secret.expose_secret());
    format!("Basic {}", STANDARD.encode(pair)).into()
}

/// A header that reqwest does not print.
fn sensitive(authorization: &SecretString) -> std::result::Result<HeaderValue, Fault> {
    let mut header = HeaderValue::from_str(authorization.expose_secret()).map_err(|_| {
        Fault::before_sending("the token contains a character that a header cannot carry")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// Before any client is built: reqwest panics without a provider, also for plain http.
fn provide_cryptography() {
    // A second installation is refused and does no harm: it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// POST of a text to a monitoring service, within 10 s; returns the status. The error never contains the URL.
pub(crate) async fn ping(url: Url, body: String) -> std::result::Result<u16, String> {
    let builder = with_shared_settings(Client::builder(), &url).map_err(|e| chain(&e))?;
    let client = builder
        .timeout(PING)
        .build()
        .map_err(|e| chain(&e.without_url()))?;
    let reply = client.post(url).body(body).send().await;
    reply
        .map(|reply| reply.status().as_u16())
        .map_err(|e| chain(&e.without_url()))
}

fn at(origin: &Url, path: &str) -> std::result::Result<Url, Fault> {
    origin
        .join(path)
        .ok()
        .filter(|url| url.origin() == origin.origin())
        .ok_or_else(|| Fault::before_sending("the path leads away from the configured origin"))
}

async fn read(
    mut response: Response,
    largest: usize,
    whole: impl Fn(&[u8]) -> bool,
) -> std::result::Result<Reply, Fault> {
    let status = response.status().as_u16();
    let date = response
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .map(|date| date.to_utc());
    let has_limit_headers = response.headers().keys().any(|name| {
        let name = name.as_str();
        name.contains("ratelimit") || name.contains("rate-limit") || name == "retry-after"
    });
    let protocol = match response.version() {
        reqwest::Version::HTTP_11 => "HTTP/1.1",
        reqwest::Version::HTTP_2 => "HTTP/2",
        _ => "another version of HTTP",
    };
    let whole_reply = |body| Reply {
        status,
        date,
        has_limit_headers,
        protocol,
        body,
    };
    let known = response.content_length().unwrap_or(16 * 1024) as usize;
    let mut body = Vec::with_capacity(known.min(largest) + 1);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = largest - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Err(Fault {
                        what: format!("the answer is larger than {largest} bytes"),
                        arrived: body,
                        untrusted: false,
                    });
                }
                if whole(&body) {
                    return Ok(whole_reply(body));
                }
            }
            Ok(None) => return Ok(whole_reply(body)),
            Err(e) => {
                let fault = Fault::from_reqwest(e);
                return Err(Fault {
                    arrived: body,
                    ..fault
                });
            }
        }
    }
}

impl Fault {
    /// The error to end with if the certificate is not trusted: trying again would not help.
    pub(crate) fn untrusted_certificate(&self) -> Option<Error> {
        self.untrusted.then(|| {
            Error::new(Kind::Unavailable, self.what.clone())
                .safe("no token was sent")
                .next(
                    "check the clock of this machine, its CA certificates (package ca-certificates, or the file in \
                     SSL_CERT_FILE), and whether a proxy on the way opens TLS connections",
                )
        })
    }

    fn before_sending(what: &str) -> Fault {
        Fault {
            what: what.to_owned(),
            arrived: Vec::new(),
            untrusted: false,
        }
    }

    fn from_reqwest(e: reqwest::Error) -> Fault {
        let unreachable = e.is_connect();
        let timeout = e.is_timeout();
        let untrusted = has_bad_certificate(&e);
        // Without the URL: the caller names what it was doing in words of its own.
        let cause = chain(&e.without_url());
        let what = match (timeout, unreachable) {
            _ if untrusted => format!("the server's certificate cannot be trusted ({cause})"),
            (true, _) => format!("no answer in time ({cause})"),
            (_, true) => format!("no connection ({cause})"),
            _ => format!("the connection broke ({cause})"),
        };
        Fault {
            what,
            arrived: Vec::new(),
            untrusted,
        }
    }
}

/// Whether a certificate that could not be verified is among the causes.
fn has_bad_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        // The source of an io::Error is that of the error in it, so the one in it would be passed over.
        let inner = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let bad = match inner {
            Some(inner) => has_bad_certificate(inner),
            None => matches!(
                cause.downcast_ref(),
                Some(rustls::Error::InvalidCertificate(_))
            ),
        };
        if bad {
            return true;
        }
        next = cause.source();
    }
    false
}
