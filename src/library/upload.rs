//! Files on their way into a library. What arrives is written aside, in the directory where it shall be, and takes its
//! name in one step once it is whole: nobody ever sees half a file, and what was there stays until then.
//!
//! A file may come in several requests, with pauses between them: an upload has a name then, which its sender chose.
//! What has arrived of it is a file of its own ([`Purpose::Resumable`]), named after who sends it, where to, its own name
//! and the whole size; how much of it is there is that file's size. Nothing else is remembered, so it survives this
//! server. Whoever writes it holds it locked.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::aside::{self, Purpose};
use super::changes::{
    Desk, check, hand_over, make_directory_at, move_to_nothing, not_too_deep, reason, size_of,
    stat_of,
};
use super::conditions::Conditions;
use super::contain::{Root, Spot};
use super::details::Details;
use super::flow::Turn;
use super::local::Local;
use super::path::{Inside, Viewer};
use super::quota::Reservation;
use super::refusal::{Reason, Refusal};
use super::stale;

/// How much is written before the disk has to have it, in bytes: the last of a large file then waits for no more than
/// this, and the others' reads are not crowded out of the memory.
const SYNC_EVERY: u64 = 128 << 20;

/// A SHA-256 of a whole file, or of a part of it.
pub type Sum = [u8; 32];

/// What a request announces.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    /// The size of the whole file, in bytes, where it is known.
    pub size: Option<u64>,
    /// Which part this is, where the file comes in several requests.
    pub part: Option<Part>,
    /// Whether its owner may execute the file; `None` leaves that as it is, and a new one is not executable.
    pub executable: Option<bool>,
    /// On what the whole depends. Looked at before anything is taken, and again when the file takes its name.
    pub conditions: Conditions,
    /// The sum of the whole file.
    pub sum: Option<Sum>,
    /// The sum of what this request brings.
    pub part_sum: Option<Sum>,
}

/// A part of a file that comes in several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name that its sender gave the upload.
    pub upload: String,
    /// Where the part begins, in bytes from the file's begin. At 0 the upload starts over.
    pub from: u64,
    /// How long the part is, in bytes.
    pub length: u64,
    /// The size of the whole file, in bytes.
    pub total: u64,
}

/// Why an upload does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A reason like any other.
    Refused(Refusal),
    /// The part does not begin where what is there ends: so much is there, in bytes.
    Elsewhere(u64),
    /// What arrived has another sum than was announced, or another length.
    NotWhatWasSent,
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Stopped::Refused(refusal)
    }
}

/// Where an upload stands when a request has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The file is whole and has its name. `replaced` says whether something had it before.
    Whole {
        /// What is known of the file.
        details: Details,
        /// Whether there was something of that name.
        replaced: bool,
    },
    /// So much of it is there, in bytes.
    Partly(u64),
}

impl Local {
    /// Begins to take a file, or a part of one. Directories that are missing on the way to it are made.
    ///
    /// # Errors
    ///
    /// That the viewer may not, that it is too large, that there is no room, that the conditions do not hold, that
    /// another request writes the same upload, that this part does not follow what is there.
    pub async fn take(
        &self,
        viewer: &Viewer,
        place: Inside,
        announced: Announced,
    ) -> Result<Upload, Stopped> {
        let desk = self.desk(viewer, &place)?;
        let whose = name_of(viewer);
        let turn = self.flow().turn();
        let begun = self
            .off_thread(move |root| begin(root, &desk, place, &whose, announced))
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable).into()))?;
        Ok(Upload {
            local: self.clone(),
            state: State::Ready(Box::new(begun)),
            buffer: Vec::new(),
            turn,
        })
    }

    /// How much of an upload is there, in bytes. With the sum of the whole file it is also found out whether the file has
    /// its name already.
    ///
    /// # Errors
    ///
    /// That the viewer may not, or what the operating system says.
    pub async fn progress(
        &self,
        viewer: &Viewer,
        place: Inside,
        upload: String,
        total: u64,
        sum: Option<Sum>,
    ) -> Result<Placed, Refusal> {
        let _allowed = self.desk(viewer, &place)?;
        let whose = name_of(viewer);
        self.off_thread(move |root| progress(root, &place, &whose, &upload, total, sum))
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))
    }

    /// Gives an upload up: what is there of it goes.
    ///
    /// # Errors
    ///
    /// That the viewer may not, that there is none, or that a request writes it.
    pub async fn give_up(
        &self,
        viewer: &Viewer,
        place: Inside,
        upload: String,
        total: u64,
    ) -> Result<(), Refusal> {
        let desk = self.desk(viewer, &place)?;
        let whose = name_of(viewer);
        self.off_thread(move |root| {
            let spot = root.spot(&place)?;
            let aside = aside_of(&whose, &spot.name, &upload, total);
            let told = |error: io::Error| place.refuse(reason(&error));
            let part = open_part(&spot.directory, &aside).map_err(told)?;
            lock(&part, &place)?;
            let size = part.metadata().map_or(0, |data| data.len());
            rustix::fs::unlinkat(&spot.directory, &aside, AtFlags::empty())
                .map_err(|error| told(error.into()))?;
            desk.ledger.freed(&place.scope, size);
            Ok(())
        })
        .await
        .unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable)))
    }

    /// Takes a file that is here already.
    ///
    /// # Errors
    ///
    /// Those of [`Local::take`] and [`Upload::finish`].
    pub async fn put(
        &self,
        viewer: &Viewer,
        place: Inside,
        contents: Bytes,
        conditions: Conditions,
    ) -> Result<Details, Refusal> {
        let shown = place.clone();
        let announced = Announced {
            size: Some(contents.len() as u64),
            conditions,
            ..Announced::default()
        };
        let stopped = |stopped| match stopped {
            Stopped::Refused(refusal) => refusal,
            // Neither a part nor a sum was announced.
            Stopped::Elsewhere(_) | Stopped::NotWhatWasSent => shown.refuse(Reason::Unwritable),
        };
        let mut upload = self
            .take(viewer, place.clone(), announced)
            .await
            .map_err(stopped)?;
        upload.write(contents).await.map_err(stopped)?;
        match upload.finish().await.map_err(stopped)? {
            Placed::Whole { details, .. } => Ok(details),
            Placed::Partly(_) => Err(place.refuse(Reason::Unwritable)),
        }
    }
}

/// A file that is being taken. Dropped before its end, it leaves nothing behind, or what a named upload can go on with.
#[derive(Debug)]
pub struct Upload {
    local: Local,
    state: State,
    buffer: Vec<u8>,
    turn: Turn,
}

#[derive(Debug)]
enum State {
    Ready(Box<Begun>),
    /// What was given before is being written.
    Writing(JoinHandle<Option<Result<Box<Begun>, Stopped>>>),
    /// It has failed before.
    Over,
}

impl Upload {
    /// Takes the next bytes. They are written while the next ones arrive.
    ///
    /// # Errors
    ///
    /// That it becomes too large, that there is no room, that more comes than was announced.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Stopped> {
        let size = self.turn.chunk();
        let mut bytes = bytes;
        while self.buffer.len() + bytes.len() >= size {
            let now = size.saturating_sub(self.buffer.len()).min(bytes.len());
            self.buffer.extend_from_slice(&bytes.split_to(now));
            self.pass_on().await?;
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    /// Lets what is in the buffer be written, once what was before it is.
    async fn pass_on(&mut self) -> Result<(), Stopped> {
        let mut begun = self.ready().await?;
        let buffer = std::mem::take(&mut self.buffer);
        let local = self.local.clone();
        self.state = State::Writing(tokio::spawn(async move {
            let write = move |root: &Root| begun.write(root, &buffer).map(|()| begun);
            local.off_thread(write).await
        }));
        Ok(())
    }

    async fn ready(&mut self) -> Result<Box<Begun>, Stopped> {
        let stopping = || Refusal::new("", Reason::Unwritable).into();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ready(begun) => Ok(begun),
            State::Writing(writing) => match writing.await {
                Ok(Some(outcome)) => outcome,
                Ok(None) | Err(_) => Err(stopping()),
            },
            State::Over => Err(stopping()),
        }
    }

    /// Ends it. Once all is there, the file takes its name.
    ///
    /// # Errors
    ///
    /// Those of [`Upload::write`], that the sum is another, that the conditions do not hold any more, or what the
    /// operating system says.
    pub async fn finish(mut self) -> Result<Placed, Stopped> {
        self.pass_on().await?;
        let begun = self.ready().await?;
        self.local
            .off_thread(move |root| begun.finish(root))
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable).into()))
    }

    /// Ends a request that broke off: what arrived of a named upload is kept.
    pub async fn break_off(mut self) {
        if self.pass_on().await.is_ok()
            && let Ok(begun) = self.ready().await
        {
            // Dropped where waiting for the disk hinders nobody.
            self.local.off_thread(move |_| drop(begun)).await;
        }
    }
}

/// An upload as the disk knows it.
#[derive(Debug)]
struct Begun {
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

fn name_of(viewer: &Viewer) -> String {
    match viewer {
        Viewer::User { name, .. } => name.to_string(),
        Viewer::Everyone => String::new(),
    }
}

/// The name of what has arrived of an upload.
fn aside_of(whose: &str, name: &str, upload: &str, total: u64) -> String {
    let mut hash = Sha256::new();
    for part in [whose, name, upload] {
        hash.update(part);
        // In none of the three there is a NUL.
        hash.update([0]);
    }
    hash.update(total.to_be_bytes());
    aside::named(Purpose::Resumable, &hash.finalize()[..16])
}

fn open_part(directory: &OwnedFd, aside: &str) -> io::Result<File> {
    let name = CString::new(aside).map_err(io::Error::other)?;
    stale::open_aside(directory, &name, OFlags::RDWR)
}

fn lock(file: &File, place: &Inside) -> Result<(), Refusal> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| place.refuse(Reason::Busy))
}

fn begin(
    root: &Root,
    desk: &Arc<Desk>,
    place: Inside,
    whose: &str,
    announced: Announced,
) -> Result<Begun, Stopped> {
    let limit = desk.limits.max_upload;
    let size = announced.part.as_ref().map(|part| part.total);
    let size = size.or(announced.size);
    if size.is_some_and(|size| size > limit) {
        return Err(place.refuse(Reason::TooLargeToStore(limit)).into());
    }
    not_too_deep(&place)?;
    let (spot, made) = spot_for(root, &place)?;
    let mut given_up = GivenUp(made);
    check(root, &place, &announced.conditions)?;
    let replaced = replaced(&spot, &place)?;
    let told = |error: io::Error| place.refuse(reason(&error));
    let opened = match &announced.part {
        None => new_file(&spot.directory, Purpose::Arriving).map(|(file, name)| (file, name, 0)),
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
        made: std::mem::take(&mut given_up.0),
        room: None,
        there,
        brought: 0,
        fate,
        place,
    };
    if there > 0 {
        // Summed up from the disk when it is whole.
        begun.hash = None;
    }
    begun.make_room(root, size.unwrap_or(0), replaced)?;
    Ok(begun)
}

/// Directories that were made for nothing.
struct GivenUp(Vec<Spot>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        for Spot { directory, name } in self.0.drain(..).rev() {
            // One that holds something by now stays.
            let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::REMOVEDIR);
        }
    }
}

/// The directory that shall hold a file, and the directories that were made for that.
fn spot_for(root: &Root, place: &Inside) -> Result<(Spot, Vec<Spot>), Refusal> {
    match root.spot(place) {
        Err(refusal) if refusal.reason() == Reason::NotFound => {}
        other => return other.map(|spot| (spot, Vec::new())),
    }
    let mut made = GivenUp(Vec::new());
    for depth in 1..place.rest.len() {
        let above = Inside {
            rest: place.rest[..depth].to_vec(),
            ..place.clone()
        };
        let spot = root.spot(&above)?;
        match make_directory_at(root, &place.scope, &spot) {
            Ok(()) => made.0.push(spot),
            Err(error) if reason(&error) == Reason::Exists => {}
            Err(error) => return Err(place.refuse(reason(&error))),
        }
    }
    Ok((root.spot(place)?, std::mem::take(&mut made.0)))
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

fn new_file(directory: &OwnedFd, purpose: Purpose) -> io::Result<(File, String)> {
    let name = aside::fresh(purpose);
    Ok((create(directory, &name)?, name))
}

/// Makes a file that nobody else reads yet, and locks it.
fn create(directory: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: File = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?.into();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// What has arrived of an upload, open and locked, and how much it is.
fn part_file(
    directory: &OwnedFd,
    aside: &str,
    part: &Part,
    place: &Inside,
) -> Result<(File, u64), Stopped> {
    let told = |error: io::Error| Stopped::Refused(place.refuse(reason(&error)));
    let file = match open_part(directory, aside) {
        Ok(file) => {
            lock(&file, place)?;
            file
        }
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

    fn write(&mut self, root: &Root, bytes: &[u8]) -> Result<(), Stopped> {
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
        if self.announced.size.is_some() {
            // Counted by the protocol itself.
            return Ok(());
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

    fn finish(mut self: Box<Self>, root: &Root) -> Result<Placed, Stopped> {
        let told = |error: io::Error| Stopped::Refused(self.place.refuse(reason(&error)));
        if let (Some(expected), Some(hash)) = (self.announced.part_sum, &self.part_hash)
            && hash.clone().finalize()[..] != expected
        {
            self.take_back();
            return Err(Stopped::NotWhatWasSent);
        }
        if let Some(part) = &self.announced.part {
            if self.brought < part.length {
                return Err(Stopped::NotWhatWasSent);
            }
            if self.there < part.total {
                self.file.sync_data().map_err(told)?;
                return Ok(Placed::Partly(self.there));
            }
        }
        if let Some(expected) = self.announced.sum {
            let found = match &self.hash {
                Some(hash) => hash.clone().finalize().into(),
                None => sum_of(&self.file).map_err(told)?,
            };
            if found != expected {
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
        let turn = desk.turn();
        check(root, &self.place, &self.announced.conditions)?;
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
            drop(GivenUp(std::mem::take(&mut self.made)));
        }
    }
}

fn progress(
    root: &Root,
    place: &Inside,
    whose: &str,
    upload: &str,
    total: u64,
    sum: Option<Sum>,
) -> Result<Placed, Refusal> {
    let spot = match root.spot(place) {
        Ok(spot) => spot,
        // The directories are made with the first part.
        Err(refusal) if refusal.reason() == Reason::NotFound => return Ok(Placed::Partly(0)),
        Err(refusal) => return Err(refusal),
    };
    let aside = aside_of(whose, &spot.name, upload, total);
    if let Ok(stat) = stat_of(&spot.directory, &aside) {
        return Ok(Placed::Partly(size_of(&stat)));
    }
    match sum.map(|sum| whole_already(root, place, total, sum)) {
        Some(Some(details)) => Ok(Placed::Whole {
            details,
            replaced: true,
        }),
        Some(None) | None => Ok(Placed::Partly(0)),
    }
}

/// The file at `place`, where it has that size and that sum.
fn whole_already(root: &Root, place: &Inside, total: u64, sum: Sum) -> Option<Details> {
    use super::contain::Found;
    let Ok(Found::File(file, size)) = root.find(place) else {
        return None;
    };
    if size != total {
        return None;
    }
    let before = Details::of(&rustix::fs::fstat(&file).ok()?);
    let found = sum_of(&file).ok()?;
    let after = Details::of(&rustix::fs::fstat(&file).ok()?);
    (found == sum && before == after).then_some(after)
}

fn sum_of(mut file: &File) -> io::Result<Sum> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&buffer[..read]),
        }
    }
}
