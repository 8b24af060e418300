//! Ctrl-C, a request to end, and a connection that is lost.

use std::future::Future;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Exit, Failure};
use crate::{signals, ui};

/// Whether the run is to end before its end.
#[derive(Debug, Clone)]
pub struct Interrupt {
    wanted: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from here on, except to those that whoever started the run has ignored, as `nohup` does.
    /// The first is told to whoever asks; the second ends the process at once.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind: SignalKind| -> anyhow::Result<Option<Signal>> {
            if signals::is_ignored(kind) {
                return Ok(None);
            }
            signal(kind).map(Some).context("cannot listen to signals")
        };
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let (tell, wanted) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = next(&mut interrupt) => {}
                    () = next(&mut terminate) => {}
                    () = next(&mut hangup) => {}
                }
                if tell.send_replace(true) {
                    signals::kill_followers();
                    ui::say("Stopped at once. Run the command again to do the rest.");
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
        });
        Ok(Self { wanted })
    }

    /// Does what changes nothing, unless interrupted first.
    ///
    /// # Errors
    /// A [`Failure`] with [`Exit::Interrupted`] when interrupted.
    pub async fn or<T>(
        &self,
        looking: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            () = self.comes() => Err(Failure::new("interrupted; nothing was changed")
                .exit(Exit::Interrupted)
                .into()),
            found = looking => found,
        }
    }

    /// Ends when interrupted.
    pub async fn comes(&self) {
        if self
            .wanted
            .clone()
            .wait_for(|wanted| *wanted)
            .await
            .is_err()
        {
            // Nobody listens any more.
            std::future::pending::<()>().await;
        }
    }

    /// True from when it is interrupted on.
    pub fn wanted(&self) -> watch::Receiver<bool> {
        self.wanted.clone()
    }
}

async fn next(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}
