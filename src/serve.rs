//! What our servers have in common: they listen, say when they do, and finish what they are doing when stopped.

mod connections;
mod descriptors;
mod peer;
mod record;
mod scarce;
mod secure;
mod stream;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::connections::{Connections, Limits};
pub use self::peer::peer;
pub use self::scarce::{Behind, GRACE, LEAST, Scarce};
pub use self::secure::Secure;
use crate::error::Failure;
use crate::signals;

/// How long requests that are under way may take after the signal to stop; docker kills after 10 seconds.
const DRAIN: Duration = Duration::from_secs(8);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Whole,
    /// Some were cut off.
    Cut,
}

/// Listens at an address; port 0 takes a free one. `server` is who, for the message.
///
/// # Errors
/// When something else listens there, or the address is none of this machine's.
pub async fn listen(server: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        Failure::new(format!("{server} cannot listen on {address}")).hint(format!(
            "choose another address with --listen, or see who has it: ss -ltnp 'sport = :{}'",
            address.port()
        ))
    })
}

/// What the kernel keeps of an answer that is not yet on its way, in bytes, for each client that reads slowly; left to
/// itself it keeps megabytes.
const UNSENT: u32 = 128 * 1024;

/// What tells a server to stop: SIGTERM, SIGINT, and SIGHUP unless whoever started it wants that ignored.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Stop {
    /// Listens from here on: what comes before anything waits is not lost.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        let hangup = match signals::is_ignored(SignalKind::hangup()) {
            true => None,
            false => Some(listen(SignalKind::hangup())?),
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// Ends at the next signal.
    pub async fn comes(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Serves `app` until told to stop, then lets the requests in hand end, for a while or until a second signal. `ready` is
/// called once connections are taken, `stopping` at the first signal.
///
/// Connections are bounded by what the process may have open (its soft limit is raised to the hard one), and ended when
/// their clients keep it waiting: see [`Limits`].
pub async fn until_stopped(
    listener: TcpListener,
    app: Router,
    mut stop: Stop,
    ready: impl FnOnce(),
    stopping: impl FnOnce(),
) -> Ended {
    // Connections inherit it. Where it fails it only costs memory.
    drop(SockRef::from(&listener).set_tcp_notsent_lowat(UNSENT));
    let connections = Connections::new(Limits::usual(descriptors::raise()));
    let mut watching = std::pin::pin!(connections.watch());
    {
        let mut taking = std::pin::pin!(connections.take(listener, app));
        ready();
        tokio::select! {
            () = &mut taking => {}
            () = &mut watching => {}
            () = stop.comes() => {}
        }
        // From here on nobody listens.
    }
    stopping();
    tokio::select! {
        () = connections.finish() => Ended::Whole,
        () = watching => Ended::Cut,
        () = tokio::time::sleep(DRAIN) => Ended::Cut,
        () = stop.comes() => Ended::Cut,
    }
}

/// Fails where other machines could reach an address.
///
/// # Errors
/// A usage failure.
pub fn require_loopback(name: &str, address: SocketAddr) -> anyhow::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let message = format!("{name}: {address} can be reached from other machines");
    Err(Failure::usage(message)
        .hint(format!("listen on 127.0.0.1:{}", address.port()))
        .into())
}

/// Serves `app` until stopped. Says `<name>: listening at http://<address>` on stderr once connections are taken; port 0 takes
/// a free one, and that one is said.
///
/// # Errors
/// When the address is not a loopback one (the gateway guards these servers, and nothing else may reach them), or cannot
/// be listened on.
pub async fn on_loopback(name: &str, address: SocketAddr, app: Router) -> anyhow::Result<()> {
    require_loopback(name, address)?;
    let stop = Stop::listen()?;
    let listener = listen(&format!("{name}:"), address).await?;
    let bound = listener.local_addr()?;
    let ready = || eprintln!("{name}: listening at http://{bound}");
    match until_stopped(listener, app, stop, ready, || {}).await {
        Ended::Whole => {}
        Ended::Cut => eprintln!("{name}: stopped before every request had ended"),
    }
    Ok(())
}
