//! What is wrong with users' files, told to the operator.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The most that is remembered; what comes after that is told each time.
const CAPACITY: usize = 1000;

/// What was said already.
#[derive(Default)]
pub struct Complaints {
    said: Mutex<HashSet<String>>,
}

impl Complaints {
    /// Says each thing once: anyone can make a damaged file be read as often as they like.
    pub fn say(&self, problem: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.contains(&problem) {
            return;
        }
        eprintln!("auth: {problem}");
        if said.len() < CAPACITY {
            said.insert(problem);
        }
    }
}
