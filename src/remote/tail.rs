//! The last of what a program wrote to its standard error.

use std::sync::{Mutex, PoisonError};

use crate::ui::printable::printable;

/// How many bytes are kept.
const MOST: usize = 4096;
/// How many lines are shown.
const LINES: usize = 5;

/// Keeps the end of a text that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<Vec<u8>>);

impl Tail {
    /// Another piece.
    pub(super) fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let surplus = kept.len().saturating_sub(MOST);
        kept.drain(..surplus);
    }

    /// The last lines, made safe to show, joined with ` / `; empty when nothing was written.
    pub(super) fn lines(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept).into_owned();
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(LINES)..]
            .iter()
            .map(|line| printable(line))
            .collect::<Vec<_>>()
            .join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_shown_on_one_line() {
        let tail = Tail::default();
        tail.add(&[b'x'; 5000]);
        tail.add(b"\n1\n2\n\n3\n4\n5\n\x1b[31mred\n");
        assert_eq!(tail.lines(), "2 / 3 / 4 / 5 / \\u{1b}[31mred");
    }
}
