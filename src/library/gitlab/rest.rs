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
    /// How many rests there have been.
    rests: u64,
}

/// A question that GitLab is being asked: after how many rests it was begun. What comes of one from before a rest says nothing about
/// how GitLab is since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun(u64);

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
    pub fn enter(&self, now: Instant, trial: Duration) -> Result<Begun, Trouble> {
        let mut state = self.state();
        let begun = Begun(state.rests);
        if let Some((until, why)) = &mut state.resting {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                let why = why.clone();
                return Err(Trouble::Resting { why, left });
            }
            *until = now + trial;
        }
        Ok(begun)
    }

    /// Notes that GitLab answered a question; says whether that ends its being left alone.
    pub fn answered(&self, begun: Begun) -> bool {
        let mut state = self.state();
        begun.0 == state.rests && state.end()
    }

    /// Notes that a question failed; says for how long GitLab is left alone from now, where this failure made it so.
    pub fn failed(&self, begun: Begun, trouble: &Trouble, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        // What was under way when the rest began adds nothing.
        if begun.0 != state.rests {
            return None;
        }
        let length = match trouble.weight() {
            // GitLab is there.
            Weight::Light => {
                state.end();
                return None;
            }
            Weight::RestFor(length) => length,
            Weight::Counts => {
                state.failures += 1;
                let beyond = state.failures.checked_sub(PATIENCE)?;
                SHORTEST.saturating_mul(1 << beyond.min(10)).min(LONGEST)
            }
        };
        state.rests += 1;
        state.resting = Some((now + length, trouble.to_string()));
        Some(length)
    }
}

impl State {
    /// GitLab is there. Whether it was left alone before.
    fn end(&mut self) -> bool {
        self.failures = 0;
        self.resting.take().is_some()
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

    fn enter(rest: &Rest, now: Instant) -> Begun {
        rest.enter(now, TRIAL).unwrap()
    }

    #[test]
    fn three_failures_in_a_row_and_it_is_left_alone_longer_and_longer() {
        let (rest, mut now) = (Rest::default(), Instant::now());
        let late = enter(&rest, now);
        let mut asked = late;
        for _ in 0..2 {
            assert_eq!(rest.failed(asked, &gone(), now), None);
            asked = enter(&rest, now);
        }
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(rest.failed(asked, &gone(), now), Some(seconds(expected)));
            // What fails late, after the rest began, does not make it longer.
            assert_eq!(rest.failed(late, &gone(), now), None);
            assert_eq!(
                rest.enter(now, TRIAL),
                Err(Trouble::Resting {
                    why: "GitLab cannot be reached: refused".into(),
                    left: seconds(expected),
                })
            );
            now += seconds(expected);
            // Then one question goes first,
            asked = enter(&rest, now);
            assert!(rest.enter(now, TRIAL).is_err());
            // and only what comes of that one counts.
            assert_eq!(rest.failed(late, &gone(), now), None);
        }
        // When it was given up, the next one goes.
        now += TRIAL;
        let asked = enter(&rest, now);
        assert!(rest.answered(asked));
        let asked = enter(&rest, now);
        assert_eq!(enter(&rest, now), asked);
        assert_eq!(rest.failed(asked, &gone(), now), None);
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_again() {
        let (rest, now) = (Rest::default(), Instant::now());
        for _ in 0..5 {
            let asked = enter(&rest, now);
            assert_eq!(rest.failed(asked, &gone(), now), None);
            assert_eq!(rest.failed(asked, &gone(), now), None);
            assert!(!rest.answered(asked));
        }
    }

    #[test]
    fn gitlabs_own_time_is_kept_to_at_once() {
        let (rest, now) = (Rest::default(), Instant::now());
        let throttled = Trouble::Throttled(Some(seconds(7)));
        let asked = enter(&rest, now);
        assert_eq!(rest.failed(asked, &throttled, now), Some(seconds(7)));
        assert!(rest.enter(now + seconds(6), TRIAL).is_err());
        assert!(rest.enter(now + seconds(7), TRIAL).is_ok());
    }

    #[test]
    fn an_answer_to_an_earlier_question_does_not_end_a_rest() {
        let (rest, now) = (Rest::default(), Instant::now());
        let (early, asked) = (enter(&rest, now), enter(&rest, now));
        let throttled = Trouble::Throttled(Some(seconds(7)));
        assert_eq!(rest.failed(asked, &throttled, now), Some(seconds(7)));
        assert!(!rest.answered(early));
        // Nor does a failure that says that GitLab is there.
        let light = Trouble::Errors("no".into());
        assert_eq!(rest.failed(early, &light, now), None);
        assert!(rest.enter(now + seconds(6), TRIAL).is_err());
        // A question from after it does.
        let trial = enter(&rest, now + seconds(7));
        assert!(!rest.answered(early));
        assert!(rest.answered(trial));
    }
}
