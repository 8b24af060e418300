//! What the server says on standard error.

use std::io::Write;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::ui::printable::printable;

/// How much is logged. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing but what ends or begins the server.
    Silent,
    /// What the operator must mend.
    Error,
    /// Requests that were turned away.
    Warn,
    /// Every request.
    Info,
    /// Also why a question had no answer.
    Debug,
}

impl FromStr for Level {
    type Err = ();

    /// The words of v0.2's logger are taken as well.
    fn from_str(word: &str) -> Result<Self, ()> {
        match word.to_ascii_lowercase().as_str() {
            "silent" | "off" => Ok(Self::Silent),
            "error" | "fatal" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" | "log" | "" => Ok(Self::Info),
            "debug" | "verbose" | "trace" => Ok(Self::Debug),
            _ => Err(()),
        }
    }
}

/// Writes lines to standard error, as far as the level allows.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    level: Level,
}

impl Log {
    /// A log that holds what is at `level` or before it.
    pub fn new(level: Level) -> Self {
        Self { level }
    }

    /// Whether lines of this level are written.
    pub fn wants(self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes one line. A standard error that is gone does not stop the server.
    pub fn write(self, level: Level, line: impl std::fmt::Display) {
        if self.wants(level) {
            say(line);
        }
    }

    /// Writes one line of something that happened, with the time (RFC 3339, UTC): `library: 2024-05-17T08:30:00.125Z …`.
    pub fn event(self, level: Level, line: impl std::fmt::Display) {
        if self.wants(level) {
            let now = OffsetDateTime::now_utc();
            let stamp = now.format(STAMP).unwrap_or_default();
            say(format_args!("{stamp} {line}"));
        }
    }
}

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Writes one line whatever the level, at once, so that no other comes between its parts. What visitors send may be in it: nothing
/// of it steers a terminal.
pub fn say(line: impl std::fmt::Display) {
    let line = format!("library: {line}");
    let line = format!("{}\n", printable(&line));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_milliseconds() {
        let moment = time::macros::datetime!(2024-05-17 08:30:00.125 UTC);
        assert_eq!(moment.format(STAMP).unwrap(), "2024-05-17T08:30:00.125Z");
    }
}
