//! How long it is tried again to send something.

use std::time::Duration;

use crate::library::changes::Writing;

/// How often it is tried again without anything more having arrived.
const TRIES: u32 = 5;
/// The pause before that; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before a place is asked for again.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a place is waited for that another request has: a library waits so long for a sender who is gone without a word, and
/// some more.
const FOR_A_PLACE: Duration = Writing::USUAL
    .patience
    .saturating_add(Duration::from_secs(30));

/// How long it has been tried without anything more having arrived.
#[derive(Debug, Default)]
pub struct Patience {
    /// How often it went wrong.
    tries: u32,
    /// How often there was no place, and how long one was waited for.
    taken: u32,
    waited: Duration,
}

impl Patience {
    /// The pause before the next try; `None` when it has been tried enough. `taken` says that another request has the place.
    pub fn pause(&mut self, taken: bool) -> Option<Duration> {
        if taken {
            let pause = (PAUSE * 2u32.pow(self.taken.min(TRIES))).min(LONGEST);
            self.taken += 1;
            self.waited += pause;
            return (self.waited <= FOR_A_PLACE).then_some(pause);
        }
        let pause = PAUSE * 2u32.pow(self.tries);
        self.tries += 1;
        (self.tries <= TRIES).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(taken: bool) -> (usize, Duration) {
        let mut patience = Patience::default();
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.pause(taken)).collect();
        (pauses.len(), pauses.iter().sum())
    }

    #[test]
    fn a_place_is_waited_for_longer_than_the_library_keeps_it_for_one_who_is_gone() {
        let (_, waited) = waits(true);
        assert!(
            waited > Writing::USUAL.patience + Duration::from_secs(20),
            "{waited:?}"
        );
        assert!(waited < Duration::from_secs(120), "{waited:?}");
        assert_eq!(waits(false), (5, Duration::from_millis(15_500)));
    }

    #[test]
    fn a_connection_that_breaks_off_meanwhile_is_still_tried_again() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            assert!(patience.pause(true).is_some());
        }
        for _ in 0..TRIES {
            assert!(patience.pause(false).is_some());
        }
    }
}
