//! An upload as the disk knows it: a file aside, locked, and what it shall become.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::super::changes::{hand_over, move_to_nothing, reason, size_of, stat_of};
use super::super::contain::{Root, Spot};
use super::super::depth::not_too_deep;
use super::super::desk::{Desk, check, still_there};
use super::super::details::Details;
use super::super::digest::{Wanted, examine_file};
use super::super::given_up::GivenUp;
use super::super::path::Inside;
use super::super::quota::Reservation;
use super::super::refusal::{Reason, Refusal};
use super::super::shares::Slot;
use super::super::walk::MAX_DEPTH;
use super::part::{aside_of, new_file, part_file};
use super::way::{Made, spot_for};
use super::{Announced, Placed, Stopped, Sum};
use crate::platform::desired::hex;

/// How much is written before the disk has to have it, in bytes: the last of a large file then waits for no more than
/// this, and the others' reads are not crowded out of the memory.
const SYNC_EVERY: u64 = 128 << 20;

/// An upload as the disk knows it.
#[derive(Debug)]
pub struct Begun {
    desk: Arc<Desk>,
    place: Inside,
    announced: Announced,
    spot: Spot,
    aside: String,
    file: File,
    /// Directories that were made for it: they go when it is given up.
    made: Vec<Spot>,
    room: Option<Reservation>,
    /// How much of the file is there, in bytes.
    there: u64,
    /// How much this request has brought, in bytes.
    brought: u64,
    hash: Option<Sha256>,
    part_hash: Option<Sha256>,
    fate: Fate,
    /// Its place among those who send files: taken as long as anything is done for it, also when whoever sent it has gone.
    _slot: Slot,
}

/// What becomes of the file when the request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It goes.
    Removed,
    /// It lies aside for the next request, if there is anything in it.
    Kept,
    /// It has taken its name.
    Placed,
}

pub fn begin(
    root: &Root,
    desk: &Arc<Desk>,
    place: Inside,
    whose: &str,
    announced: Announced,
    slot: Slot,
) -> Result<Begun, Stopped> {
    let limit = desk.limits.max_upload;
    let size = announced.part.as_ref().map(|part| part.total);
    let size = size.or(announced.size);
    if size.is_some_and(|size| size > limit) {
        return Err(place.refuse(Reason::TooLargeToStore(limit)).into());
    }
    if place.rest.len() >= MAX_DEPTH {
        return Err(place.refuse(Reason::TooDeep(MAX_DEPTH)).into());
    }
    let (spot, made) = spot_for(root, &place)?;
    let mut to_undo = Made(made);
    not_too_deep(root, &place, &spot)?;
    check(root, &place, &announced.conditions)?;
    let replaced = replaced(&spot, &place)?;
    let told = |error: io::Error| place.refuse(reason(&error));
    let opened = match &announced.part {
        None => new_file(&spot.directory).map(|(file, name)| (file, name, 0)),
        Some(part) => {
            let aside = aside_of(whose, &spot.name, &part.upload, part.total);
            let (file, there) = part_file(&spot.directory, &aside, part, &place)?;
            Ok((file, aside, there))
        }
    };
    let (file, aside, there) = opened.map_err(told)?;
    let fate = match announced.part {
        Some(_) => Fate::Kept,
        None => Fate::Removed,
    };
    let mut begun = Begun {
        desk: desk.clone(),
        hash: announced.sum.map(|_| Sha256::new()),
        part_hash: announced.part_sum.map(|_| Sha256::new()),
        announced,
        spot,
        aside,
        file,
        made: std::mem::take(&mut to_undo.0),
        room: None,
        there,
        brought: 0,
        fate,
        place,
        _slot: slot,
    };
    if there > 0 {
        // Summed up from the disk when it is whole.
        begun.hash = None;
    }
    begun.make_room(root, size.unwrap_or(0), replaced)?;
    Ok(begun)
}

/// What the file will replace, in bytes. A link is replaced itself, what it leads to stays.
fn replaced(spot: &Spot, place: &Inside) -> Result<u64, Refusal> {
    let Ok(stat) = stat_of(&spot.directory, &spot.name) else {
        return Ok(0);
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Symlink => Ok(size_of(&stat)),
        FileType::Directory
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Err(place.refuse(Reason::Exists)),
    }
}

impl Begun {
    /// Looks whether there is room for the whole of it, as far as that is known.
    fn make_room(&mut self, root: &Root, size: u64, replaced: u64) -> Result<(), Refusal> {
        let no_room = || self.place.refuse(Reason::NoRoom);
        if let Ok(disk) = rustix::fs::fstatvfs(&self.spot.directory) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            if size.saturating_sub(self.there) > free {
                return Err(no_room());
            }
        }
        // What is there already is counted so far.
        let going = replaced.saturating_add(self.there);
        let ledger = &self.desk.ledger;
        let room = ledger.reserve(root, &self.place.scope, size, going);
        let mut room = room.map_err(|_| no_room())?;
        match rustix::fs::fstat(&self.file) {
            Ok(stat) => room.takes_over(&stat, self.there),
            Err(error) => return Err(self.place.refuse(reason(&error.into()))),
        }
        self.room = Some(room);
        Ok(())
    }

    pub fn write(&mut self, root: &Root, bytes: &[u8]) -> Result<(), Stopped> {
        let length = bytes.len() as u64;
        self.expect(root, length)?;
        let before = self.there;
        let told = |error: io::Error| self.place.refuse(reason(&error));
        let mut file = &self.file;
        file.seek(SeekFrom::Start(before)).map_err(told)?;
        file.write_all(bytes).map_err(told)?;
        for hash in [&mut self.hash, &mut self.part_hash].into_iter().flatten() {
            hash.update(bytes);
        }
        self.there += length;
        self.brought += length;
        if before / SYNC_EVERY != self.there / SYNC_EVERY {
            let told = |error: io::Error| self.place.refuse(reason(&error));
            self.file.sync_data().map_err(told)?;
        }
        Ok(())
    }

    /// Looks whether so much more may come.
    fn expect(&mut self, root: &Root, length: u64) -> Result<(), Stopped> {
        let brought = self.brought.saturating_add(length);
        if let Some(part) = &self.announced.part {
            return match brought <= part.length {
                true => Ok(()),
                false => Err(Stopped::NotWhatWasSent),
            };
        }
        if let Some(size) = self.announced.size {
            return match brought <= size {
                true => Ok(()),
                false => Err(Stopped::NotWhatWasSent),
            };
        }
        let limit = self.desk.limits.max_upload;
        if brought > limit {
            return Err(self.place.refuse(Reason::TooLargeToStore(limit)).into());
        }
        if let Some(room) = &mut self.room {
            room.grow(root, &self.place.scope, length)
                .map_err(|_| self.place.refuse(Reason::NoRoom))?;
        }
        Ok(())
    }

    /// Whether its end takes reading all of it again.
    pub fn is_summed_from_disk(&self) -> bool {
        self.announced.sum.is_some() && self.hash.is_none()
    }

    pub fn finish(mut self: Box<Self>, root: &Root, given_up: &GivenUp) -> Result<Placed, Stopped> {
        let told = |error: io::Error| Stopped::Refused(self.place.refuse(reason(&error)));
        if let (Some(expected), Some(hash)) = (self.announced.part_sum, &self.part_hash)
            && hash.clone().finalize()[..] != expected
        {
            self.take_back();
            return Err(Stopped::NotWhatWasSent);
        }
        let announced = match &self.announced.part {
            Some(part) => Some(part.length),
            None => self.announced.size,
        };
        if announced.is_some_and(|announced| self.brought < announced) {
            return Err(Stopped::NotWhatWasSent);
        }
        if let Some(part) = &self.announced.part
            && self.there < part.total
        {
            self.file.sync_data().map_err(told)?;
            return Ok(Placed::Partly(self.there));
        }
        if let Some(expected) = self.announced.sum {
            let is_the_one = match &self.hash {
                Some(hash) => hash.clone().finalize()[..] == expected,
                None => {
                    (&self.file).rewind().map_err(told)?;
                    has_sum(&self.file, self.there, &expected, given_up)
                        .map_err(|reason| self.place.refuse(reason))?
                }
            };
            if !is_the_one {
                // Of no use any more, also for an upload that could go on.
                self.fate = Fate::Removed;
                return Err(Stopped::NotWhatWasSent);
            }
        }
        self.place(root)
    }

    /// Gives the file its name.
    fn place(mut self: Box<Self>, root: &Root) -> Result<Placed, Stopped> {
        let told = |error: io::Error| Stopped::Refused(self.place.refuse(reason(&error)));
        let before = stat_of(&self.spot.directory, &self.spot.name).ok();
        // A program that is replaced stays a program.
        let mode = match (&before, self.announced.executable) {
            (_, Some(true)) => 0o755,
            (Some(stat), None)
                if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile =>
            {
                stat.st_mode & 0o777
            }
            (_, None | Some(false)) => 0o644,
        };
        hand_over(
            root,
            &self.place.scope,
            &self.file,
            Mode::from_raw_mode(mode),
        )
        .map_err(told)?;
        self.file.sync_all().map_err(told)?;
        let aside = Spot {
            directory: self.spot.directory.try_clone().map_err(told)?,
            name: self.aside.clone(),
        };
        let desk = self.desk.clone();
        let turn = desk.turn_if(root, &self.place, &self.announced.conditions)?;
        // Its directory may be in another folder by now, or on its way out.
        still_there(root, &self.place, &self.spot)?;
        let replaced = replaced(&self.spot, &self.place)?;
        let there_before = stat_of(&self.spot.directory, &self.spot.name).is_ok();
        if self.announced.conditions.wants_nothing_there() {
            move_to_nothing(&aside, &self.spot).map_err(|error| match reason(&error) {
                Reason::Exists => Stopped::Refused(self.place.refuse(Reason::Changed)),
                _ => told(error),
            })?;
        } else {
            let (directory, name) = (&self.spot.directory, &self.spot.name);
            rustix::fs::renameat(directory, &self.aside, directory, name)
                .map_err(|error| told(error.into()))?;
        }
        drop(turn);
        // From here on it is in its place.
        self.fate = Fate::Placed;
        self.made.clear();
        let size = self.there;
        if let Some(room) = self.room.take() {
            room.settle(size, replaced);
        }
        let told = |error: Errno| Stopped::Refused(self.place.refuse(reason(&error.into())));
        rustix::fs::fsync(&self.spot.directory).map_err(told)?;
        let details = Details::of(&rustix::fs::fstat(&self.file).map_err(told)?);
        Ok(Placed::Whole {
            details,
            replaced: there_before,
        })
    }

    /// Takes back what this request brought.
    fn take_back(&mut self) {
        let before = self.there - self.brought;
        if self.file.set_len(before).is_ok() {
            self.there = before;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let size = || self.file.metadata().map_or(0, |data| data.len());
        let left = match self.fate {
            Fate::Placed => return,
            Fate::Removed => 0,
            // More of it may be there than was accounted for: what was written before the disk was full.
            Fate::Kept => size(),
        };
        if let Some(room) = &mut self.room {
            room.leaves(left);
        }
        if left == 0 {
            let _ = rustix::fs::unlinkat(&self.spot.directory, &self.aside, AtFlags::empty());
            drop(Made(std::mem::take(&mut self.made)));
        }
    }
}

/// Whether a file that is read from its begin has that sum.
pub fn has_sum(file: &File, size: u64, sum: &Sum, given_up: &GivenUp) -> Result<bool, Reason> {
    let wanted = Wanted {
        sha256: true,
        is_text: false,
    };
    let examined = examine_file(file, size, wanted, given_up)?;
    Ok(examined.sha256 == Some(hex(sum)))
}
