//! The servers to talk to, and how fast and how patiently.

use crate::cli;
use crate::error::{Error, Result};
use std::time::Duration;
use url::{Host, Url};

/// How to talk to AWeber.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Origin of the API, path `/`.
    pub(crate) api: Url,
    /// Origin of the authorization server, path `/`.
    pub(crate) auth: Url,
    /// Maximum number of requests in any 60 s.
    pub(crate) requests_per_minute: u32,
    /// Wait after a 'Rate Limit Error'.
    pub(crate) rate_limit_wait: Duration,
    /// Wait before the first retry, doubled with each further failure.
    pub(crate) retry_wait: Duration,
    /// How long a server may send nothing.
    pub(crate) timeout: Duration,
}

impl Network {
    /// Checks the URLs: https, or plain http to loopback.
    pub(crate) fn new(common: &cli::Common, network: &cli::Network) -> Result<Network> {
        Ok(Network {
            api: origin("--api-url", &common.api_url)?,
            auth: origin("--auth-url", &common.auth_url)?,
            requests_per_minute: network.requests_per_minute,
            rate_limit_wait: network.rate_limit_wait,
            retry_wait: network.retry_wait,
            timeout: network.timeout.max(Duration::from_millis(1)),
        })
    }
}

/// Parses the URL of a server that tokens may be sent to.
fn origin(option: &str, text: &str) -> Result<Url> {
    // A user name and password in it are not repeated.
    let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let bad = |why: &str| {
        Error::config(format!("invalid {option} {shown}: {why}"))
            .safe("no request was sent")
            .next(format!("correct {option}, or remove it to use AWeber"))
    };
    let url = Url::parse(text.trim()).map_err(|e| bad(&e.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not contain a user name or password"));
    }
    if url.host().is_none() {
        return Err(bad("missing host"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(bad(
                "plain http would expose the token; only https is allowed",
            ));
        }
        _ => return Err(bad("only https is allowed")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("expected scheme, host and port only"));
    }
    Ok(url)
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_urls_are_accepted() {
        for good in [
            "https://api.aweber.com",
            "https://api.aweber.com/",
            "http://127.0.0.1:8080",
            "http://127.8.9.1",
            "http://[::1]:99",
            "http://localhost:1",
        ] {
            assert!(origin("--api-url", good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.aweber.com",
            "http://localhost.evil.example",
            "http://128.0.0.1",
            "ftp://localhost",
            "https://u:p@api.aweber.com",
            "https://api.aweber.com/1.0",
            "https://api.aweber.com?x=1",
            "api.aweber.com",
            "unix:/run/x",
            "",
        ] {
            assert!(origin("--api-url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        for bad in [
            "https://user:p4ss@api.aweber.com",
            "http://user:p4ss@api.aweber.com",
            "https://user:p4ss@api.aweber.com:port",
            "https://user:p4ss@",
            "user:p4ss@api.aweber.com",
            "https://user:p4ss@x@api.aweber.com/1.0",
            "ftp://user:p4ss@api.aweber.com",
        ] {
            let error = origin("--api-url", bad).unwrap_err().to_string();
            assert!(
                !error.contains("p4ss") && !error.contains("user:"),
                "{error}"
            );
        }
    }
}
