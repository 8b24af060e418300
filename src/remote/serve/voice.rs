//! Standard output, written by a thread of its own: one that is not read any more holds up nothing but that.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::machine::event::Event;
use crate::remote::protocol::Said;

/// How much may wait to be taken before the other end counts as gone.
const MOST: usize = 4096;

pub(super) struct Voice {
    queue: Mutex<Option<mpsc::Sender<Said>>>,
    broken: watch::Sender<bool>,
    said_all: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Voice {
    pub(super) fn start() -> Self {
        let (queue, to_say) = mpsc::channel(MOST);
        let (broken, _) = watch::channel(false);
        let (done, said_all) = oneshot::channel();
        let tell = broken.clone();
        std::thread::spawn(move || {
            if write(to_say).is_err() {
                tell.send_replace(true);
            }
            // Nobody may be waiting for it.
            let _ = done.send(());
        });
        Self {
            queue: Mutex::new(Some(queue)),
            broken,
            said_all: Mutex::new(Some(said_all)),
        }
    }

    /// Says something, without ever waiting. What is said over and over is left out when much is waiting to be taken.
    pub(super) fn say(&self, said: Said) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return;
        };
        let again = match &said {
            Said::Beat | Said::Event(Event::StepProgress { .. }) => true,
            Said::Hello { .. } | Said::Event(_) | Said::Note(_) | Said::Reply(_) => false,
        };
        if again && queue.capacity() < MOST / 2 {
            return;
        }
        if queue.try_send(said).is_err() {
            self.broken.send_replace(true);
        }
    }

    /// Says something when there is room for it: for what there is much of, and can wait.
    pub(super) async fn say_when_taken(&self, said: Said) {
        let queue = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.clone()
        };
        if let Some(queue) = queue
            && queue.send(said).await.is_err()
        {
            self.broken.send_replace(true);
        }
    }

    /// Ends when what is said is not taken any more.
    pub(super) async fn broken(&self) {
        // It cannot be closed while this is there.
        let _ = self.broken.subscribe().wait_for(|broken| *broken).await;
    }

    /// Nothing more is said; waits until all was taken, for so long.
    pub(super) async fn end(&self, limit: Duration) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let said_all = self
            .said_all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(said_all) = said_all {
            let _ = tokio::time::timeout(limit, said_all).await;
        }
    }
}

fn write(mut to_say: mpsc::Receiver<Said>) -> std::io::Result<()> {
    while let Some(said) = to_say.blocking_recv() {
        let mut line = serde_json::to_vec(&said)?;
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.flush()?;
    }
    Ok(())
}
