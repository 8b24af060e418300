//! Work that is given up when whoever asked has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether nobody waits for the work any longer; long work looks at it now and then.
#[derive(Debug, Clone, Default)]
pub struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    /// Whether nobody waits any longer.
    pub fn yes(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for the work; when it is dropped, the work is given up.
#[derive(Debug, Default)]
pub struct Waiting(GivenUp);

impl Waiting {
    /// What the work looks at.
    pub fn given_up(&self) -> GivenUp {
        self.0.clone()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
