//! A sandbox behind TLS: a certification authority of the test, valid and invalid certificates, and a TLS proxy for
//! one of the sandbox's origins.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(1);

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// For `SSL_CERT_FILE`.
    pub(crate) pem: String,
}

/// A server certificate with its key.
pub(crate) struct Certificate {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for a host, valid until the end of that year.
    pub(crate) fn certify(&self, host: &str, until: i32) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate {
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }
}

/// A proxy on loopback: TLS outside, plain HTTP to the sandbox inside.
pub(crate) struct TlsProxy {
    pub(crate) url: String,
    opened: Arc<AtomicUsize>,
}

impl TlsProxy {
    /// Starts it in front of an origin of the sandbox; it runs until the test process ends.
    pub(crate) fn to(origin: &str, certificate: Certificate) -> TlsProxy {
        TlsProxy::at("127.0.0.1:0", origin, certificate)
    }

    /// As [`TlsProxy::to`], at this address.
    pub(crate) fn at(address: &str, origin: &str, certificate: Certificate) -> TlsProxy {
        let inside = origin.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.key));
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.certificate], key)
                .unwrap();
        let (config, opened) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&opened);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (config, inside) = (Arc::clone(&config), inside.clone());
                std::thread::spawn(move || relay(stream.unwrap(), config, &inside));
            }
        });
        TlsProxy { url, opened }
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

/// Relays bytes both ways until one side closes.
fn relay(outside: TcpStream, config: Arc<ServerConfig>, inside: &str) {
    let mut connection = ServerConnection::new(config).unwrap();
    // A client that does not trust the certificate disconnects during the handshake.
    if connection.complete_io(&mut &outside).is_err() {
        return;
    }
    let mut inside = TcpStream::connect(inside).unwrap();
    for stream in [&outside, &inside] {
        stream.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
    }
    let mut outside = StreamOwned::new(connection, outside);
    loop {
        if !relay_available(&mut outside, &mut inside)
            || !relay_available(&mut inside, &mut outside)
        {
            return;
        }
    }
}

/// Relays the available bytes; `false` at the end.
fn relay_available(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut bytes = [0; 16 * 1024];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(count) => to
            .write_all(&bytes[..count])
            .and_then(|()| to.flush())
            .is_ok(),
        Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
