//! Runs the server until it is told to stop.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Failure;

use super::config::Settings;
use super::contain::Root;
use super::gate::Gate;
use super::http::{Service, router};
use super::local::Local;
use super::log::{Level, Log, say};
use super::schema::schema;
use super::source::Source;

/// How long requests may go on once the server is told to stop: less than docker waits before it kills.
const DRAIN: Duration = Duration::from_secs(8);

/// What no `.env` file of v0.2 holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; by default `127.0.0.1` and the settings' port. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Who may ask.
    pub gate: Gate,
    /// The largest body of a request, in bytes.
    pub max_body: u64,
    /// The largest file that is read as text, in bytes.
    pub max_file: u64,
    /// What one request may bring together, in bytes of text and names.
    pub max_answer: u64,
}

/// Serves the library until SIGTERM or SIGINT, then lets the requests in hand end.
///
/// # Errors
///
/// A failure when the address cannot be listened on.
pub async fn serve(settings: Settings, options: Options) -> anyhow::Result<()> {
    let log = Log::new(settings.level);
    let address = options
        .listen
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], settings.port)));
    let listener = TcpListener::bind(address).await.with_context(|| {
        Failure::new(format!("the library server cannot listen on {address}"))
            .hint("choose another address with --listen, or stop what listens there")
    })?;
    let bound = listener.local_addr()?;

    if matches!(options.gate, Gate::Open) && !bound.ip().is_loopback() {
        let warning = "anyone who reaches this address reads the whole library (--no-auth)";
        log.write(Level::Warn, warning);
    }
    if settings.playground {
        let warning = "GRAPHQL_PLAYGROUND='true' has no effect: this version has no playground yet";
        log.write(Level::Warn, warning);
    }

    let source: Arc<dyn Source> = Arc::new(Local::new(
        Root::new(&settings.local_path),
        options.max_file,
    ));
    let service = Service {
        schema: schema(source.clone()),
        source,
        gate: options.gate,
        path: settings.path.clone(),
        max_body: usize::try_from(options.max_body).unwrap_or(usize::MAX),
        max_answer: options.max_answer,
        log,
    };
    let (stop, mut stopped) = watch::channel(false);
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    // A client that hangs up is no error, and a failing `set_nodelay` only costs time.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let server = axum::serve(listener, router(service))
        .with_graceful_shutdown(async move { drop(stopped.wait_for(|stop| *stop).await) });
    let mut server = std::pin::pin!(server.into_future());

    let (directory, path) = (settings.local_path.display(), &settings.path);
    say(format_args!("serving {directory} at http://{bound}{path}"));
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log.write(Level::Info, "stopping");
    stop.send_replace(true);
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        () = tokio::time::sleep(DRAIN) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log.write(Level::Warn, "stopped before every request had ended");
    Ok(())
}
