//! Standard input, read by a thread of its own: a read that waits can be left behind by a process that ends.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::remote::protocol::{Lines, Order, wrong};

pub(super) struct Ear {
    heard: mpsc::UnboundedReceiver<Result<Order, String>>,
    last: Arc<Mutex<Instant>>,
}

impl Ear {
    pub(super) fn start() -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let last = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&last);
        std::thread::spawn(move || read(&tell, &clock));
        Self { heard, last }
    }

    /// What is told next, or what is wrong with it; `None` when nothing more comes.
    pub(super) async fn hear(&mut self) -> Option<Result<Order, String>> {
        self.heard.recv().await
    }

    /// For how long nothing has come, not even a piece of a line.
    pub(super) fn silent_for(&self) -> Duration {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }
}

fn read(tell: &mpsc::UnboundedSender<Result<Order, String>>, clock: &Mutex<Instant>) {
    let mut input = std::io::stdin().lock();
    let mut piece = vec![0; 64 * 1024];
    let mut lines = Lines::default();
    loop {
        let count = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        *clock.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let Ok(complete) = lines.add(&piece[..count]) else {
            return;
        };
        for line in complete {
            let order = serde_json::from_slice(&line).map_err(|error| wrong(&error));
            if tell.send(order).is_err() {
                return;
            }
        }
    }
}
