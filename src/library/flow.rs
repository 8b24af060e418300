//! How much memory the files on their way in and out may take together: the more there are, the smaller the pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all of them may take, in bytes, as long as that leaves each a piece of [`SMALLEST`].
const MEMORY: usize = 16 << 20;
/// Each has one piece on its way and another one ready.
const PIECES: usize = 2;
/// The largest piece, in bytes: beyond it nothing becomes faster.
const LARGEST: usize = 256 << 10;
/// The smallest piece, in bytes.
const SMALLEST: usize = 16 << 10;

/// How many files are on their way.
#[derive(Debug, Clone, Default)]
pub struct Flow(Arc<AtomicUsize>);

impl Flow {
    /// One more is on its way, until this is dropped.
    pub fn turn(&self) -> Turn {
        self.0.fetch_add(1, Ordering::Relaxed);
        Turn(self.0.clone())
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// How large its next piece may be, in bytes.
    pub fn chunk(&self) -> usize {
        let share = MEMORY / PIECES / self.0.load(Ordering::Relaxed).max(1);
        share.clamp(SMALLEST, LARGEST)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_share_what_one_had() {
        let flow = Flow::default();
        let first = flow.turn();
        assert_eq!(first.chunk(), LARGEST);
        let all: Vec<Turn> = (0..99).map(|_| flow.turn()).collect();
        assert_eq!(first.chunk(), MEMORY / 200);
        let more: Vec<Turn> = (0..10_000).map(|_| flow.turn()).collect();
        assert_eq!(first.chunk(), SMALLEST);
        drop((all, more));
        assert_eq!(first.chunk(), LARGEST);
    }
}
