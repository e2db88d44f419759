//! Which servers are asked, and at which pace.

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
    /// At most so many requests in any 60 s.
    pub(crate) requests_per_minute: u32,
    /// Wait after a 'Rate Limit Error'.
    pub(crate) rate_limit_wait: Duration,
    /// First wait after a failure, doubling.
    pub(crate) retry_wait: Duration,
    /// How long a server may stay silent.
    pub(crate) timeout: Duration,
}

impl Network {
    /// Checks the URLs: https, or plain http to loopback only.
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

/// An origin we may send a token to.
fn origin(option: &str, text: &str) -> Result<Url> {
    let bad = |why: &str| {
        Error::config(format!("{option} {text}: {why}"))
            .safe("no request was sent")
            .next(format!("leave {option} out for AWeber itself"))
    };
    let url = Url::parse(text.trim()).map_err(|e| bad(&e.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // The text itself would put a password into the message.
        return Err(Error::config(format!(
            "{option}: a user name or password does not belong into it"
        )));
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(bad("a host is missing")),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(bad(
                "plain http would show the token to the network; only https is allowed here",
            ));
        }
        _ => return Err(bad("only https is allowed here")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("scheme, host and port only: the path is ours"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_by_https_or_over_loopback_only() {
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
}
