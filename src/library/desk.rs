//! Where changes to one library take their turns: between looking whether a change may be made and making it, no other request makes
//! one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use super::changes::Writing;
use super::conditions::Conditions;
use super::contain::{Root, Spot};
use super::details::Details;
use super::path::Inside;
use super::quota::Ledger;
use super::refusal::{Reason, Refusal};

/// How often a file that was changed this moment is looked at again before it counts as changed.
const LOOKS: usize = 3;

/// What all changes to one library have in common.
#[derive(Debug)]
pub(super) struct Desk {
    pub limits: Writing,
    pub ledger: Arc<Ledger>,
    /// Between looking whether a change may be made and making it, no other request makes one.
    turn: Mutex<()>,
}

impl Desk {
    pub fn new(limits: Writing) -> Self {
        Self {
            limits,
            ledger: Arc::new(Ledger::new(limits.quota)),
            turn: Mutex::new(()),
        }
    }

    /// Waits until no other request is between its look and its change.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, and what is at `place` is what the request was made for. Where that cannot be said yet, others have their turns
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`Reason::Changed`] where it is not.
    pub fn turn_if(
        &self,
        root: &Root,
        place: &Inside,
        conditions: &Conditions,
    ) -> Result<MutexGuard<'_, ()>, Refusal> {
        for left in (0..LOOKS).rev() {
            let turn = self.turn();
            match look(root, place, conditions, left > 0)? {
                Look::Holds => return Ok(turn),
                Look::Soon(wait) => {
                    drop(turn);
                    std::thread::sleep(wait);
                }
            }
        }
        Err(place.refuse(Reason::Changed))
    }
}

/// What comes of a look at what a request was made for.
enum Look {
    /// It is what is there.
    Holds,
    /// What is there was changed this moment: only a strong tag can match, and its tag will be one in so much time.
    Soon(Duration),
}

fn look(
    root: &Root,
    place: &Inside,
    conditions: &Conditions,
    may_wait: bool,
) -> Result<Look, Refusal> {
    if *conditions == Conditions::default() {
        return Ok(Look::Holds);
    }
    let current = match root.stat(place) {
        Ok(stat) => Some(Details::of(&stat)),
        Err(refusal) if refusal.reason() == Reason::NotFound => None,
        Err(refusal) => return Err(refusal),
    };
    let now = OffsetDateTime::now_utc();
    let wait = current.as_ref().and_then(|details| details.settles_in(now));
    match wait {
        Some(wait) if may_wait => Ok(Look::Soon(wait)),
        Some(_) | None => match conditions.allow_change(now, current.as_ref()) {
            true => Ok(Look::Holds),
            false => Err(place.refuse(Reason::Changed)),
        },
    }
}

/// Looks whether what is at `place` is what the request was made for.
///
/// # Errors
///
/// [`Reason::Changed`] where it is not.
pub(super) fn check(root: &Root, place: &Inside, conditions: &Conditions) -> Result<(), Refusal> {
    for left in (0..LOOKS).rev() {
        match look(root, place, conditions, left > 0)? {
            Look::Holds => return Ok(()),
            Look::Soon(wait) => std::thread::sleep(wait),
        }
    }
    Err(place.refuse(Reason::Changed))
}

/// Looks, in a turn, whether the directory of a spot is the one at its place. Another request may have moved it to another folder,
/// where the viewer may not write and another quota counts, or removed it.
///
/// # Errors
///
/// [`Reason::Moved`] where it is not.
pub(super) fn still_there(root: &Root, place: &Inside, spot: &Spot) -> Result<(), Refusal> {
    let same = match root.spot(place) {
        Ok(now) => now.shares_directory(spot),
        Err(_) => Ok(false),
    };
    match same {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(place.refuse(Reason::Moved)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::http::HeaderMap;
    use axum::http::header::IF_MATCH;

    use super::super::path::{Place, Viewer, resolve};
    use super::*;

    #[test]
    fn others_have_their_turns_while_one_waits_for_a_tag_to_be_strong() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        std::fs::create_dir(directory.path().join("alice")).unwrap();
        let Ok(Place::Inside(place)) = resolve(&Viewer::Everyone, "alice/x") else {
            panic!("no place");
        };
        let conditions = HeaderMap::from_iter([(IF_MATCH, "\"none\"".parse().unwrap())]);
        let conditions = Conditions::of(&conditions);
        let desk = Desk::new(Writing::USUAL);
        // On a busy machine the moment may be over before anybody looks.
        let seen = (0..50).any(|_| {
            // Given a file that was changed this moment, and a change that depends on its tag,
            std::fs::write(directory.path().join("alice/x"), "x").unwrap();
            let begun = Instant::now();
            let mut turns = 0;
            let took = std::thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    let outcome = desk.turn_if(&root, &place, &conditions).map(drop);
                    assert_eq!(outcome, Err(place.refuse(Reason::Changed)));
                    begun.elapsed()
                });
                while !waiting.is_finished() {
                    turns += usize::from(desk.turn.try_lock().is_ok());
                    std::thread::sleep(Duration::from_millis(1));
                }
                waiting.join().unwrap()
            });
            // others have their turns while it waits.
            took >= Duration::from_millis(8) && turns > 3
        });
        assert!(seen);
    }
}
