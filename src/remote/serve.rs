//! The agent's side: `dtaas agent`, run as root on a machine, does there what it is asked for on standard input and says on standard output
//! what happens.
//!
//! When nobody asks any more - the input ends, or ten seconds are without a word - it finishes the step in hand, begins no other, and ends.

mod docker_package;
mod work;

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use self::work::Work;
use super::protocol::{BEAT, Request, SILENCE, Say, Tell, VERSION};
use crate::error::{Exit, Failure, failure_of};
use crate::machine::docker::Engine;
use crate::machine::event::StepFailure;

/// How much may be said before somebody listens. Beyond that nobody does.
const UNHEARD: usize = 4096;
/// How long it is waited at the end until the last is heard.
const TO_BE_HEARD: Duration = Duration::from_secs(2);

/// What an agent says, without ever waiting for whoever listens.
#[derive(Clone)]
pub(super) struct Voice {
    said: mpsc::Sender<String>,
    cancel: watch::Sender<bool>,
}

impl Voice {
    /// Says something. When nobody listens any more, the run is to end.
    pub(super) fn tell(&self, what: &impl Serialize) {
        let said = serde_json::to_string(what)
            .map_err(|_| ())
            .and_then(|line| self.said.try_send(line).map_err(|_| ()));
        if said.is_err() {
            self.cancel.send_replace(true);
        }
    }

    pub(super) fn note(&self, text: &str) {
        self.tell(&Tell::Note {
            text: text.to_owned(),
        });
    }
}

/// Does what it is asked for until nobody asks any more.
///
/// # Errors
/// For anyone but root, and when signals cannot be listened to.
pub async fn run() -> anyhow::Result<()> {
    if !crate::machine::files::is_root() {
        return Err(Failure::usage(
            "the agent works on docker and the packet filter, which takes root",
        )
        .hint("it is started by dtaas on another machine; there is no need to start it by hand")
        .into());
    }
    let (cancel, cancelled) = watch::channel(false);
    let (said, unheard) = mpsc::channel(UNHEARD);
    let (ask, mut asked) = mpsc::channel::<Request>(1);
    let voice = Voice {
        said,
        cancel: cancel.clone(),
    };
    let heard = speak(unheard, cancel.clone())?;
    tokio::spawn(heed_signals(Signals::listen()?, cancel.clone()));
    tokio::spawn(listen(hear()?, ask, cancel));
    voice.tell(&Tell::Hello {
        version: VERSION,
        docker: Engine::is_there(),
    });
    let beats = tokio::spawn(beat(voice.clone()));
    let mut work = Work::new(voice.clone(), cancelled);
    while let Some(request) = asked.recv().await {
        match work.does(request).await {
            Ok(reply) => voice.tell(&Tell::Done {
                reply: Box::new(reply),
            }),
            Err(error) => {
                let exit = failure_of(&error).map_or(Exit::Failed, |failure| failure.code());
                voice.tell(&Tell::Failed {
                    failure: StepFailure::of(&error),
                    exit: exit as u8,
                });
            }
        }
    }
    beats.abort();
    drop((work, voice));
    // Whoever listens still hears the last of it, and nobody is waited for.
    let _ = tokio::time::timeout(TO_BE_HEARD, heard).await;
    Ok(())
}

/// Writes what is said, in a thread of its own, which nobody waits for at the end: whoever should read may never do. Ends with all that
/// was said.
fn speak(
    mut unheard: mpsc::Receiver<String>,
    cancel: watch::Sender<bool>,
) -> anyhow::Result<oneshot::Receiver<()>> {
    let (tell, heard) = oneshot::channel();
    std::thread::Builder::new()
        .name("speak".to_owned())
        .spawn(move || {
            let mut out = std::io::stdout();
            while let Some(line) = unheard.blocking_recv() {
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    cancel.send_replace(true);
                    break;
                }
            }
            let _ = tell.send(());
        })
        .context("cannot start a thread")?;
    Ok(heard)
}

/// The lines of standard input, read in a thread of its own.
fn hear() -> anyhow::Result<mpsc::Receiver<String>> {
    let (tell, lines) = mpsc::channel(16);
    std::thread::Builder::new()
        .name("hear".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let heard = line
                    .map_err(|_| ())
                    .and_then(|line| tell.blocking_send(line).map_err(|_| ()));
                if heard.is_err() {
                    return;
                }
            }
        })
        .context("cannot start a thread")?;
    Ok(lines)
}

async fn beat(voice: Voice) {
    let mut times = tokio::time::interval(BEAT);
    loop {
        times.tick().await;
        voice.tell(&Tell::Beat);
    }
}

/// Takes in what is asked for, until there is nobody any more.
async fn listen(
    mut lines: mpsc::Receiver<String>,
    ask: mpsc::Sender<Request>,
    cancel: watch::Sender<bool>,
) {
    while let Ok(Some(line)) = tokio::time::timeout(SILENCE, lines.recv()).await {
        match serde_json::from_str(&line) {
            Ok(Say::Beat) => {}
            Ok(Say::Stop) => {
                cancel.send_replace(true);
            }
            Ok(Say::Ask { request }) => {
                if ask.try_send(*request).is_err() {
                    break;
                }
            }
            // Whoever speaks so is no controller of ours.
            Err(_) => break,
        }
    }
    cancel.send_replace(true);
}

/// What tells it to end. A connection that breaks off brings SIGHUP.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self([
            listen(SignalKind::hangup())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
        ]))
    }
}

async fn heed_signals(signals: Signals, cancel: watch::Sender<bool>) {
    let Signals([mut hangup, mut interrupt, mut terminate]) = signals;
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancel.send_replace(true);
    }
}
