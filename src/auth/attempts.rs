//! Guessing is slowed down, for each user and address together: whoever guesses keeps nobody else out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::spec::names::UserName;

/// How many wrong passwords in a row cost nothing: people try the few that they have.
const FREE: u32 = 5;

/// The longest that somebody has to wait between two attempts.
const LONGEST: Duration = Duration::from_secs(60);

/// After so long without an attempt, what went before is forgotten.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// The most pairs of user and address that are remembered.
const CAPACITY: usize = 20_000;

type Pair = (UserName, Option<IpAddr>);

struct Failures {
    in_a_row: u32,
    last: Instant,
}

/// The wrong passwords of late.
#[derive(Default)]
pub struct Attempts {
    failures: Mutex<HashMap<Pair, Failures>>,
}

/// Whoever has an IPv6 network has all addresses in it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => match long.to_ipv4_mapped() {
            Some(short) => short.into(),
            None => Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

fn pause(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(16)).min(LONGEST),
    }
}

impl Attempts {
    /// How long it takes until this user may be tried again from there; `None`: at once.
    pub fn wait(&self, user: &UserName, from: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let failures = self.lock();
        let known = failures.get(&(user.clone(), from.map(neighbourhood)))?;
        let due = known.last + pause(known.in_a_row);
        (due > now).then(|| due - now)
    }

    /// Counts a wrong password, and says how many there were in a row.
    pub fn failed(&self, user: &UserName, from: Option<IpAddr>, now: Instant) -> u32 {
        let mut failures = self.lock();
        let pair = (user.clone(), from.map(neighbourhood));
        if failures.len() >= CAPACITY && !failures.contains_key(&pair) {
            make_room(&mut failures, now);
        }
        let known = failures.entry(pair).or_insert(Failures {
            in_a_row: 0,
            last: now,
        });
        if now.saturating_duration_since(known.last) > MEMORY {
            known.in_a_row = 0;
        }
        known.in_a_row = known.in_a_row.saturating_add(1);
        known.last = now;
        known.in_a_row
    }

    /// The right password ends the row.
    pub fn succeeded(&self, user: &UserName, from: Option<IpAddr>) {
        self.lock().remove(&(user.clone(), from.map(neighbourhood)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn seconds(attempts: &Attempts, user: &str, from: &str, now: Instant) -> u64 {
        attempts
            .wait(&user.parse().unwrap(), Some(from.parse().unwrap()), now)
            .map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn guesses_get_slower_for_that_user_from_there_alone() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let alice: UserName = "alice".parse().unwrap();
        let here = Some("192.0.2.1".parse().unwrap());
        let mut waits = Vec::new();
        for _ in 0..13 {
            attempts.failed(&alice, here, now);
            waits.push(seconds(&attempts, "alice", "192.0.2.1", now));
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(seconds(&attempts, "alice", "192.0.2.2", now), 0);
        assert_eq!(seconds(&attempts, "bob", "192.0.2.1", now), 0);
        let minute = Duration::from_secs(60);
        assert_eq!(seconds(&attempts, "alice", "192.0.2.1", now + minute), 0);

        // The row ends with the right password, or is forgotten.
        let later = now + MEMORY + minute;
        assert_eq!(attempts.failed(&alice, here, later), 1);
        attempts.succeeded(&alice, here);
        assert_eq!(attempts.failed(&alice, here, later), 1);
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for last in 0..8 {
            let from = Some(format!("2001:db8::{last}").parse().unwrap());
            attempts.failed(&"alice".parse().unwrap(), from, now);
        }
        assert_eq!(seconds(&attempts, "alice", "2001:db8::ffff", now), 8);
        assert_eq!(seconds(&attempts, "alice", "2001:db8:0:1::1", now), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for number in 0..CAPACITY + 10 {
            let user = format!("u{number}").parse().unwrap();
            let now = start + Duration::from_millis(number as u64);
            attempts.failed(&user, None, now);
        }
        assert_eq!(attempts.lock().len(), CAPACITY);
        assert!(!attempts.lock().contains_key(&("u0".parse().unwrap(), None)));
    }
}
