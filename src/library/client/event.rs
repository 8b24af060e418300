//! What happens while files are on their way.

use super::path::RemotePath;
use super::problem::Problem;

/// How many files are on their way side by side.
pub const SIDE_BY_SIDE: usize = 4;

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It has come over.
    Over,
    /// It was there already.
    Same,
}

/// What happens while files are on their way.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many bytes are to move, and so many of them did already.
    Expected {
        /// Bytes of the whole.
        size: u64,
        /// Bytes that need not move again.
        there: u64,
    },
    /// So many bytes more have moved.
    Bytes(u64),
    /// A file is done.
    File(&'a RemotePath, Came),
    /// A file or directory did not come over; the others do all the same.
    Failed(&'a RemotePath, Problem),
    /// Something was left out: why.
    LeftOut(&'a RemotePath, &'static str),
}

/// Who is told what happens.
pub type Told<'a> = &'a (dyn Fn(Event<'_>) + Sync);
