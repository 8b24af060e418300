//! Guessing is slowed down, for each user and address together: whoever guesses keeps nobody else out.
//!
//! A guess counts before it is verified, so that many at once are no more than many in a row. The same wrong password again does not: a
//! program that was left running with an old one must not lock its user out, and says nothing new to whoever guesses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cache::Digest;
use super::neighbourhood::neighbourhood;
use crate::spec::names::UserName;

/// How many wrong passwords in a row cost nothing: people try the few that they have.
const FREE: u32 = 5;

/// The longest that somebody has to wait between two attempts.
const LONGEST: Duration = Duration::from_secs(60);

/// After so long without an attempt, what went before is forgotten.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// The most pairs of user and address that are remembered.
const CAPACITY: usize = 20_000;

/// How many of the last passwords of a pair are known again.
const KNOWN: usize = 4;

type Pair = (UserName, Option<IpAddr>);

struct Failures {
    in_a_row: u32,
    last: Instant,
    /// The last that were tried, and whose answer is not "right".
    tried: VecDeque<Digest>,
    /// Those that are being verified.
    now: Vec<Digest>,
}

impl Failures {
    /// How long it takes until another password may be tried.
    fn wait(&self, password: Digest, now: Instant) -> Option<Duration> {
        // A page's requests come together: what one of them is being verified for, the others may ask as well.
        if self.now.contains(&password) {
            return None;
        }
        let due = self.last + pause(self.in_a_row);
        (due > now).then(|| due - now)
    }
}

/// The wrong passwords of late.
#[derive(Default)]
pub struct Attempts {
    failures: Mutex<HashMap<Pair, Failures>>,
}

/// A password that is being verified. It counts as wrong unless something else is said of it, also when nobody waits for the answer.
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    pair: Pair,
    password: Digest,
    /// Which one in a row it is; `None` where it was tried before.
    counted: Option<u32>,
}

fn pause(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(16)).min(LONGEST),
    }
}

impl Attempts {
    /// How long it takes until this user may be tried again from there; `None`: at once.
    pub fn wait(
        &self,
        user: &UserName,
        from: Option<IpAddr>,
        password: Digest,
        now: Instant,
    ) -> Option<Duration> {
        let failures = self.lock();
        let known = failures.get(&(user.clone(), from.map(neighbourhood)))?;
        known.wait(password, now)
    }

    /// Counts a password that is about to be verified.
    ///
    /// # Errors
    /// How long to wait, where this user may not be tried from there at this time.
    pub fn begin(
        &self,
        user: &UserName,
        from: Option<IpAddr>,
        password: Digest,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        let pair = (user.clone(), from.map(neighbourhood));
        let mut failures = self.lock();
        if failures.len() >= CAPACITY && !failures.contains_key(&pair) {
            make_room(&mut failures, now);
        }
        let known = failures.entry(pair.clone()).or_insert_with(|| Failures {
            in_a_row: 0,
            last: now,
            tried: VecDeque::new(),
            now: Vec::new(),
        });
        if let Some(wait) = known.wait(password, now) {
            return Err(wait);
        }
        if now.saturating_duration_since(known.last) > MEMORY {
            known.in_a_row = 0;
            known.tried.clear();
        }
        known.now.push(password);
        let counted = (!known.tried.contains(&password)).then(|| {
            known.in_a_row = known.in_a_row.saturating_add(1);
            known.last = now;
            known.tried.truncate(KNOWN - 1);
            known.tried.push_front(password);
            known.in_a_row
        });
        Ok(Attempt {
            attempts: self,
            pair,
            password,
            counted,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It was wrong: which one in a row, or `None` where it was tried before.
    pub fn wrong(self) -> Option<u32> {
        self.counted
    }

    /// It was right, which ends the row.
    pub fn right(self) {
        self.attempts.lock().remove(&self.pair);
    }

    /// Nobody knows what it was.
    pub fn take_back(self) {
        if self.counted.is_none() {
            return;
        }
        if let Some(known) = self.attempts.lock().get_mut(&self.pair) {
            known.in_a_row = known.in_a_row.saturating_sub(1);
            known.tried.retain(|tried| *tried != self.password);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.attempts.lock().get_mut(&self.pair)
            && let Some(at) = known.now.iter().position(|one| *one == self.password)
        {
            known.now.swap_remove(at);
        }
    }
}

/// Forgets what is old, and where nothing is, the one that is longest ago.
fn make_room(failures: &mut HashMap<Pair, Failures>, now: Instant) {
    failures.retain(|_, known| now.saturating_duration_since(known.last) <= MEMORY);
    if failures.len() >= CAPACITY
        && let Some(oldest) = failures
            .iter()
            .min_by_key(|(_, known)| known.last)
            .map(|(pair, _)| pair.clone())
    {
        failures.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::cache::Cache;
    use crate::secrets::Secret;

    /// Attempts, and what passwords are known by in them.
    struct Guesses {
        attempts: Attempts,
        cache: Cache,
    }

    impl Guesses {
        fn new() -> Self {
            Self {
                attempts: Attempts::default(),
                cache: Cache::new(1),
            }
        }

        fn begin(
            &self,
            user: &str,
            from: &str,
            password: &str,
            now: Instant,
        ) -> Result<Attempt<'_>, u64> {
            let digest = self.cache.digest(&Secret::new(password));
            self.attempts
                .begin(
                    &user.parse().unwrap(),
                    Some(from.parse().unwrap()),
                    digest,
                    now,
                )
                .map_err(|wait| wait.as_secs())
        }

        /// How long whoever asks for something new has to wait, in seconds.
        fn wait(&self, user: &str, from: &str, now: Instant) -> u64 {
            let digest = self.cache.digest(&Secret::new("another"));
            self.attempts
                .wait(
                    &user.parse().unwrap(),
                    Some(from.parse().unwrap()),
                    digest,
                    now,
                )
                .map_or(0, |wait| wait.as_secs())
        }
    }

    #[test]
    fn guesses_get_slower_for_that_user_from_there_alone() {
        let guesses = Guesses::new();
        let here = "192.0.2.1";
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for number in 0..13 {
            let guess = guesses.begin("alice", here, &format!("{number}"), now);
            assert_eq!(guess.ok().unwrap().wrong(), Some(number + 1));
            let wait = guesses.wait("alice", here, now);
            waits.push(wait);
            assert_eq!(guesses.wait("alice", "192.0.2.2", now), 0);
            assert_eq!(guesses.wait("bob", here, now), 0);
            now += Duration::from_secs(wait);
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);

        // The row ends with the right password, or is forgotten.
        let later = now + MEMORY + Duration::from_secs(60);
        let wrong = |password| guesses.begin("alice", here, password, later).ok().unwrap();
        assert_eq!(wrong("0").wrong(), Some(1));
        wrong("right").right();
        assert_eq!(wrong("1").wrong(), Some(1));
        // What could not be verified does not count.
        wrong("2").take_back();
        assert_eq!(wrong("3").wrong(), Some(2));
    }

    #[test]
    fn guesses_at_once_count_as_those_in_a_row() {
        let guesses = Guesses::new();
        let here = "192.0.2.1";
        let now = Instant::now();
        let begin = |password: &str| guesses.begin("alice", here, password, now);
        let mut begun: Vec<Attempt<'_>> = Vec::new();
        for number in 0..5 {
            begun.push(begin(&format!("{number}")).ok().unwrap());
        }
        // None of them has been answered, and the next has to wait; but not the other requests of one that is being verified.
        assert_eq!(begin("5").err(), Some(1));
        assert_eq!(begin("4").ok().unwrap().wrong(), None);
        // One whose sender is gone has counted all the same.
        begun.clear();
        assert_eq!(begin("4").err(), Some(1));
    }

    #[test]
    fn the_same_password_again_locks_nobody_out() {
        let guesses = Guesses::new();
        let mut now = Instant::now();
        let begin = |password: &str, now| guesses.begin("alice", "192.0.2.1", password, now);
        assert_eq!(begin("old", now).ok().unwrap().wrong(), Some(1));
        for _ in 0..100 {
            now += Duration::from_secs(5);
            assert_eq!(begin("old", now).ok().unwrap().wrong(), None);
            assert_eq!(guesses.wait("alice", "192.0.2.1", now), 0);
        }
        assert_eq!(begin("older", now).ok().unwrap().wrong(), Some(2));
        assert_eq!(begin("old", now).ok().unwrap().wrong(), None);
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour() {
        let guesses = Guesses::new();
        let now = Instant::now();
        for last in 0..5 {
            let from = format!("2001:db8::{last}");
            drop(guesses.begin("alice", &from, &from, now));
        }
        assert_eq!(guesses.wait("alice", "2001:db8::ffff", now), 1);
        assert_eq!(guesses.wait("alice", "2001:db8:0:1::1", now), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let guesses = Guesses::new();
        let start = Instant::now();
        for number in 0..CAPACITY + 10 {
            let now = start + Duration::from_millis(number as u64);
            drop(guesses.begin(&format!("u{number}"), "192.0.2.1", "x", now));
        }
        let attempts = &guesses.attempts;
        assert_eq!(attempts.lock().len(), CAPACITY);
        let first = ("u0".parse().unwrap(), Some("192.0.2.1".parse().unwrap()));
        assert!(!attempts.lock().contains_key(&first));
    }
}
