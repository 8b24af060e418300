//! The file aside that an upload is written to.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::super::aside::{self, Purpose};
use super::super::changes::{reason, size_of, stat_of};
use super::super::contain::open_regular;
use super::super::path::Inside;
use super::super::refusal::{Reason, Refusal};
use super::{Part, Stopped};

/// The name of what has arrived of an upload.
pub fn aside_of(whose: &str, name: &str, upload: &str, total: u64) -> String {
    let mut hash = Sha256::new();
    for part in [whose, name, upload] {
        hash.update(part);
        // In none of the three there is a NUL.
        hash.update([0]);
    }
    hash.update(total.to_be_bytes());
    aside::named(Purpose::Resumable, &hash.finalize()[..16])
}

/// Opens what has arrived of an upload.
pub fn open_part(directory: &OwnedFd, aside: &str) -> io::Result<File> {
    let name = CString::new(aside).map_err(io::Error::other)?;
    open_regular(directory, &name, OFlags::RDWR)
}

/// Keeps other requests from it.
pub fn lock(file: &File, place: &Inside) -> Result<(), Refusal> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| place.refuse(Reason::Busy))
}

/// How often a file is made anew that was cleared away before it was locked.
const TRIES: usize = 3;

/// A file for one request, locked, and its name.
pub fn new_file(directory: &OwnedFd) -> io::Result<(File, String)> {
    for _ in 0..TRIES {
        let name = aside::fresh(Purpose::Arriving);
        let file = create(directory, &name)?;
        // Until it is locked it looks like one that was given up.
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if locked && stat_of_is(directory, &name, &rustix::fs::fstat(&file)?) {
            return Ok((file, name));
        }
    }
    Err(Errno::AGAIN.into())
}

/// Makes a file that nobody else may read yet.
fn create(directory: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?.into())
}

/// What has arrived of an upload, open and locked, and how much it is.
pub fn part_file(
    directory: &OwnedFd,
    aside: &str,
    part: &Part,
    place: &Inside,
) -> Result<(File, u64), Stopped> {
    let told = |error: io::Error| Stopped::Refused(place.refuse(reason(&error)));
    let file = match open_part(directory, aside) {
        Ok(file) => file,
        Err(error) if reason(&error) == Reason::NotFound => {
            if part.from > 0 {
                return Err(Stopped::Elsewhere(0));
            }
            match create(directory, aside) {
                Ok(file) => file,
                Err(error) if reason(&error) == Reason::Exists => {
                    return Err(place.refuse(Reason::Busy).into());
                }
                Err(error) => return Err(told(error)),
            }
        }
        Err(error) => return Err(told(error)),
    };
    lock(&file, place)?;
    let stat = rustix::fs::fstat(&file).map_err(|error| told(error.into()))?;
    // Between the opening and the lock another request may have ended the upload.
    if !stat_of_is(directory, aside, &stat) {
        return Err(place.refuse(Reason::Busy).into());
    }
    let there = size_of(&stat);
    if part.from == there {
        return Ok((file, there));
    }
    if part.from > 0 {
        return Err(Stopped::Elsewhere(there));
    }
    file.set_len(0).map_err(told)?;
    Ok((file, 0))
}

fn stat_of_is(directory: &OwnedFd, name: &str, stat: &rustix::fs::Stat) -> bool {
    stat_of(directory, name).is_ok_and(|now| (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino))
}
