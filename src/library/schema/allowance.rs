//! How much one request may bring together, and have read for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::library::refusal::{Reason, Refusal};

/// What one request may have read without getting it, in bytes: for digests, and to see what is text.
const MAX_EXAMINED: u64 = 2 * 1024 * 1024 * 1024;

/// What one request may bring together, in bytes of text and names, however often it asks for them.
#[derive(Debug)]
pub struct Allowance {
    limit: u64,
    left: AtomicU64,
    examined: AtomicU64,
    turn: Mutex<()>,
}

impl Allowance {
    /// An allowance of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            left: AtomicU64::new(limit),
            examined: AtomicU64::new(MAX_EXAMINED),
            turn: Mutex::new(()),
        }
    }

    /// Counts `bytes` of what was found at `path`.
    ///
    /// # Errors
    ///
    /// [`Reason::TooMuch`] when that is more than is left.
    pub fn take(&self, bytes: u64, path: &str) -> Result<(), Refusal> {
        take(&self.left, bytes).ok_or_else(|| self.refuse(path))
    }

    /// Counts a file of `bytes` at `path` that is read through.
    ///
    /// # Errors
    ///
    /// [`Reason::TooLarge`] when that is more than is left.
    pub fn examine(&self, bytes: u64, path: &str) -> Result<(), Refusal> {
        take(&self.examined, bytes)
            .ok_or_else(|| Refusal::new(path, Reason::TooLarge(MAX_EXAMINED)))
    }

    /// What is left, in bytes.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// The refusal of what is more than is left.
    pub fn refuse(&self, path: &str) -> Refusal {
        Refusal::new(path, Reason::TooMuch(self.limit))
    }

    /// Waits until nothing else is read for this request: what is not yet counted is one file or directory at most.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

fn take(from: &AtomicU64, bytes: u64) -> Option<()> {
    from.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(bytes)
    })
    .ok()
    .map(drop)
}
