//! What is aside and was given up: uploads that nobody goes on with, directories whose removal was cut off. It is found and
//! cleared away.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use time::OffsetDateTime;

use super::aside::{self, Purpose, is_aside};
use super::changes::size_of;
use super::contain::{Root, open_regular};
use super::details::Details;
use super::walk::{Entry, Step, Walk};

/// How long an upload in several requests may pause.
pub const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes a directory with all that is in it. Returns what that freed, in bytes as [`size_of`] counts, also where it
/// did not end well.
pub(super) fn remove_tree(above: &OwnedFd, name: &str) -> (u64, io::Result<()>) {
    let mut freed = 0;
    let outcome = open_directory(above, name)
        .and_then(Walk::new)
        .and_then(|walk| remove_all(walk, &mut freed))
        .and_then(|()| Ok(rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR)?));
    (freed, outcome)
}

fn remove_all(walk: Walk, freed: &mut u64) -> io::Result<()> {
    for step in walk {
        match step {
            Step::Met(entry) if entry.kind == FileType::Directory => {}
            Step::Met(entry) => {
                let size = entry.stat().map_or(0, |stat| size_of(&stat));
                gone(rustix::fs::unlinkat(
                    &entry.directory,
                    &entry.name,
                    AtFlags::empty(),
                ))?;
                *freed += size;
            }
            Step::Left(entry) => gone(rustix::fs::unlinkat(
                &entry.directory,
                &entry.name,
                AtFlags::REMOVEDIR,
            ))?,
            Step::Closed(_, error) => return Err(error),
        }
    }
    Ok(())
}

/// Somebody else may have been faster.
fn gone(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

/// What a file or a directory with all that is in it counts against a quota, in bytes.
pub(super) fn size_of_tree(above: &OwnedFd, name: &str, stat: &Stat) -> u64 {
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return size_of(stat);
    }
    let Ok(walk) = open_directory(above, name).and_then(Walk::new) else {
        return 0;
    };
    size_of_all(walk, |_| true)
}

/// How many levels a directory has with all that is in it, itself included; not counted on beyond `most`.
pub(super) fn levels_of_tree(above: &OwnedFd, name: &str, most: usize) -> usize {
    let Ok(walk) = open_directory(above, name).and_then(Walk::new) else {
        return 1;
    };
    let mut levels = 1;
    for step in walk {
        if let Step::Met(entry) = step {
            let below = entry.path.iter().filter(|byte| **byte == b'/').count() + 1;
            levels = levels.max(below + 1);
            if levels > most {
                break;
            }
        }
    }
    levels
}

/// What the entries of a walk that `counts` is true for take together, in bytes. What cannot be looked into counts
/// nothing.
pub(super) fn size_of_all(walk: Walk, counts: impl Fn(&Stat) -> bool) -> u64 {
    let sizes = walk.map(|step| match step {
        Step::Met(entry) if entry.kind == FileType::RegularFile => match entry.stat() {
            Ok(stat) if counts(&stat) => size_of(&stat),
            Ok(_) | Err(_) => 0,
        },
        Step::Met(_) | Step::Left(_) | Step::Closed(..) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// Clears away what is aside in a directory that holds nothing else and that no request is busy with, however young. A directory
/// that stays keeps its uploads.
pub(super) fn clear_given_up(above: &OwnedFd, name: &str) -> io::Result<()> {
    let mut all_aside = true;
    each_in(open_directory(above, name)?, |entry| {
        all_aside = is_aside(entry.name.to_bytes());
        all_aside
    })?;
    if !all_aside {
        return Ok(());
    }
    each_in(
        open_directory(above, name)?,
        |Entry {
             directory, name, ..
         }| {
            if let Some(purpose) = aside::purpose(name.to_bytes()) {
                clear(directory, name, purpose, Duration::ZERO);
            }
            true
        },
    )
}

/// Shows `visit` what a directory holds, and nothing below that, until it has seen enough.
fn each_in(directory: OwnedFd, mut visit: impl FnMut(&Entry) -> bool) -> io::Result<()> {
    let mut walk = Walk::new(directory)?;
    while let Some(step) = walk.next() {
        match step {
            Step::Met(entry) if visit(&entry) => walk.pass_by(),
            Step::Met(_) => break,
            Step::Left(_) => {}
            Step::Closed(_, error) => return Err(error),
        }
    }
    Ok(())
}

/// Walks through the whole library, and clears away what is aside and was given up. Returns how many there were.
///
/// # Errors
///
/// That the library's top directory cannot be listed.
pub fn sweep(root: &Root) -> io::Result<usize> {
    let mut cleared = 0;
    let mut walk = Walk::new(root.top()?)?;
    while let Some(step) = walk.next() {
        let Step::Met(Entry {
            directory, name, ..
        }) = step
        else {
            continue;
        };
        if let Some(purpose) = aside::purpose(name.to_bytes()) {
            walk.pass_by();
            let pause = match purpose {
                Purpose::Resumable => PAUSE,
                // These live as long as their request, which holds them locked.
                Purpose::Arriving => Duration::ZERO,
                // Whoever is removing it does not mind that we do as well.
                Purpose::Leaving => Duration::ZERO,
            };
            cleared += usize::from(clear(&directory, &name, purpose, pause));
        }
    }
    Ok(cleared)
}

/// Clears away one of these, unless a request is busy with it or was within `pause`. Whether it did.
fn clear(directory: &OwnedFd, name: &CStr, purpose: Purpose, pause: Duration) -> bool {
    match purpose {
        Purpose::Arriving | Purpose::Resumable => {
            clear_file(directory, name, pause).unwrap_or(false)
        }
        Purpose::Leaving => {
            let Ok(name) = name.to_str() else {
                return false;
            };
            remove_tree(directory, name).1.is_ok()
        }
    }
}

fn clear_file(directory: &OwnedFd, name: &CStr, pause: Duration) -> io::Result<bool> {
    let file = open_regular(directory, name, OFlags::RDONLY)?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let age = OffsetDateTime::now_utc() - Details::of(&rustix::fs::fstat(&file)?).modified;
    if age < pause {
        return Ok(false);
    }
    rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
    Ok(true)
}

fn open_directory(above: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(above, name, flags, Mode::empty())?)
}
