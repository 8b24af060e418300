//! What the server says on standard error.

use std::io::Write;
use std::str::FromStr;

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
}

/// Writes one line whatever the level.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "library: {line}");
}
