//! What our servers have in common: they listen on loopback, say when they do, and finish what they are doing when stopped.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Failure;

/// How long requests that are under way may take after the signal to stop; docker kills after 10 seconds.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves `app` until SIGTERM or SIGINT. Says `<name>: listening at http://<address>` on stderr once connections are taken;
/// port 0 takes a free one, and that one is said.
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
    let listener = TcpListener::bind(address).await.with_context(|| {
        Failure::new(format!("{name}: cannot listen on {address}")).hint(format!(
            "see who does: ss -ltnp 'sport = :{}'",
            address.port()
        ))
    })?;
    let address = listener.local_addr()?;
    // Handlers are there before the line is, so that whoever reads it may stop us at once.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();

    eprintln!("{name}: listening at http://{address}");
    let listener = listener.tap_io(|connection| {
        // Answers are small; without this they may wait for the other side's acknowledgement.
        let _ = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        // An error says that the sender is gone, which is a reason to stop as well.
        let _ = stopped.await;
    });
    let deadline = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        drop(stop);
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server => Ok(result?),
        () = deadline => Ok(()),
    }
}
