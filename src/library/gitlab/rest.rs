//! A GitLab that fails is left alone for a while, so that it is not hammered and nobody waits for nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::trouble::{Trouble, Weight};

/// So many failures in a row, and GitLab is left alone.
const PATIENCE: u32 = 3;
/// For so long at first; twice as long after each further failure,
const SHORTEST: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether GitLab is asked at all just now.
#[derive(Debug, Default)]
pub struct Rest {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// Until when GitLab is left alone, and why.
    resting: Option<(Instant, String)>,
    /// Whether the time is over and one question tries how things are.
    trying: bool,
}

impl Rest {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to ask. Once a rest is over, one question goes first, and for `trial` nobody else; it may be given up by whoever
    /// asked, and then the next one goes.
    ///
    /// # Errors
    ///
    /// [`Trouble::Resting`].
    pub fn enter(&self, now: Instant, trial: Duration) -> Result<(), Trouble> {
        let mut state = self.state();
        let Some((until, why)) = &state.resting else {
            return Ok(());
        };
        let left = until.saturating_duration_since(now);
        let why = why.clone();
        if !left.is_zero() {
            return Err(Trouble::Resting { why, left });
        }
        state.trying = true;
        state.resting = Some((now + trial, why));
        Ok(())
    }

    /// Notes that GitLab answered; says whether it had been left alone before.
    pub fn answered(&self) -> bool {
        std::mem::take(&mut *self.state()).resting.is_some()
    }

    /// Notes a failure; says for how long GitLab is left alone from now, where this failure made it so.
    pub fn failed(&self, trouble: &Trouble, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let asleep = state.resting.as_ref().is_some_and(|(end, _)| *end > now);
        // What was under way when the rest began adds nothing.
        if asleep && !state.trying {
            return None;
        }
        let length = match trouble.weight() {
            // GitLab is there.
            Weight::Light => {
                *state = State::default();
                return None;
            }
            Weight::RestFor(length) => length,
            Weight::Counts => {
                state.failures += 1;
                let beyond = state.failures.checked_sub(PATIENCE)?;
                SHORTEST.saturating_mul(1 << beyond.min(10)).min(LONGEST)
            }
        };
        state.trying = false;
        state.resting = Some((now + length, trouble.to_string()));
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Duration = Duration::from_secs(15);

    fn gone() -> Trouble {
        Trouble::Unreachable("refused".into())
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn three_failures_in_a_row_and_it_is_left_alone_longer_and_longer() {
        let (rest, mut now) = (Rest::default(), Instant::now());
        for _ in 0..2 {
            assert_eq!(rest.failed(&gone(), now), None);
            assert_eq!(rest.enter(now, TRIAL), Ok(()));
        }
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(rest.failed(&gone(), now), Some(seconds(expected)));
            // What fails late, after the rest began, does not make it longer.
            assert_eq!(rest.failed(&gone(), now), None);
            assert_eq!(
                rest.enter(now, TRIAL),
                Err(Trouble::Resting {
                    why: "GitLab cannot be reached: refused".into(),
                    left: seconds(expected),
                })
            );
            now += seconds(expected);
            // Then one question goes first,
            assert_eq!(rest.enter(now, TRIAL), Ok(()));
            assert!(rest.enter(now, TRIAL).is_err());
        }
        // and when it was given up, the next one.
        now += TRIAL;
        assert_eq!(rest.enter(now, TRIAL), Ok(()));
        assert!(rest.answered());
        assert_eq!(rest.enter(now, TRIAL), Ok(()));
        assert_eq!(rest.enter(now, TRIAL), Ok(()));
        assert_eq!(rest.failed(&gone(), now), None);
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_again() {
        let (rest, now) = (Rest::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(rest.failed(&gone(), now), None);
            assert_eq!(rest.failed(&gone(), now), None);
            assert!(!rest.answered());
        }
    }

    #[test]
    fn gitlabs_own_time_is_kept_to_at_once() {
        let (rest, now) = (Rest::default(), Instant::now());
        let throttled = Trouble::Throttled(Some(seconds(7)));
        assert_eq!(rest.failed(&throttled, now), Some(seconds(7)));
        assert!(rest.enter(now + seconds(6), TRIAL).is_err());
        assert_eq!(rest.enter(now + seconds(7), TRIAL), Ok(()));
    }
}
