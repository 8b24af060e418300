//! How much one request may bring together, and have read for it.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::library::refusal::{Reason, Refusal};
use crate::library::room::{FREE, Held, Room};
use crate::library::whose::Whose;

/// What one request may have read without getting it, in bytes: for digests, and to see what is text.
const MAX_EXAMINED: u64 = 2 * 1024 * 1024 * 1024;

/// What one request may bring together, in bytes of text and names, however often it asks for them. What it has brought
/// together takes room until the allowance is gone.
#[derive(Debug)]
pub struct Allowance {
    whose: Whose,
    held: std::sync::Mutex<Held>,
    limit: u64,
    left: AtomicU64,
    examined: AtomicU64,
    turn: Mutex<()>,
}

impl Allowance {
    /// An allowance of `limit` bytes for whoever asks, as far as there is room.
    pub fn new(limit: u64, room: Room, whose: Whose) -> Self {
        Self {
            whose,
            held: std::sync::Mutex::new(Held::new(room, whose)),
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
    /// [`Reason::TooMuch`] when that is more than is left, [`Reason::Crowded`] when others have taken the room for it,
    /// or whoever asks has taken their share.
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
        self.held().grow_to(brought)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it takes room.
    pub fn holds(&self) -> bool {
        self.held().holds()
    }

    /// Whose it is.
    pub fn whose(&self) -> Whose {
        self.whose
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
    use crate::library::path::Viewer;

    fn took(allowance: &Allowance, bytes: u64) -> &'static str {
        allowance
            .take(bytes, "x")
            .map_or_else(|refusal| refusal.code(), |()| "fine")
    }

    #[test]
    fn what_is_brought_together_takes_room_until_it_is_gone() {
        let room = Room::new(200 * 1024);
        let allowance = |name: &str| {
            let name = name.parse().unwrap();
            let publisher = false;
            let whose = Whose::of(&Viewer::User { name, publisher });
            Allowance::new(80 * 1024, room.clone(), whose)
        };
        let (one, other) = (allowance("alice"), allowance("alice"));
        assert_eq!(took(&one, 81 * 1024), "TOO_LARGE");
        assert_eq!(took(&one, 10 * 1024), "fine");
        assert!(!one.holds());
        assert_eq!(took(&one, 50 * 1024), "fine");
        assert!(one.holds());
        // Nobody has more than half of it.
        assert_eq!(took(&other, 41 * 1024), "OVERLOADED");
        assert_eq!(took(&allowance("alice"), 40 * 1024), "fine");
        let (bob, carol) = (allowance("bob"), allowance("carol"));
        assert_eq!(took(&bob, 80 * 1024), "fine");
        assert_eq!(took(&carol, 61 * 1024), "OVERLOADED");
        // Little is always to be had.
        assert_eq!(took(&allowance("alice"), 16 * 1024), "fine");
        drop(one);
        assert_eq!(took(&allowance("alice"), 80 * 1024), "fine");
    }
}
