//! HTTP/2 over TLS on loopback, for the gateway's own questions.
//!
//! Traefik's `forwardAuth` keeps two connections to an address that speaks HTTP/1.1 and opens a new one for each question beyond them; over
//! TLS it speaks HTTP/2, and all questions share one (Go, net/http, `Transport.MaxIdleConnsPerHost` and `ForceAttemptHTTP2`). Nothing is kept
//! secret by that: the certificate is made at the start, and both ends are on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Connections at a time; the gateway needs a few.
const CONNECTIONS: usize = 256;

/// How long both sides may take to agree.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Questions at a time on one connection.
const STREAMS: u32 = 1024;

/// After so long without a word, the other side is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(60);

/// Takes connections at an address, with a certificate of its own.
pub struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Secure {
    /// Listens there; `server` is who, for the message.
    ///
    /// # Errors
    /// When the address is taken, or no certificate can be made.
    pub async fn listen(server: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([address.ip().to_string()])
            .context("no certificate can be made")?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            listener: super::listen(server, address).await?,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Serves `app` there. Does not end.
    pub async fn serve(self, app: Router) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let taken = self.listener.accept().await;
            let place = places.clone().acquire_owned().await;
            let (Ok((connection, _)), Ok(place)) = (taken, place) else {
                tokio::time::sleep(Duration::from_millis(25)).await;
                continue;
            };
            drop(connection.set_nodelay(true));
            let (acceptor, app) = (self.acceptor.clone(), app.clone());
            tokio::spawn(async move {
                let agreed = tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await;
                if let Ok(Ok(stream)) = agreed {
                    // An error is the other side's: there is nobody to tell.
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .timer(TokioTimer::new())
                        .keep_alive_interval(SILENCE)
                        .max_concurrent_streams(STREAMS)
                        // The gateway takes its questions back whose visitors are gone. However many these are, its one connection
                        // must not end with them: it is the gateway's, and no stranger's.
                        .max_pending_accept_reset_streams(usize::try_from(STREAMS).ok())
                        .max_local_error_reset_streams(None)
                        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
                        .await;
                }
                drop(place);
            });
        }
    }
}
