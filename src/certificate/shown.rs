//! What a gateway shows whoever connects: looked up by a TLS handshake, as a browser begins one.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::facts::Facts;
use crate::spec::names::Domain;

/// How long a gateway on this machine may take for each part of its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// This certificate.
    Certificate(Box<Facts>),
    /// Nobody listens there.
    Nobody,
    /// Somebody listens, and shows no certificate: the reason.
    Nothing(String),
}

/// Asks whoever listens at an address for its certificate for a domain.
pub fn ask(address: SocketAddrV4, domain: &Domain) -> Shown {
    let connection = match TcpStream::connect_timeout(&address.into(), PATIENCE) {
        Ok(connection) => connection,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Shown::Nobody,
        Err(error) => return Shown::Nothing(error.to_string()),
    };
    match handshake(connection, domain) {
        Ok(facts) => Shown::Certificate(Box::new(facts)),
        Err(reason) => Shown::Nothing(reason),
    }
}

fn handshake(mut connection: TcpStream, domain: &Domain) -> Result<Facts, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&connection, Some(PATIENCE)).map_err(|error| text(&error))?;
    }
    let name = match domain.address() {
        Some(address) => ServerName::from(IpAddr::V4(address)),
        None => ServerName::try_from(domain.to_string()).map_err(|error| text(&error))?,
    };
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Looks(provider)))
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(|error| text(&error))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut connection)
            .map_err(|error| text(&error))?;
    }
    let leaf = tls.peer_certificates().and_then(|chain| chain.first());
    leaf.and_then(|der| Facts::of(der))
        .ok_or_else(|| "its certificate cannot be read".to_owned())
}

/// Takes every certificate, to look at it; that the other side has its key is checked.
#[derive(Debug)]
struct Looks(Arc<CryptoProvider>);

impl ServerCertVerifier for Looks {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
