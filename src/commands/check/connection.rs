//! The connection: names, TLS, proxy, latency and clocks, with one request that carries no token.

use super::finding::Findings;
use crate::api::handshake::{Handshake, addresses, shake_hands};
use crate::api::transport;
use crate::config::{Network, process_env};
use crate::error::{Error, Kind};
use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};
use url::Url;

/// A certificate that ends sooner is worth a warning, days.
const SOON: i64 = 14;

/// A difference of the clocks that is worth a warning, seconds. OAuth 1.0a tolerates 300.
const CLOCK_TOLERANCE: i64 = 60;

/// What a report may contain of the connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) tls: Option<&'static str>,
    pub(super) protocol: Option<&'static str>,
    pub(super) is_compressed: Option<bool>,
    pub(super) milliseconds: Option<u64>,
    /// AWeber's clock minus ours.
    pub(super) clock_seconds: Option<i64>,
    pub(super) has_proxy: bool,
    pub(super) requests: u64,
}

/// Checks it. A failure to reach the API is a failure of every run.
pub(super) async fn check(network: &Network, findings: &mut Findings) -> Connection {
    let mut connection = Connection::default();
    let proxy = proxy(&network.api);
    connection.has_proxy = proxy.is_some();
    if let Some((name, host)) = &proxy {
        findings.note("proxy", format!("{host}, by {name}"));
    }
    for (id, url) in [("api", &network.api), ("auth", &network.auth)] {
        // A proxy resolves names and connects in our place.
        if proxy.is_none() {
            let tls = check_host(id, url, network.timeout, findings).await;
            connection.tls = connection.tls.or(tls);
        }
    }
    if !findings
        .errors()
        .any(|error| error.kind() == Kind::Unavailable)
    {
        check_request(network, findings, &mut connection).await;
    }
    connection
}

/// The variable that names a proxy for that URL, and the proxy's host: its user and password are not shown.
fn proxy(url: &Url) -> Option<(&'static str, String)> {
    if url.scheme() == "http" {
        return None;
    }
    let host = url.host_str().unwrap_or_default();
    let excluded = ["NO_PROXY", "no_proxy"].into_iter().find_map(process_env);
    let excluded = excluded.unwrap_or_default().to_string_lossy().into_owned();
    let is_excluded = |part: &str| {
        let part = part.trim().trim_start_matches('.');
        part == "*" || (!part.is_empty() && (host == part || host.ends_with(&format!(".{part}"))))
    };
    if excluded.split(',').any(is_excluded) {
        return None;
    }
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let name = names.into_iter().find(|name| process_env(name).is_some())?;
    let value = process_env(name)?.to_string_lossy().into_owned();
    let shown = Url::parse(&value)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "a proxy".to_owned());
    Some((name, shown))
}

async fn check_host(
    id: &'static str,
    url: &Url,
    timeout: Duration,
    findings: &mut Findings,
) -> Option<&'static str> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let asked = url.clone();
    let tried = tokio::task::spawn_blocking(move || {
        let addresses = addresses(&asked)?;
        match asked.scheme() {
            "https" => shake_hands(&asked, &addresses, timeout).map(Some),
            _ => Ok(None),
        }
    });
    let tried = tried.await.unwrap_or_else(|e| Err(e.to_string()));
    match tried {
        Err(why) => {
            findings.failed(
                id,
                Error::new(
                    Kind::Unavailable,
                    format!("cannot connect to {host}: {why}"),
                )
                .next("check the name servers, the network and the firewall of this machine"),
            );
            None
        }
        Ok(None) => {
            findings.good(id, format!("{host}: plain http to this machine"));
            None
        }
        Ok(Some(handshake)) => Some(note_handshake(id, &host, &handshake, findings)),
    }
}

fn note_handshake(
    id: &'static str,
    host: &str,
    handshake: &Handshake,
    findings: &mut Findings,
) -> &'static str {
    let days = handshake
        .valid_until
        .map(|until| (until - Utc::now()).num_days());
    let until = days.map_or(String::new(), |days| {
        format!(", certificate valid for {days} days")
    });
    let (version, took) = (handshake.version, handshake.took.as_millis());
    let text = format!("{host}: {version} in {took} ms{until}");
    match days {
        Some(days) if days < SOON => findings.warn(
            id,
            text,
            "check the clock of this machine; whether AWeber renews it in time is up to AWeber",
        ),
        _ => findings.good(id, text),
    }
    version
}

/// One request without a token: whatever AWeber answers shows its clock.
async fn check_request(network: &Network, findings: &mut Findings, connection: &mut Connection) {
    connection.requests += 1;
    let began = Instant::now();
    let answered = match transport::look(network, "/1.0/accounts").await {
        Err(error) => return findings.failed("request", error),
        Ok(Err(fault)) => {
            let error = fault.untrusted_certificate().unwrap_or_else(|| {
                Error::new(
                    Kind::Unavailable,
                    format!("cannot reach AWeber: {}", fault.what),
                )
                .next("nothing, if it passes; see status.aweber.com")
            });
            return findings.failed("request", error);
        }
        Ok(Ok(answered)) => answered,
    };
    let (reply, is_compressed) = answered;
    let took = began.elapsed();
    if reply.status >= 500 {
        let error = Error::new(
            Kind::Unavailable,
            format!("AWeber answers {}", reply.status),
        );
        return findings.failed(
            "request",
            error.next("nothing, if it passes; see status.aweber.com"),
        );
    }
    connection.protocol = Some(reply.protocol);
    connection.is_compressed = Some(is_compressed);
    connection.milliseconds = Some(took.as_millis() as u64);
    let gzip = if is_compressed {
        "gzip"
    } else {
        "not compressed"
    };
    findings.good(
        "request",
        format!(
            "answered in {} ms, {}, {gzip}",
            took.as_millis(),
            reply.protocol
        ),
    );
    match reply.date {
        None => findings.note("clock", "AWeber's answer has no date"),
        Some(date) => connection.clock_seconds = Some(check_clock(date, took, findings)),
    }
}

/// Compares AWeber's clock, when the answer was sent, with ours. The header has whole seconds.
fn check_clock(date: DateTime<Utc>, took: Duration, findings: &mut Findings) -> i64 {
    let ahead = (date - Utc::now()).num_seconds();
    let text = match ahead {
        0 => "as AWeber's".to_owned(),
        1.. => format!("{ahead} s behind AWeber's"),
        _ => format!("{} s ahead of AWeber's", -ahead),
    };
    if ahead.abs() > CLOCK_TOLERANCE + took.as_secs() as i64 {
        findings.warn(
            "clock",
            text,
            "set the clock of this machine (timedatectl set-ntp true); no row depends on it",
        );
    } else {
        findings.good("clock", text);
    }
    ahead
}
