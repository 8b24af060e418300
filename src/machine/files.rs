//! Files below a deployment's root: every write is atomic and durable, happens only where something differs, sets the
//! mode, and never follows a symbolic link out of the tree.

mod write;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

use crate::error::{Failure, remedy_of_io};
use crate::machine::observed::Kind;
use crate::platform::desired::Directory;

pub use write::{Written, is_temporary};

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is; a symbolic link is not followed.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u32, u32),
}

/// A directory and what is below it. Paths are relative to it and hold nothing but names.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    descriptor: OwnedFd,
}

impl Tree {
    /// Opens a directory that exists.
    pub fn open(root: &Path) -> Result<Self> {
        let descriptor =
            rustix::fs::open(root, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())
                .map_err(|error| problem("open", root, error.into()))?;
        Ok(Self {
            root: root.to_owned(),
            descriptor,
        })
    }

    /// Opens a directory; makes it (mode 0755 without the umask's bits) and its parents where they are missing.
    pub fn create(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(|error| problem("make directory", root, error))?;
        Self::open(root)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What lies at a path; `None` when nothing does.
    pub fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        let looked = self.parent(path).and_then(|(parent, name)| {
            rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
        });
        match looked {
            Ok(stat) => Ok(Some(Stat {
                kind: kind(FileType::from_raw_mode(stat.st_mode)),
                mode: stat.st_mode & 0o7777,
                owner: (stat.st_uid, stat.st_gid),
            })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(self.problem("look at", path, error)),
        }
    }

    /// A file's bytes; `None` when nothing is there.
    ///
    /// # Errors
    ///
    /// Also when something other than a regular file is there.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.open_file(path) {
            Ok(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)
                    .map_err(|error| problem("read", &self.root.join(path), error))?;
                Ok(Some(bytes))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.problem("read", path, error)),
        }
    }

    /// The names in a directory and what they are, in order; nothing when it is not there.
    pub fn list(&self, path: &Path) -> Result<Vec<(OsString, Kind)>> {
        let listed = self.directory(path).and_then(|directory| {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&directory)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name == "." || name == ".." {
                    continue;
                }
                let kind = match entry.file_type() {
                    FileType::Unknown => {
                        let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                        self::kind(FileType::from_raw_mode(stat.st_mode))
                    }
                    known => self::kind(known),
                };
                names.push((name.to_owned(), kind));
            }
            names.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(names)
        });
        match listed {
            Ok(names) => Ok(names),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Vec::new()),
            Err(error) => Err(self.problem("list", path, error)),
        }
    }

    /// Removes a file or a symbolic link. Answers whether there was one.
    pub fn remove(&self, path: &Path) -> Result<bool> {
        let removed = self.parent(path).and_then(|(parent, name)| {
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
            rustix::fs::fsync(&parent)
        });
        match removed {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(self.problem("remove", path, error)),
        }
    }

    /// Makes a directory with its mode and owner; one that exists keeps them, unless they are enforced. Its parent must exist.
    pub fn make_dir(&self, directory: &Directory) -> Result<Written> {
        self.try_make_dir(directory)
            .map_err(|error| self.problem("make directory", &directory.path, error))
    }

    fn try_make_dir(&self, directory: &Directory) -> rustix::io::Result<Written> {
        let (parent, name) = self.parent(&directory.path)?;
        let mode = Mode::from_raw_mode(directory.mode);
        let open = || rustix::fs::openat(&parent, name, DIRECTORY, Mode::empty());
        match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
            Ok(()) => {
                let made = open()?;
                give(&made, directory.owner.filter(|_| is_root()))?;
                // The umask does not apply to this.
                rustix::fs::fchmod(&made, mode)?;
                rustix::fs::fsync(&parent)?;
                Ok(Written::Created)
            }
            Err(Errno::EXIST) => {
                let found = open()?;
                if !directory.enforce {
                    return Ok(Written::Unchanged);
                }
                let stat = rustix::fs::fstat(&found)?;
                let owner = directory
                    .owner
                    .filter(|owner| is_root() && *owner != (stat.st_uid, stat.st_gid));
                if owner.is_none() && stat.st_mode & 0o7777 == directory.mode {
                    return Ok(Written::Unchanged);
                }
                // Closed before it is given away, and the mode last: giving away clears some of its bits.
                rustix::fs::fchmod(&found, Mode::RWXU)?;
                give(&found, owner)?;
                rustix::fs::fchmod(&found, mode)?;
                Ok(Written::Changed)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a file or directory within the tree; fails when the new place is taken.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let moved = || -> rustix::io::Result<()> {
            let (old_parent, old_name) = self.parent(from)?;
            let (new_parent, new_name) = self.parent(to)?;
            rustix::fs::renameat_with(
                &old_parent,
                old_name,
                &new_parent,
                new_name,
                RenameFlags::NOREPLACE,
            )?;
            rustix::fs::fsync(&new_parent)?;
            rustix::fs::fsync(&old_parent)
        };
        moved().map_err(|error| self.problem(&format!("move {} to", from.display()), to, error))
    }

    /// Opens a regular file for reading.
    fn open_file(&self, path: &Path) -> rustix::io::Result<File> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
        match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            FileType::Directory => Err(Errno::ISDIR),
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(Errno::INVAL),
        }
    }

    /// Opens the directory that a path lies in, and gives the path's last name.
    fn parent<'p>(&self, path: &'p Path) -> rustix::io::Result<(OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        Ok((
            self.directory(path.parent().unwrap_or(Path::new("")))?,
            name,
        ))
    }

    /// Opens a directory name by name, so that no symbolic link is followed on the way.
    fn directory(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let mut here = rustix::io::fcntl_dupfd_cloexec(self.descriptor.as_fd(), 0)?;
        for component in path.components() {
            match component {
                Component::Normal(name) => {
                    here = rustix::fs::openat(&here, name, DIRECTORY, Mode::empty())?;
                }
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(Errno::INVAL);
                }
            }
        }
        Ok(here)
    }

    fn problem(&self, what: &str, path: &Path, error: Errno) -> anyhow::Error {
        problem(what, &self.root.join(path), error.into())
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Sets the owner, where there is one to set.
fn give(file: impl AsFd, owner: Option<(u32, u32)>) -> rustix::io::Result<()> {
    match owner {
        Some((uid, gid)) => {
            rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        }
        None => Ok(()),
    }
}

/// Whether files can be given to others.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Kind::Other,
    }
}

fn problem(what: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let place = path.display();
    let failure = Failure::new(format!("cannot {what} {place}"));
    if let Some(remedy) = remedy_of_io(&error) {
        return anyhow::Error::new(error).context(failure.hint(remedy));
    }
    let failure = match Errno::from_io_error(&error) {
        Some(Errno::ACCESS | Errno::PERM) => failure.hint("run this as root: sudo dtaas …"),
        Some(Errno::LOOP | Errno::NOTDIR) => failure.hint(
            "a symbolic link or a file stands where a directory should be, and links are not followed: replace it by a directory",
        ),
        Some(Errno::ISDIR) => {
            failure.hint("a directory stands where a file should be: move it away first")
        }
        Some(Errno::EXIST | Errno::NOTEMPTY) => {
            failure.hint("something is there already: move it away first")
        }
        Some(_) | None => failure,
    };
    anyhow::Error::new(error).context(failure)
}

#[cfg(test)]
mod tests;
