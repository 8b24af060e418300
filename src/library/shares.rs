//! Places of one kind that all share, and of which nobody has more than a part: whoever keeps theirs busy leaves the rest to
//! the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::whose::Whose;

/// Of how many it is kept what they have before those that have nothing are let go of.
const KEPT: usize = 1024;

/// The places. A copy is another handle for the same.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Semaphore>,
    each: usize,
    own: Mutex<HashMap<Whose, Arc<Semaphore>>>,
}

/// Some of the places, until dropped.
#[derive(Debug)]
pub struct Slot {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Whoever asks has as many as one may have.
    Own,
    /// All are taken.
    All,
}

impl Shares {
    /// So many places, of which each may have half.
    pub fn halves(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            all: Arc::new(Semaphore::new(all)),
            each: all.div_ceil(2),
            own: Mutex::default(),
        }))
    }

    /// Waits for a place. Who waits for their own share keeps nobody else waiting. `None` never comes: nobody closes them.
    pub async fn slot(&self, whose: Whose) -> Option<Slot> {
        let own = self.own(whose).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.0.all).acquire_owned().await.ok()?;
        Some(Slot { own, all })
    }

    /// So many places, if they are free.
    ///
    /// # Errors
    ///
    /// Who has them.
    pub fn try_slots(&self, whose: Whose, count: u32) -> Result<Slot, Taken> {
        let own = self.own(whose).try_acquire_many_owned(count);
        let own = own.map_err(|_| Taken::Own)?;
        let all = Arc::clone(&self.0.all).try_acquire_many_owned(count);
        let all = all.map_err(|_| Taken::All)?;
        Ok(Slot { own, all })
    }

    fn own(&self, whose: Whose) -> Arc<Semaphore> {
        let mut own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = own.get(&whose) {
            return Arc::clone(share);
        }
        if own.len() >= KEPT {
            // Whoever has a place, or waits for one, holds their share as well.
            own.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = Arc::new(Semaphore::new(self.0.each));
        own.insert(whose, Arc::clone(&share));
        share
    }

    /// How many places are free.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.0.all.available_permits()
    }
}

impl Slot {
    /// Takes another one along.
    pub fn merge(&mut self, other: Self) {
        self.own.merge(other.own);
        self.all.merge(other.all);
    }

    /// How many places it is.
    pub fn count(&self) -> usize {
        self.all.num_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Viewer;
    use super::*;

    fn of(name: &str) -> Whose {
        Whose::of(&Viewer::User {
            name: name.parse().unwrap(),
            publisher: false,
        })
    }

    #[test]
    fn nobody_has_more_than_half() {
        let shares = Shares::halves(8);
        let alice = shares.try_slots(of("alice"), 4).unwrap();
        assert_eq!(shares.try_slots(of("alice"), 1).err(), Some(Taken::Own));
        let bob = shares.try_slots(of("bob"), 3).unwrap();
        assert_eq!(shares.try_slots(of("carol"), 2).err(), Some(Taken::All));
        drop(alice);
        assert_eq!(shares.try_slots(of("bob"), 2).err(), Some(Taken::Own));
        assert!(shares.try_slots(of("alice"), 4).is_ok());
        drop(bob);
        assert_eq!(shares.free(), 8);
    }

    #[tokio::test]
    async fn who_waits_for_their_own_share_keeps_nobody_else_waiting() {
        let shares = Shares::halves(4);
        let held = shares.try_slots(of("alice"), 2).unwrap();
        let mut more = std::pin::pin!(shares.slot(of("alice")));
        assert!(futures_util::poll!(&mut more).is_pending());
        let _bob = shares.slot(of("bob")).await.unwrap();
        let _again = shares.slot(of("bob")).await.unwrap();
        drop(held);
        assert!(more.await.is_some());
    }

    #[test]
    fn what_is_kept_of_those_who_left_is_bounded() {
        let shares = Shares::halves(4);
        let held = shares.try_slots(of("alice"), 2).unwrap();
        for number in 0..KEPT * 3 {
            drop(shares.try_slots(of(&format!("u{number}")), 1).unwrap());
        }
        assert!(shares.0.own.lock().unwrap().len() <= KEPT);
        assert_eq!(shares.try_slots(of("alice"), 1).err(), Some(Taken::Own));
        drop(held);
    }
}
