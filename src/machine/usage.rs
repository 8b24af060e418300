//! What containers use, and how much users' files take.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::machine::below;
use crate::machine::docker::{Engine, Sample};

/// Between two looks at how long processors worked for a container.
const BETWEEN: Duration = Duration::from_millis(500);
/// How many the engine is asked for side by side.
const SIDE_BY_SIDE: usize = 32;
/// So long files are counted, for all users together; who has very many is told at least so much.
const COUNTING: Duration = Duration::from_secs(3);

/// What a machine's part of the platform uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// By container.
    pub containers: BTreeMap<String, Used>,
    /// By user.
    pub files: BTreeMap<String, Taken>,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Processors: 1.0 is one of them all the time.
    pub cpus: f64,
    /// Memory in bytes, without what the kernel could take back at once.
    pub memory: u64,
}

/// What a user's files take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Whether there are more, which were not counted.
    pub more: bool,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Of which containers.
    pub containers: Vec<String>,
    /// The library, and of whom the files are counted.
    pub library: PathBuf,
    /// Users.
    pub users: Vec<String>,
}

/// Looks. A container that does not run, and a folder that is not there, are left out.
///
/// # Errors
/// When counting breaks off.
pub async fn observe(engine: &Engine, question: Question) -> Result<Usage> {
    let Question {
        containers,
        library,
        users,
    } = question;
    let counting = tokio::task::spawn_blocking(move || taken(&library, &users));
    let begun = Instant::now();
    let first = samples(engine, &containers).await;
    tokio::time::sleep(BETWEEN.saturating_sub(begun.elapsed())).await;
    let second = samples(engine, &containers).await;
    let used = second.into_iter().filter_map(|(name, later)| {
        let used = used(first.get(&name)?, &later)?;
        Some((name, used))
    });
    Ok(Usage {
        containers: used.collect(),
        files: counting.await?,
    })
}

async fn samples(engine: &Engine, containers: &[String]) -> BTreeMap<String, Sample> {
    let asked = containers.iter().map(|name| async move {
        let sample = engine.sample(name).await.ok()??;
        Some((name.clone(), sample))
    });
    futures_util::stream::iter(asked)
        .buffer_unordered(SIDE_BY_SIDE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

fn used(first: &Sample, second: &Sample) -> Option<Used> {
    let between = second.at.checked_duration_since(first.at)?.as_secs_f64();
    // One that was restarted in between counts from nothing.
    let worked = second.worked.checked_sub(first.worked)?;
    Some(Used {
        cpus: worked.as_secs_f64() / between.max(f64::EPSILON),
        memory: second.memory,
    })
}

fn taken(library: &Path, users: &[String]) -> BTreeMap<String, Taken> {
    let end = Instant::now() + COUNTING;
    let mut taken = BTreeMap::new();
    for (nth, user) in users.iter().enumerate() {
        let place = library.join(user);
        if !place.is_dir() {
            continue;
        }
        // Who has very many files leaves the others their share of the time.
        let left = u32::try_from(users.len() - nth).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        taken.insert(user.clone(), size(&place, Instant::now() + share));
    }
    taken
}

/// What lies below a directory takes; links are not followed, and a file with several names counts for each.
fn size(place: &Path, end: Instant) -> Taken {
    let mut taken = Taken::default();
    below::each(place, |_, found| {
        if Instant::now() >= end {
            taken.more = true;
            return ControlFlow::Break(());
        }
        taken.bytes = taken.bytes.saturating_add(found.blocks() * 512);
        ControlFlow::Continue(())
    });
    taken
}

/// Bytes for people: `1.5G`, `230M`, `12K`.
pub fn shown(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "T"),
        (1 << 30, "G"),
        (1 << 20, "M"),
        (1 << 10, "K"),
    ];
    let unit = UNITS.iter().find(|(size, _)| bytes >= *size);
    match unit {
        None => format!("{bytes}"),
        Some((size, letter)) => {
            let value = bytes as f64 / *size as f64;
            match value < 10.0 {
                true => format!("{value:.1}{letter}"),
                false => format!("{value:.0}{letter}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn processors_are_counted_between_two_looks() {
        let at = Instant::now();
        let sample = |seconds: u64, worked: u64| Sample {
            at: at + Duration::from_secs(seconds),
            worked: Duration::from_secs(worked),
            memory: 7,
        };
        let used = |first, second| super::used(&first, &second);
        assert_eq!(
            used(sample(0, 10), sample(2, 13)).map(|used| used.cpus),
            Some(1.5)
        );
        assert_eq!(used(sample(0, 10), sample(2, 1)), None);
    }

    #[test]
    fn files_are_counted_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        fs::create_dir_all(at("alice/data")).unwrap();
        fs::write(at("alice/data/big"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink("/usr", at("alice/usr")).unwrap();
        let users = ["alice".to_owned(), "bob".to_owned()];
        let taken = taken(directory.path(), &users);
        assert_eq!(taken.len(), 1);
        let alice = taken["alice"];
        assert!(
            (1 << 20..2 << 20).contains(&alice.bytes) && !alice.more,
            "{alice:?}"
        );
        assert!(size(directory.path(), Instant::now()).more);
    }

    #[test]
    fn bytes_are_shown_with_two_digits() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1536, "1.5K"),
            (230 << 20, "230M"),
            (3 << 40, "3.0T"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
