//! Changes to a library on disk: remove, move, make a directory. Every change is made by one name in a directory that is
//! held open, beneath its top folder, so that no link leads it anywhere else: where the last name is a link, it is the
//! link that is moved, replaced or removed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

use super::aside::{self, Purpose};
use super::conditions::Conditions;
use super::contain::{Root, Spot};
use super::depth::{not_deepened, not_too_deep};
use super::desk::{Desk, still_there};
use super::details::Details;
use super::given_up::GivenUp;
use super::local::Local;
use super::path::{Inside, Viewer};
use super::refusal::{Lacking, Reason, Refusal};
use super::stale;
use super::whose::Whose;

/// How much may be written, where anything may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writing {
    /// The largest file that is taken, in bytes.
    pub max_upload: u64,
    /// What a top folder may hold, in bytes; `None` is without limit.
    pub quota: Option<u64>,
    /// How long a client that is sending a file may send nothing.
    pub patience: Duration,
}

impl Writing {
    /// What holds where nothing else is said.
    pub const USUAL: Self = Self {
        max_upload: 10 << 30,
        quota: None,
        patience: Duration::from_secs(60),
    };
}

/// What an error of a change means to the viewer.
pub(super) fn reason(error: &io::Error) -> Reason {
    let Some(number) = error.raw_os_error() else {
        return Reason::Forbidden;
    };
    match Errno::from_raw_os_error(number) {
        Errno::NOENT => Reason::NotFound,
        Errno::EXIST | Errno::ISDIR => Reason::Exists,
        Errno::NOTEMPTY => Reason::NotEmpty,
        Errno::NOTDIR => Reason::NotADirectory,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Reason::NoRoom,
        Errno::NAMETOOLONG | Errno::ILSEQ => Reason::BadName,
        Errno::XDEV | Errno::INVAL | Errno::BUSY => Reason::Impossible,
        Errno::LOOP => Reason::Forbidden,
        Errno::AGAIN => Reason::Busy,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => Reason::Crowded(Lacking::Machine),
        _ => Reason::Unwritable,
    }
}

impl Local {
    /// The desk, where this viewer may change what is at `place`.
    ///
    /// # Errors
    ///
    /// [`Reason::ReadOnly`] where nothing may be written, and those of [`Viewer::may_write`].
    pub(super) fn desk(&self, viewer: &Viewer, place: &Inside) -> Result<Arc<Desk>, Refusal> {
        let desk = self.writing().ok_or(place.refuse(Reason::ReadOnly))?;
        viewer.may_write(place)?;
        Ok(desk)
    }

    async fn change<T: Send + 'static>(
        &self,
        viewer: &Viewer,
        work: impl FnOnce(&Root) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let stopping = || Err(Refusal::new("", Reason::Unwritable));
        let done = self.off_thread(Whose::of(viewer), work).await;
        done.unwrap_or_else(stopping)
    }

    /// What is known of what is at `place`; a link is followed while it stays in its folder.
    ///
    /// # Errors
    ///
    /// Those of looking for it.
    pub async fn details(&self, viewer: &Viewer, place: Inside) -> Result<Details, Refusal> {
        let stopping = || Err(Refusal::new("", Reason::Unreadable));
        let look = move |root: &Root| root.stat(&place).map(|stat| Details::of(&stat));
        let looked = self.off_thread(Whose::of(viewer), look).await;
        looked.unwrap_or_else(stopping)
    }

    /// Removes a file, a link or an empty directory; with `recursive` also a directory that holds something, which is
    /// gone from its place at once, as a whole.
    ///
    /// # Errors
    ///
    /// That the viewer may not, that there is nothing, [`Reason::NotEmpty`], [`Reason::Changed`], or what the operating
    /// system says; a directory of which something cannot be removed is put back with what is left.
    pub async fn remove(
        &self,
        viewer: &Viewer,
        place: Inside,
        recursive: bool,
        conditions: Conditions,
    ) -> Result<(), Refusal> {
        let desk = self.desk(viewer, &place)?;
        let stopping = || Err(Refusal::new("", Reason::Unwritable));
        if recursive {
            // What was begun is ended, whether somebody waits for it or not: half a directory is of no use.
            let work =
                move |root: &Root, _: &GivenUp| remove(root, &desk, &place, true, &conditions);
            let done = self.off_thread_long(Whose::of(viewer), work).await;
            return done.unwrap_or_else(stopping);
        }
        self.change(viewer, move |root| {
            remove(root, &desk, &place, false, &conditions)
        })
        .await
    }

    /// Moves what is at `from` to `to`, within a folder or from one to another. The directory that shall hold it must be
    /// there. With `overwrite` a file takes the place of a file and a directory that of an empty one, in one step. Says
    /// whether something was replaced.
    ///
    /// # Errors
    ///
    /// That the viewer may not, at either end; that there is nothing to move; [`Reason::Exists`],
    /// [`Reason::NotEmpty`], [`Reason::NoRoom`], [`Reason::Changed`] (`conditions` are about `from`),
    /// [`Reason::Impossible`].
    pub async fn rename(
        &self,
        viewer: &Viewer,
        from: Inside,
        to: Inside,
        overwrite: bool,
        conditions: Conditions,
    ) -> Result<bool, Refusal> {
        let desk = self.desk(viewer, &from)?;
        viewer.may_write(&to)?;
        let work = move |root: &Root| rename(root, &desk, (&from, &to), overwrite, &conditions);
        self.change(viewer, work).await
    }

    /// Makes a directory. The one that shall hold it must be there.
    ///
    /// # Errors
    ///
    /// That the viewer may not, [`Reason::NotFound`] for the directory above, [`Reason::Exists`], or what the operating
    /// system says.
    pub async fn make_directory(&self, viewer: &Viewer, place: Inside) -> Result<(), Refusal> {
        let desk = self.desk(viewer, &place)?;
        let work = move |root: &Root| make_directory(root, &desk, &place);
        self.change(viewer, work).await
    }
}

fn remove(
    root: &Root,
    desk: &Desk,
    place: &Inside,
    recursive: bool,
    conditions: &Conditions,
) -> Result<(), Refusal> {
    let told = |error: io::Error| place.refuse(reason(&error));
    let turn = desk.turn_if(root, place, conditions)?;
    let Spot { directory, name } = root.spot(place)?;
    let stat = stat_of(&directory, &name).map_err(told)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        rustix::fs::unlinkat(&directory, &name, AtFlags::empty()).map_err(|e| told(e.into()))?;
        drop(turn);
        desk.ledger.freed(&place.scope, size_of(&stat));
    } else if recursive {
        let away = aside::fresh(Purpose::Leaving);
        rustix::fs::renameat(&directory, &name, &directory, &away).map_err(|e| told(e.into()))?;
        drop(turn);
        let (freed, outcome) = stale::remove_tree(&directory, &away);
        desk.ledger.freed(&place.scope, freed);
        if let Err(error) = outcome {
            // Better the rest in its place than hidden; where that has been taken meanwhile, the rest stays aside.
            let flags = RenameFlags::NOREPLACE;
            let _ = rustix::fs::renameat_with(&directory, &away, &directory, &name, flags);
            return Err(told(error));
        }
    } else {
        remove_empty(&directory, &name).map_err(told)?;
        drop(turn);
    }
    // What was removed is gone for everyone, and others have their turns meanwhile. Where this fails, it may be back after a power
    // failure and no more.
    let _ = rustix::fs::fsync(&directory);
    Ok(())
}

/// Removes a directory that looks empty: what is aside in it and was given up goes with it.
fn remove_empty(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let remove = || rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR);
    match remove() {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        other => return Ok(other?),
    }
    stale::clear_given_up(directory, name)?;
    match remove() {
        Err(Errno::EXIST) => Err(Errno::NOTEMPTY.into()),
        other => Ok(other?),
    }
}

fn rename(
    root: &Root,
    desk: &Desk,
    (from, to): (&Inside, &Inside),
    overwrite: bool,
    conditions: &Conditions,
) -> Result<bool, Refusal> {
    let same_folder = from.scope == to.scope;
    if same_folder && to.rest.starts_with(&from.rest) {
        return Err(to.refuse(Reason::Impossible));
    }
    let (source, target) = (root.spot(from)?, root.spot(to)?);
    let moved = stat_of(&source.directory, &source.name).map_err(|e| from.refuse(reason(&e)))?;
    not_deepened(root, (from, &source), (to, &target), &moved)?;
    // What it takes from the quota is found out before anything waits for this change.
    let size = match (same_folder, desk.limits.quota) {
        (false, Some(_)) => stale::size_of_tree(&source.directory, &source.name, &moved),
        (true, _) | (_, None) => 0,
    };
    let room = desk.ledger.reserve(root, &to.scope, size, 0);
    let room = room.map_err(|_| to.refuse(Reason::NoRoom))?;
    let turn = desk.turn_if(root, from, conditions)?;
    still_there(root, from, &source)?;
    still_there(root, to, &target)?;
    let there = stat_of(&target.directory, &target.name).ok();
    let outcome = match (overwrite, &there) {
        (false, Some(_)) => Err(Errno::EXIST.into()),
        (false, None) => move_to_nothing(&source, &target),
        (true, _) => rustix::fs::renameat(
            &source.directory,
            &source.name,
            &target.directory,
            &target.name,
        )
        .map_err(io::Error::from),
    };
    drop(turn);
    outcome.map_err(|error| match reason(&error) {
        // A directory does not take the place of a file, nor the other way round.
        Reason::NotADirectory => to.refuse(Reason::Exists),
        Reason::NotFound => from.refuse(Reason::NotFound),
        other => to.refuse(other),
    })?;
    let replaced = there.as_ref().map_or(0, size_of);
    room.settle(size, replaced);
    if !same_folder {
        desk.ledger.freed(&from.scope, size);
    }
    for directory in [&source.directory, &target.directory] {
        // As with removing: it is done, if not yet for good.
        let _ = rustix::fs::fsync(directory);
    }
    Ok(there.is_some())
}

/// Gives what is at one spot the name of another that nothing has.
///
/// # Errors
///
/// [`Errno::EXIST`] where something has it.
pub(super) fn move_to_nothing(from: &Spot, to: &Spot) -> io::Result<()> {
    let (here, there) = (&from.directory, &to.directory);
    match rustix::fs::renameat_with(here, &from.name, there, &to.name, RenameFlags::NOREPLACE) {
        // Some file systems cannot do both in one step.
        Err(Errno::INVAL | Errno::NOSYS) => match stat_of(there, &to.name) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(_) => Ok(rustix::fs::renameat(here, &from.name, there, &to.name)?),
        },
        other => Ok(other?),
    }
}

fn make_directory(root: &Root, desk: &Desk, place: &Inside) -> Result<(), Refusal> {
    let spot = root.spot(place)?;
    not_too_deep(root, place, &spot)?;
    let turn = desk.turn();
    still_there(root, place, &spot)?;
    let made = make_directory_at(root, &place.scope, &spot);
    drop(turn);
    made.map_err(|error| place.refuse(reason(&error)))
}

/// Makes a directory as the users' own are: everyone may look, its owner may write.
pub(super) fn make_directory_at(root: &Root, scope: &str, spot: &Spot) -> io::Result<()> {
    const NEW_DIRECTORY: Mode = Mode::from_raw_mode(0o755);
    rustix::fs::mkdirat(&spot.directory, &spot.name, NEW_DIRECTORY)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(&spot.directory, &spot.name, flags, Mode::empty())?;
    hand_over(root, scope, &made, NEW_DIRECTORY)
}

/// Gives something new its mode and, where we may, the owner of its top folder.
pub(super) fn hand_over(root: &Root, scope: &str, made: impl AsFd, mode: Mode) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let top = rustix::fs::fstat(root.scope(scope)?)?;
        let (user, group) = (Uid::from_raw(top.st_uid), Gid::from_raw(top.st_gid));
        rustix::fs::fchown(&made, Some(user), Some(group))?;
    }
    Ok(rustix::fs::fchmod(&made, mode)?)
}

pub(super) fn stat_of(directory: &OwnedFd, name: &str) -> io::Result<Stat> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    Ok(rustix::fs::statat(directory, name, flags)?)
}

/// What something counts against a quota, in bytes: a file its size, all else nothing.
pub(super) fn size_of(stat: &Stat) -> u64 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => u64::try_from(stat.st_size).unwrap_or(0),
        FileType::Directory
        | FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => 0,
    }
}
