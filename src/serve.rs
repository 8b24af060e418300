//! What our servers have in common: they listen, say when they do, and finish what they are doing when stopped.

mod connections;
mod descriptors;
mod record;
mod stream;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::connections::{Connections, Limits};
use crate::error::Failure;

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

/// Serves `app` until SIGTERM or SIGINT, then lets the requests in hand end, for a while or until a second signal. `ready` is
/// called once a signal would be heard and connections are taken, `stopping` at the first signal.
///
/// Connections are bounded by what the process may have open (its soft limit is raised to the hard one), and ended when
/// their clients keep it waiting: see [`Limits`].
///
/// # Errors
/// When signals cannot be waited for.
pub async fn until_stopped(
    listener: TcpListener,
    app: Router,
    ready: impl FnOnce(),
    stopping: impl FnOnce(),
) -> anyhow::Result<Ended> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
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
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // From here on nobody listens.
    }
    stopping();
    tokio::select! {
        () = connections.finish() => Ok(Ended::Whole),
        () = watching => Ok(Ended::Cut),
        () = tokio::time::sleep(DRAIN) => Ok(Ended::Cut),
        _ = terminate.recv() => Ok(Ended::Cut),
        _ = interrupt.recv() => Ok(Ended::Cut),
    }
}

/// Serves `app` until stopped. Says `<name>: listening at http://<address>` on stderr once connections are taken; port 0 takes
/// a free one, and that one is said.
///
/// # Errors
/// When the address is not a loopback one (the gateway guards these servers, and nothing else may reach them), or cannot
/// be listened on.
pub async fn on_loopback(name: &str, address: SocketAddr, app: Router) -> anyhow::Result<()> {
    if !address.ip().is_loopback() {
        let message = format!("{name}: {address} can be reached from other machines");
        return Err(Failure::usage(message)
            .hint(format!("listen on 127.0.0.1:{}", address.port()))
            .into());
    }
    let listener = listen(&format!("{name}:"), address).await?;
    let bound = listener.local_addr()?;
    let ready = || eprintln!("{name}: listening at http://{bound}");
    match until_stopped(listener, app, ready, || {}).await? {
        Ended::Whole => {}
        Ended::Cut => eprintln!("{name}: stopped before every request had ended"),
    }
    Ok(())
}
