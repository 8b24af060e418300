//! What our servers have in common: they listen, say when they do, and finish what they are doing when stopped.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

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
/// # Errors
/// When the server breaks down.
pub async fn until_stopped(
    listener: TcpListener,
    app: Router,
    mut stop: Stop,
    ready: impl FnOnce(),
    stopping: impl FnOnce(),
) -> anyhow::Result<Ended> {
    let (tell, told) = oneshot::channel::<()>();
    // Answers are small; without this they may wait for the other side's acknowledgement. Where it fails it only costs time.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        // An error says that the sender is gone, which is a reason to stop as well.
        let _ = told.await;
    });
    let mut server = std::pin::pin!(server.into_future());
    ready();
    tokio::select! {
        ended = &mut server => return Ok(ended.map(|()| Ended::Whole)?),
        () = stop.comes() => {}
    }
    stopping();
    drop(tell);
    tokio::select! {
        ended = &mut server => Ok(ended.map(|()| Ended::Whole)?),
        () = tokio::time::sleep(DRAIN) => Ok(Ended::Cut),
        () = stop.comes() => Ok(Ended::Cut),
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
    let stop = Stop::listen()?;
    let listener = listen(&format!("{name}:"), address).await?;
    let bound = listener.local_addr()?;
    let ready = || eprintln!("{name}: listening at http://{bound}");
    match until_stopped(listener, app, stop, ready, || {}).await? {
        Ended::Whole => {}
        Ended::Cut => eprintln!("{name}: stopped before every request had ended"),
    }
    Ok(())
}
