//! How much one request may bring together, and have read for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::library::refusal::{Reason, Refusal};

/// What one request may have read without getting it, in bytes: for digests, and to see what is text.
const MAX_EXAMINED: u64 = 2 * 1024 * 1024 * 1024;

/// What each request may bring together without asking whether there is room, in bytes: most answers are no larger.
const FREE: u64 = 16 * 1024;
/// What the room is measured in, in bytes.
const UNIT: u64 = 1024;

/// What all requests may bring together at a time. Without it, clients that ask for much and take nothing of it would
/// have the server hold all of their answers.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

impl Room {
    /// Room for `bytes`.
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }
}

/// What one request may bring together, in bytes of text and names, however often it asks for them. What it has brought
/// together takes room until the allowance is gone.
#[derive(Debug)]
pub struct Allowance {
    room: Room,
    held: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
    limit: u64,
    left: AtomicU64,
    examined: AtomicU64,
    turn: Mutex<()>,
}

impl Allowance {
    /// An allowance of `limit` bytes, as far as there is room.
    pub fn new(limit: u64, room: Room) -> Self {
        Self {
            room,
            held: std::sync::Mutex::default(),
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
    /// [`Reason::TooMuch`] when that is more than is left, [`Reason::Crowded`] when others have taken the room for it.
    pub fn take(&self, bytes: u64, path: &str) -> Result<(), Refusal> {
        take(&self.left, bytes).ok_or_else(|| self.refuse(path))?;
        self.hold()
            .ok_or_else(|| Refusal::new(path, Reason::Crowded))
    }

    /// Takes room for all that has been brought together by now.
    fn hold(&self) -> Option<()> {
        let brought = self.limit - self.left();
        if brought <= FREE {
            return Some(());
        }
        let units = u32::try_from(brought.div_ceil(UNIT)).ok()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let has = u32::try_from(has).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room.0);
        let more = room
            .try_acquire_many_owned(units.saturating_sub(has))
            .ok()?;
        match held.as_mut() {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Some(())
    }

    /// Whether it takes room.
    pub fn holds(&self) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn took(allowance: &Allowance, bytes: u64) -> &'static str {
        allowance
            .take(bytes, "x")
            .map_or_else(|refusal| refusal.code(), |()| "fine")
    }

    #[test]
    fn what_is_brought_together_takes_room_until_it_is_gone() {
        let room = Room::new(100 * 1024);
        let allowance = || Allowance::new(80 * 1024, room.clone());
        let (one, other) = (allowance(), allowance());
        assert_eq!(took(&one, 81 * 1024), "TOO_LARGE");
        assert_eq!(took(&one, 10 * 1024), "fine");
        assert!(!one.holds());
        assert_eq!(took(&one, 50 * 1024), "fine");
        assert!(one.holds());
        assert_eq!(took(&other, 41 * 1024), "OVERLOADED");
        assert_eq!(took(&allowance(), 40 * 1024), "fine");
        // Little is always to be had.
        assert_eq!(took(&allowance(), 16 * 1024), "fine");
        drop(one);
        assert_eq!(took(&allowance(), 80 * 1024), "fine");
    }
}
