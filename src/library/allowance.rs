//! How much one request may bring together, and have read for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, MutexGuard};

use super::refusal::{Lacking, Reason, Refusal};
use super::room::{FREE, Held, Room};
use super::whose::Whose;

/// What one request may have read without getting it, in bytes: for digests, and to see what is text.
const MAX_EXAMINED: u64 = 2 * 1024 * 1024 * 1024;

/// What one request may bring together, in bytes of text and names as JSON has them, however often it asks for them. What it has brought
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
        self.hold(0, path)
    }

    /// Takes room for `bytes` of what is being read at `path` and is counted once it is here, as far as it has been read.
    ///
    /// # Errors
    ///
    /// Those of [`Self::take`].
    fn read_so_far(&self, bytes: u64, path: &str) -> Result<(), Refusal> {
        if bytes > self.left() {
            return Err(self.refuse(path));
        }
        self.hold(bytes, path)
    }

    /// Takes room for all that has been brought together by now, and `more` bytes.
    fn hold(&self, more: u64, path: &str) -> Result<(), Refusal> {
        let brought = (self.limit - self.left()).saturating_add(more);
        if brought <= FREE {
            return Ok(());
        }
        let grown = self.held().grow_to(brought);
        grown.map_err(|taken| Refusal::new(path, Reason::Crowded(Lacking::Room(taken))))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much room it takes, in bytes.
    pub fn holds(&self) -> u64 {
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

/// A directory that is read for an answer, of which nobody knows how much it holds.
#[derive(Debug, Clone)]
pub struct Listed {
    allowance: Arc<Allowance>,
    path: String,
}

impl Listed {
    /// Reads what is at `path`, as it was asked for, on account of `allowance`.
    pub fn new(allowance: Arc<Allowance>, path: &str) -> Self {
        Self {
            allowance,
            path: path.to_owned(),
        }
    }

    /// Whose it is.
    pub fn whose(&self) -> Whose {
        self.allowance.whose()
    }

    /// Asks whether so much of it, in bytes, may be in memory. To be asked as it grows.
    ///
    /// # Errors
    ///
    /// [`Reason::TooMuch`] and [`Reason::Crowded`].
    pub fn grows_to(&self, bytes: u64) -> Result<(), Refusal> {
        self.allowance.read_so_far(bytes, &self.path)
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
    use super::super::path::Viewer;
    use super::*;

    fn took(allowance: &Allowance, bytes: u64) -> &'static str {
        allowance
            .take(bytes, "x")
            .map_or_else(|refusal| refusal.code(), |()| "fine")
    }

    #[test]
    fn what_is_being_read_takes_room_before_it_is_counted() {
        let room = Room::new(200 * 1024);
        let allowance = || Arc::new(Allowance::new(80 * 1024, room.clone(), Whose::SERVER));
        let (one, other) = (allowance(), allowance());
        let says = |listed: &Listed, bytes| {
            let outcome = listed.grows_to(bytes);
            outcome.map_or_else(|refusal| refusal.code(), |()| "fine")
        };
        let listed = Listed::new(one.clone(), "x");
        assert_eq!(says(&listed, 81 * 1024), "TOO_LARGE");
        assert_eq!(says(&listed, 60 * 1024), "fine");
        assert_eq!(says(&Listed::new(other, "x"), 60 * 1024), "OVERLOADED");
        // Counted, it takes no more than it did.
        assert_eq!(one.left(), 80 * 1024);
        assert_eq!(took(&one, 60 * 1024), "fine");
        assert_eq!(says(&listed, 21 * 1024), "TOO_LARGE");
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
        assert_eq!(one.holds(), 0);
        assert_eq!(took(&one, 50 * 1024), "fine");
        assert_eq!(one.holds(), 60 * 1024);
        // Nobody has more than half of it.
        assert_eq!(took(&other, 41 * 1024), "OVERLOADED");
        assert_eq!(took(&allowance("alice"), 40 * 1024), "fine");
        let (bob, carol) = (allowance("bob"), allowance("carol"));
        assert_eq!(took(&bob, 80 * 1024), "fine");
        assert_eq!(took(&carol, 61 * 1024), "OVERLOADED");
        // Each is told what it was that was lacking.
        let told = |allowance: &Allowance| allowance.take(1024, "x").unwrap_err().to_string();
        assert_eq!(
            told(&other),
            "\"x\": your answers take as much memory at this moment as one user's may; ask again in a moment"
        );
        assert_eq!(
            told(&carol),
            "\"x\": all memory for answers is taken at this moment; ask again in a moment"
        );
        // Little is always to be had.
        assert_eq!(took(&allowance("alice"), 16 * 1024), "fine");
        drop(one);
        assert_eq!(took(&allowance("alice"), 80 * 1024), "fine");
    }
}
