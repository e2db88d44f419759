//! A TLS handshake and nothing else: shows which version a server speaks and how long its certificate is valid.
//! It trusts every certificate: whether one can be trusted is decided by the requests themselves.

use crate::error::chain;
use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

/// What a handshake showed.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// Such as `TLS 1.3`.
    pub(crate) version: &'static str,
    /// Until when the certificate is valid.
    pub(crate) valid_until: Option<DateTime<Utc>>,
    /// How long connection and handshake took.
    pub(crate) took: Duration,
}

/// The addresses of a host, or why it has none. Blocks.
pub(crate) fn addresses(url: &Url) -> Result<Vec<SocketAddr>, String> {
    let found = url.socket_addrs(|| None);
    found.map_err(|e| chain(&e))
}

/// Connects to one of the addresses and shakes hands. Blocks.
pub(crate) fn shake_hands(
    url: &Url,
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<Handshake, String> {
    let began = Instant::now();
    let host = url.host_str().unwrap_or_default();
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|e| chain(&e))?;
    let mut stream = connect(addresses, timeout)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| chain(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|e| chain(&e))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|e| chain(&e))?;
    }
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    Ok(Handshake {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "another version of TLS",
        },
        valid_until: certificate.and_then(|certificate| valid_until(certificate)),
        took: began.elapsed(),
    })
}

fn connect(addresses: &[SocketAddr], timeout: Duration) -> Result<TcpStream, String> {
    let mut failure = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => {
                // An invalid timeout leaves the default: none.
                let _ = stream.set_read_timeout(Some(timeout));
                let _ = stream.set_write_timeout(Some(timeout));
                return Ok(stream);
            }
            Err(e) => failure = chain(&e),
        }
    }
    Err(failure)
}

/// The end of validity in a certificate (RFC 5280, section 4.1), in DER.
fn valid_until(certificate: &[u8]) -> Option<DateTime<Utc>> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    // version (if given), serial number, algorithm, issuer; then validity.
    let (tag, _, after) = element(rest)?;
    let skipped = if tag == 0xa0 { 3 } else { 2 };
    rest = after;
    for _ in 0..skipped {
        (_, _, rest) = element(rest)?;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?;
    // UTCTime has two digits of the year, GeneralizedTime four; a certificate lives after 2000.
    let text = if tag == 0x17 {
        format!("20{text}")
    } else {
        text.to_owned()
    };
    let time = NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?;
    Some(time.and_utc())
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        short if short < 0x80 => (short, rest),
        long => {
            let bytes = rest.get(..long - 0x80)?;
            let length = bytes.iter().try_fold(0usize, |length, byte| {
                Some(length.checked_mul(256)? + usize::from(*byte))
            })?;
            (length, &rest[bytes.len()..])
        }
    };
    Some((*tag, rest.get(..length)?, &rest[length..]))
}

/// Accepts every certificate; nothing is sent over such a connection.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_a_time() {
        for year in [2027, 2049, 2060] {
            let mut params = CertificateParams::new(["x.example".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 12, 31);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let until = valid_until(certificate.der()).unwrap();
            assert_eq!(until.to_string(), format!("{year}-12-31 00:00:00 UTC"));
            for cut in 0..certificate.der().len() {
                // No panic on a certificate that was cut off.
                let _ = valid_until(&certificate.der()[..cut]);
            }
        }
    }
}
