//! Copying a library that others may be writing: no symbolic link is followed, so that nobody leads the copy to another place, and what
//! was copied by a run that was killed is not copied again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, fchmod, fchown,
    fstat, futimens, mkdirat, openat, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Failure, remedy_of_io};
use crate::machine::files::is_root;

/// What a file is called while it is written; one at a time is.
const TEMPORARY: &str = ".copied.dtaas-new";

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that are there now.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// What is neither a file nor a directory nor a link, and was left where it is.
    pub left: Vec<PathBuf>,
}

/// Copies what is in a directory into another, which is made where it is missing (mode 0700). Modes, times and, for root, owners come
/// along. `told` hears of each file's bytes.
///
/// # Errors
/// When something cannot be read or written; what was copied stays.
pub fn tree(from: &Path, to: &Path, told: &mut dyn FnMut(u64)) -> anyhow::Result<Copied> {
    let open = |path: &Path| rustix::fs::open(path, DIRECTORY, Mode::empty());
    let source = open(from).map_err(|error| failed("read", from, error.into()))?;
    match rustix::fs::mkdir(to, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(failed("make", to, error.into())),
    }
    let target = open(to).map_err(|error| failed("open", to, error.into()))?;
    let mut copy = Copy {
        from,
        copied: Copied::default(),
        told,
    };
    copy.directory(&source, &target, Path::new(""))?;
    rustix::fs::syncfs(&target).map_err(|error| failed("write", to, error.into()))?;
    Ok(copy.copied)
}

struct Copy<'a> {
    from: &'a Path,
    copied: Copied,
    told: &'a mut dyn FnMut(u64),
}

impl Copy<'_> {
    fn directory(&mut self, source: &OwnedFd, target: &OwnedFd, path: &Path) -> anyhow::Result<()> {
        for name in names(source).map_err(|error| self.failed("read", path, error))? {
            let path = path.join(&name);
            let found = statat(source, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| self.failed("read", &path, error.into()))?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => {
                    let (inner, made) = subdirectory(source, target, &name)
                        .map_err(|error| self.failed("copy", &path, error.into()))?;
                    self.directory(&inner, &made, &path)?;
                    keep(&made, &found)
                        .map_err(|error| self.failed("copy", &path, error.into()))?;
                }
                FileType::RegularFile => {
                    let bytes = file(source, target, &name, &found)
                        .map_err(|error| self.failed("copy", &path, error))?;
                    self.copied.files += 1;
                    self.copied.bytes += bytes;
                    (self.told)(bytes);
                }
                FileType::Symlink => link(source, target, &name, &found)
                    .map_err(|error| self.failed("copy", &path, error.into()))?,
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => self.copied.left.push(path),
            }
        }
        Ok(())
    }

    fn failed(&self, what: &str, path: &Path, error: io::Error) -> anyhow::Error {
        failed(what, &self.from.join(path), error)
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let hint =
        remedy_of_io(&error).unwrap_or("mend that, and run this again: it goes on where it was");
    let failure = Failure::new(format!("cannot {what} {}", path.display())).hint(hint);
    anyhow::Error::new(error).context(failure)
}

/// The names in a directory, in order.
fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn subdirectory(
    source: &OwnedFd,
    target: &OwnedFd,
    name: &OsStr,
) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let inner = openat(source, name, DIRECTORY, Mode::empty())?;
    match mkdirat(target, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    Ok((inner, openat(target, name, DIRECTORY, Mode::empty())?))
}

/// Copies a file, unless it is there already: of the same size and time. Answers how many bytes it has.
fn file(source: &OwnedFd, target: &OwnedFd, name: &OsStr, found: &Stat) -> io::Result<u64> {
    if let Ok(there) = statat(target, name, AtFlags::SYMLINK_NOFOLLOW)
        && FileType::from_raw_mode(there.st_mode) == FileType::RegularFile
        && there.st_size == found.st_size
        && (there.st_mtime, there.st_mtime_nsec) == (found.st_mtime, found.st_mtime_nsec)
    {
        return Ok(u64::try_from(found.st_size).unwrap_or(0));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut from = File::from(openat(source, name, flags, Mode::empty())?);
    let opened = fstat(&from)?;
    // It was a file a moment ago.
    if FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL.into());
    }
    match unlinkat(target, TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut to = File::from(openat(target, TEMPORARY, flags, Mode::RUSR | Mode::WUSR)?);
    let bytes = io::copy(&mut from, &mut to)?;
    keep(&to, &opened)?;
    renameat(target, TEMPORARY, target, name)?;
    Ok(bytes)
}

fn link(source: &OwnedFd, target: &OwnedFd, name: &OsStr, found: &Stat) -> rustix::io::Result<()> {
    let leads_to = readlinkat(source, name, Vec::new())?;
    if readlinkat(target, name, Vec::new()).is_ok_and(|there| there == leads_to) {
        return Ok(());
    }
    match unlinkat(target, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    symlinkat(leads_to.as_c_str(), target, name)?;
    if is_root() {
        let (uid, gid) = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
        rustix::fs::chownat(
            target,
            name,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    Ok(())
}

/// Owner, mode and times as they were.
fn keep(copy: impl AsFd, original: &Stat) -> rustix::io::Result<()> {
    if is_root() {
        let (uid, gid) = (
            Uid::from_raw(original.st_uid),
            Gid::from_raw(original.st_gid),
        );
        fchown(&copy, Some(uid), Some(gid))?;
    }
    fchmod(&copy, Mode::from_raw_mode(original.st_mode & 0o7777))?;
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    futimens(
        &copy,
        &Timestamps {
            last_access: time(original.st_atime, original.st_atime_nsec),
            last_modification: time(original.st_mtime, original.st_mtime_nsec),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_copied_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        std::fs::create_dir_all(from.join("alice/digital twins")).unwrap();
        std::fs::write(from.join("alice/digital twins/a b"), "twin").unwrap();
        std::os::unix::fs::symlink("/etc", from.join("alice/etc")).unwrap();
        let fifo = from.join("alice/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();

        let first = tree(&from, &to, &mut |_| ()).unwrap();
        assert_eq!(
            first,
            Copied {
                files: 1,
                bytes: 4,
                left: vec!["alice/fifo".into()],
            }
        );
        let copy = to.join("alice/digital twins/a b");
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "twin");
        assert_eq!(
            std::fs::read_link(to.join("alice/etc")).unwrap(),
            Path::new("/etc")
        );

        // What has come is not copied again: its content would be put right.
        let time = copy.metadata().unwrap().modified().unwrap();
        std::fs::write(&copy, "mine").unwrap();
        File::options()
            .write(true)
            .open(&copy)
            .unwrap()
            .set_modified(time)
            .unwrap();
        std::fs::write(to.join("alice").join(TEMPORARY), "half a fi").unwrap();
        std::fs::write(from.join("alice/new"), "new").unwrap();
        assert_eq!(
            tree(&from, &to, &mut |_| ()).unwrap(),
            Copied {
                files: 2,
                bytes: 7,
                ..first
            }
        );
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "mine");
        assert!(!to.join("alice").join(TEMPORARY).exists());
    }
}
