//! The agent: does on this machine what it is told on standard input, and says on standard output what comes of it.
//!
//! It must come to an end whatever becomes of the other one: when that is silent for [`SILENCE`], when standard input ends, at a
//! signal, or when what it says is not taken. Then the step in hand is finished, no other begun, and the process ends.

mod docker;
mod facts;
mod hear;
mod voice;
mod work;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::remote::pace::{BEAT, SILENCE};
use crate::remote::protocol::{self, Failed, Order, Request, Said};
use hear::Ear;
use voice::Voice;
use work::Worker;

/// How long what was said last may take to be taken.
const TO_SAY: Duration = Duration::from_secs(2);

/// What is to be done, and whether to come to an end with it.
type Job = (Request, watch::Receiver<bool>);

/// Serves until the other end is gone.
///
/// # Errors
///
/// When it cannot even begin.
pub async fn run() -> Result<()> {
    let listen = |kind| signal(kind).context("cannot listen to signals");
    let mut signals = [
        listen(SignalKind::hangup())?,
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::pipe())?,
    ];
    let voice = Voice::start();
    let mut ear = Ear::start();
    voice.say(Said::Hello {
        protocol: protocol::VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let (jobs, to_do) = mpsc::unbounded_channel();
    let listening = listen_to(&mut ear, &mut signals, &voice, jobs);
    let working = work(&voice, to_do);
    tokio::join!(listening, working);
    voice.end(TO_SAY).await;
    Ok(())
}

/// Takes what is told until the other end is gone, and stops what is being done then.
async fn listen_to(
    ear: &mut Ear,
    signals: &mut [Signal; 4],
    voice: &Voice,
    jobs: mpsc::UnboundedSender<Job>,
) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut current: Option<watch::Sender<bool>> = None;
    let [hangup, terminate, interrupt, pipe] = signals;
    loop {
        let heard = tokio::select! {
            heard = ear.hear() => heard,
            () = voice.broken() => None,
            _ = hangup.recv() => None,
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            _ = pipe.recv() => None,
            _ = beat.tick() => {
                voice.say(Said::Beat);
                match ear.silent_for() > SILENCE {
                    true => None,
                    false => continue,
                }
            }
        };
        match heard {
            Some(Ok(Order::Beat)) => {}
            Some(Ok(Order::Stop)) => {
                if let Some(current) = &current {
                    current.send_replace(true);
                }
            }
            Some(Ok(Order::Ask(request))) => {
                let (tell, stop) = watch::channel(false);
                current = Some(tell);
                if jobs.send((*request, stop)).is_err() {
                    return;
                }
            }
            Some(Err(wrong)) => {
                let error = anyhow::anyhow!("what the agent was told is {wrong}");
                voice.say(Said::Reply(Box::new(Err(Failed::of(&error)))));
            }
            None => {
                if let Some(current) = &current {
                    current.send_replace(true);
                }
                return;
            }
        }
    }
}

/// Does one thing after another, until nobody gives more to do.
async fn work(voice: &Voice, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut worker = Worker::new(voice);
    while let Some((request, stop)) = jobs.recv().await {
        let came = worker.answer(request, stop).await;
        let reply = came.map_err(|error| Failed::of(&error));
        voice.say(Said::Reply(Box::new(reply)));
    }
}
