//! One line for each address, so that whoever guesses passwords keeps nobody waiting but their own neighbours.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::neighbourhood::neighbourhood;

/// How many requests of one address may be verified, or wait for a core, at once. The rest wait in the line: a company's
/// people often share an address, and a page asks for many things at a time.
const TURNS: usize = 8;

/// The most requests of one address that stand in the line or have their turn.
const LENGTH: usize = 64;

/// The lines that somebody stands in. Requests of which no address is known share one.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<HashMap<Option<IpAddr>, Arc<Line>>>,
}

/// The line of one address.
pub struct Line {
    length: Semaphore,
    turns: Semaphore,
}

/// Somebody's hold on a line; the last to let go takes the line away.
pub struct Held<'a> {
    lines: &'a Lines,
    from: Option<IpAddr>,
    line: Arc<Line>,
}

impl Lines {
    /// The line of an address and its neighbours.
    pub fn of(&self, from: Option<IpAddr>) -> Held<'_> {
        let from = from.map(neighbourhood);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Arc::clone(lines.entry(from).or_insert_with(|| {
            Arc::new(Line {
                length: Semaphore::new(LENGTH),
                turns: Semaphore::new(TURNS),
            })
        }));
        Held {
            lines: self,
            from,
            line,
        }
    }
}

impl Line {
    /// Waits for a turn; `None` when the line is too long to stand in.
    pub async fn turn(&self) -> Option<[SemaphorePermit<'_>; 2]> {
        let place = self.length.try_acquire().ok()?;
        let turn = self.turns.acquire().await.ok()?;
        Some([turn, place])
    }
}

impl Deref for Held<'_> {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut lines = self
            .lines
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // This hold and the map's own; others are taken under the same lock.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_stand_in_one_line() {
        let lines = Lines::default();
        let held: Vec<Held<'_>> = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
            .map(|address| lines.of(Some(address.parse().unwrap())))
            .into();
        assert_eq!(lines.lines.lock().unwrap().len(), 2);
        drop(held);
    }

    #[tokio::test]
    async fn a_line_has_a_length_and_goes_with_the_last() {
        let lines = Lines::default();
        let one = Some(IpAddr::from([192, 0, 2, 1]));
        let line = lines.of(one);
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            turns.push(line.turn().await.unwrap());
        }
        // Given as many in the line as may stand there,
        let (others, mut waiting) = (lines.of(one), Vec::new());
        for _ in TURNS..LENGTH {
            let mut turn = Box::pin(others.turn());
            assert!(futures_util::poll!(&mut turn).is_pending());
            waiting.push(turn);
        }
        // the next is turned away, and whoever comes from elsewhere has a turn at once.
        assert!(others.turn().await.is_none());
        assert!(lines.of(None).turn().await.is_some());
        // When one is done, the first in the line is next.
        turns.pop();
        let first = waiting.remove(0).await;
        assert!(first.is_some());

        drop((turns, first, waiting));
        drop((line, others));
        assert!(lines.lines.lock().unwrap().is_empty());
    }
}
