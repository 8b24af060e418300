//! What a machine has room for: the usual limits of a workspace, or less where the machine is small.

use std::fs;

use crate::spec::quantity::{Bytes, Cpus};
use crate::spec::read::default;

/// Memory that is left for the rest of the platform and the machine.
const LEFT: u64 = 512 << 20;
/// Limits on memory are multiples of this, and no less.
const PIECE: u64 = 256 << 20;

/// What a machine has; 0 is unknown, and then the usual limits do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Processors.
    pub processors: u64,
    /// Memory, in bytes.
    pub memory: u64,
}

impl Room {
    /// What the machine has that this runs on.
    pub fn here() -> Self {
        let processors = std::thread::available_parallelism().map_or(0, |some| some.get() as u64);
        let table = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            processors,
            memory: total(&table).unwrap_or(0),
        }
    }

    /// The limit on processors that a new deployment begins with.
    pub fn cpus(self) -> String {
        match default::CPUS.parse::<Cpus>() {
            Ok(usual) if self.is_smaller(usual) => self.processors.to_string(),
            Ok(_) | Err(_) => default::CPUS.to_owned(),
        }
    }

    /// The limit on memory that a new deployment begins with.
    pub fn memory(self) -> String {
        match default::MEMORY.parse::<Bytes>() {
            Ok(usual) if self.memory != 0 && self.memory < usual.0 => {
                let rest = self.memory.saturating_sub(LEFT) / PIECE * PIECE;
                Bytes(rest.max(PIECE)).to_string()
            }
            Ok(_) | Err(_) => default::MEMORY.to_owned(),
        }
    }

    /// What to tell whoever gets other limits than the usual.
    pub fn note(self) -> Option<String> {
        let (cpus, memory) = (self.cpus(), self.memory());
        let other: Vec<String> = [
            ("cpus", &cpus, default::CPUS),
            ("memory", &memory, default::MEMORY),
        ]
        .into_iter()
        .filter(|(_, chosen, usual)| chosen.as_str() != *usual)
        .map(|(key, chosen, usual)| {
            format!("workspace.limits.{key} is {chosen} instead of {usual}")
        })
        .collect();
        (!other.is_empty()).then(|| format!("This machine is small: {}.", other.join(", ")))
    }

    fn is_smaller(self, usual: Cpus) -> bool {
        let nano = i64::try_from(self.processors).map_or(i64::MAX, |processors| {
            processors.saturating_mul(1_000_000_000)
        });
        nano != 0 && nano < usual.nano
    }
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB (proc(5)).
fn total(table: &str) -> Option<u64> {
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(processors: u64, megabytes: u64) -> Room {
        Room {
            processors,
            memory: megabytes << 20,
        }
    }

    #[test]
    fn on_a_machine_that_is_large_enough_limits_are_the_usual_ones() {
        for room in [room(2, 4096), room(64, 256 << 10), Room::default()] {
            assert_eq!((room.cpus().as_str(), room.memory().as_str()), ("2", "4g"));
            assert_eq!(room.note(), None);
        }
    }

    #[test]
    fn a_small_machine_keeps_something_for_itself() {
        for (megabytes, memory) in [
            (3921, "3328m"),
            (1986, "1280m"),
            (700, "256m"),
            (256, "256m"),
        ] {
            assert_eq!(room(2, megabytes).memory(), memory);
        }
        assert_eq!(
            room(1, 1986).note().as_deref(),
            Some(
                "This machine is small: workspace.limits.cpus is 1 instead of 2, workspace.limits.memory is 1280m instead of 4g."
            )
        );
    }

    #[test]
    fn this_machine_has_something() {
        let here = Room::here();
        assert!(here.processors > 0 && here.memory > 0, "{here:?}");
        assert_eq!(
            total("MemTotal:        2033664 kB\nMemFree: 1 kB\n"),
            Some(1986 << 20)
        );
    }
}
