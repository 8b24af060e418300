//! Whether somebody listens, and whether a message broker takes clients: by the first words of its protocol, in TLS that is checked as clients check it.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::platform::desired::Question;

/// A CONNECT without a name: MQTT 3.1.1 (3.1), keep-alive 10 s, no client identifier, a clean session.
const MQTT_CONNECT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\x0a\0\0";

/// Somebody takes connections there.
pub(super) async fn listens(question: &Question) -> Result<(), String> {
    let connected = TcpStream::connect(question.address).await;
    connected
        .map(|_| ())
        .map_err(|error| format!("gave nothing: {error}"))
}

/// The broker offers its versions as soon as it has read the client's: `connection.start`, class 10, method 10, on channel 0 (AMQP
/// 0-9-1, 2.2.4 and 4.2.3).
pub(super) async fn amqp(question: &Question) -> Result<(), String> {
    let mut broker = connect(question).await?;
    let mut frame = [0; 11];
    let said = talk(&mut broker, b"AMQP\0\0\x09\x01", &mut frame).await;
    match said.map(|()| frame) {
        Ok([1, 0, 0, _, _, _, _, 0, 10, 0, 10]) => Ok(()),
        Ok(_) => Err("is no AMQP broker".to_owned()),
        Err(error) => Err(format!("gave nothing: {error}")),
    }
}

/// The broker answers CONNECT by CONNACK, also where it lets nobody in without a name (MQTT 3.1.1, 3.2).
pub(super) async fn mqtt(question: &Question) -> Result<(), String> {
    let mut broker = connect(question).await?;
    let mut frame = [0; 4];
    let said = talk(&mut broker, MQTT_CONNECT, &mut frame).await;
    match said.map(|()| frame) {
        Ok([0x20, 2, 0, _]) => Ok(()),
        Ok(_) => Err("is no MQTT broker".to_owned()),
        Err(error) => Err(format!("gave nothing: {error}")),
    }
}

async fn talk(
    broker: &mut TlsStream<TcpStream>,
    words: &[u8],
    answer: &mut [u8],
) -> std::io::Result<()> {
    broker.write_all(words).await?;
    broker.flush().await?;
    broker.read_exact(answer).await.map(|_| ())
}

async fn connect(question: &Question) -> Result<TlsStream<TcpStream>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("cannot be asked: {error}");
    let mut roots = RootCertStore::empty();
    let authority = question.authority.as_deref().unwrap_or_default();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = question.host.as_deref().unwrap_or_default();
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?,
    };
    let nothing = |error: std::io::Error| format!("gave nothing: {error}");
    let connection = TcpStream::connect(question.address)
        .await
        .map_err(nothing)?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, connection).await.map_err(nothing)
}
