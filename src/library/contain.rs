//! Opens places of the library so that nothing outside is ever reached. Check and use are one act: the kernel
//! resolves a path beneath the descriptor of its top folder (`openat2`, or cap-std's own walk on kernels before
//! 5.6), and what is read afterwards is the very object that was checked.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::path::Inside;
use super::refusal::{Lacking, Reason, Refusal};

/// Finding something without opening it: no device wakes up, no FIFO waits.
pub(super) const FIND: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The directory on disk that is the library.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
}

/// What is at a place. Only directories and regular files are ever opened for reading.
#[derive(Debug)]
pub enum Found {
    /// A directory, open for listing.
    Directory(OwnedFd),
    /// A regular file, open for reading, and its size in bytes at that moment.
    File(File, u64),
    /// A FIFO, a device or a socket: not opened.
    Other,
}

impl Root {
    /// The library at `path`. It is opened anew for each question, so that it may be replaced as a whole.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library's top directory, open for listing.
    ///
    /// # Errors
    ///
    /// Those of opening it.
    pub fn top(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, &self.path, flags, Mode::empty())?)
    }

    /// Of these names at the top level, the ones that are there, each with whether it is a directory.
    ///
    /// # Errors
    ///
    /// Those of opening the top directory.
    pub fn top_entries(&self, names: &[String]) -> io::Result<Vec<(String, bool)>> {
        let top = self.top()?;
        let kind = |name: &String| {
            let stat = rustix::fs::statat(&top, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            Some((name.clone(), directory))
        };
        Ok(names.iter().filter_map(kind).collect())
    }

    /// Finds what is at `place`. The top folder itself must not be a link; links below it are followed while they
    /// stay in it.
    ///
    /// # Errors
    ///
    /// The refusal that the viewer is told.
    pub fn find(&self, place: &Inside) -> Result<Found, Refusal> {
        self.locate(place)
            .and_then(open_found)
            .map_err(|error| place.refuse(reason(&error)))
    }

    /// What is at `place`, without opening it; links are followed as in [`Root::find`].
    ///
    /// # Errors
    ///
    /// The refusal that the viewer is told.
    pub fn stat(&self, place: &Inside) -> Result<Stat, Refusal> {
        self.locate(place)
            .and_then(|found| Ok(rustix::fs::fstat(found)?))
            .map_err(|error| place.refuse(reason(&error)))
    }

    /// The directory that holds `place`, and the name of `place` in it: what is made, moved or removed there by that name
    /// is in the viewer's folder, wherever the directory is moved meanwhile. The name itself is not looked at.
    ///
    /// # Errors
    ///
    /// The refusal that the viewer is told. A top folder is held by nothing that may be changed.
    pub fn spot(&self, place: &Inside) -> Result<Spot, Refusal> {
        let Some((name, above)) = place.rest.split_last() else {
            return Err(place.refuse(Reason::Forbidden));
        };
        let directory = self
            .locate_in(&place.scope, above)
            .and_then(open_directory)
            .map_err(|error| place.refuse(reason(&error)))?;
        Ok(Spot {
            directory,
            name: name.clone(),
        })
    }

    /// How many directories lie between a top folder and an open directory of it, links on the way to it left aside; `None`
    /// where it lies deeper than `most`, or is not in that folder any more.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn depth(
        &self,
        scope: &str,
        directory: impl AsFd,
        most: usize,
    ) -> io::Result<Option<usize>> {
        let which = |opened: BorrowedFd<'_>| -> io::Result<(u64, u64)> {
            let stat = rustix::fs::fstat(opened)?;
            Ok((stat.st_dev, stat.st_ino))
        };
        let top = which(self.scope(scope)?.as_fd())?;
        let mut here = directory.as_fd().try_clone_to_owned()?;
        for depth in 0..=most {
            if which(here.as_fd())? == top {
                return Ok(Some(depth));
            }
            here = rustix::fs::openat(&here, c"..", FIND | OFlags::DIRECTORY, Mode::empty())?;
        }
        Ok(None)
    }

    /// A top folder, open for listing.
    ///
    /// # Errors
    ///
    /// Those of opening it; [`io::ErrorKind::PermissionDenied`] where it is a link.
    pub fn scope(&self, name: &str) -> io::Result<OwnedFd> {
        self.locate_in(name, &[]).and_then(open_directory)
    }

    fn locate(&self, place: &Inside) -> io::Result<OwnedFd> {
        self.locate_in(&place.scope, &place.rest)
    }

    fn locate_in(&self, scope: &str, rest: &[String]) -> io::Result<OwnedFd> {
        let top = self.top()?;
        // One segment that is neither `.` nor `..`: this cannot lead anywhere but to an entry of the top directory.
        let scope = rustix::fs::openat(&top, scope, FIND | OFlags::NOFOLLOW, Mode::empty())?;
        if kind(&scope)? == FileType::Symlink {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if rest.is_empty() {
            return Ok(scope);
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flag_bits(FIND));
        let found = Dir::from_std_file(File::from(scope))
            .open_with(rest.join("/"), &options)?
            .into_std();
        Ok(found.into())
    }
}

/// Where something is, or shall be.
#[derive(Debug)]
pub struct Spot {
    /// The directory, open for listing.
    pub directory: OwnedFd,
    /// The name in it: one segment, neither `.` nor `..`.
    pub name: String,
}

impl Spot {
    /// Whether another one is in the same directory.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn shares_directory(&self, other: &Self) -> io::Result<bool> {
        let here = rustix::fs::fstat(&self.directory)?;
        let there = rustix::fs::fstat(&other.directory)?;
        Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
    }
}

fn flag_bits(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn kind(found: impl AsFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(found)?.st_mode))
}

/// Opens what was found, by its descriptor: whatever has its name by now does not matter.
pub(super) fn open_found(found: OwnedFd) -> io::Result<Found> {
    match kind(&found)? {
        FileType::Directory => open_directory(found).map(Found::Directory),
        FileType::RegularFile => {
            let file = reopen(&found, OFlags::RDONLY)?;
            let size = file.metadata()?.len();
            Ok(Found::File(file, size))
        }
        FileType::Symlink => Err(io::ErrorKind::PermissionDenied.into()),
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Ok(Found::Other),
    }
}

/// Opens the regular file of a name in a directory. It lies where users can put things: a link is not followed, and nothing but a
/// regular file is opened.
///
/// # Errors
///
/// Those of the operating system; [`Errno::INVAL`] for anything but a regular file.
pub(super) fn open_regular(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
    access: OFlags,
) -> io::Result<File> {
    let found = rustix::fs::openat(directory, name, FIND | OFlags::NOFOLLOW, Mode::empty())?;
    match kind(&found)? {
        FileType::RegularFile => reopen(found, access),
        _ => Err(Errno::INVAL.into()),
    }
}

/// Opens a regular file that was found, by its descriptor. It is not waited for: a program may hold a lease on a file of its
/// user's (fcntl(2), `F_SETLEASE`), and an opening that waits would wait for 45 seconds.
fn reopen(found: impl AsFd, access: OFlags) -> io::Result<File> {
    let itself = format!("/proc/self/fd/{}", found.as_fd().as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(itself, flags, Mode::empty())?.into())
}

fn open_directory(found: OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&found, c".", flags, Mode::empty())?)
}

/// What an error of the operating system means to the viewer. An error without a number comes from containment
/// itself: the path led out.
pub(super) fn reason(error: &io::Error) -> Reason {
    let Some(number) = error.raw_os_error() else {
        return Reason::Forbidden;
    };
    match Errno::from_raw_os_error(number) {
        Errno::NOENT | Errno::NAMETOOLONG | Errno::INVAL => Reason::NotFound,
        Errno::NOTDIR => Reason::NotADirectory,
        Errno::LOOP | Errno::XDEV => Reason::Forbidden,
        Errno::AGAIN => Reason::Busy,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => Reason::Crowded(Lacking::Machine),
        _ => Reason::Unreadable,
    }
}
