//! Files of this machine that come from the library: written aside, then moved to their place.

use std::fs::{File, FileTimes, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::platform::desired::hex;

use super::super::contain::open_regular;
use super::problem::Problem;

/// What the names of files that are being written begin and end with.
const BEGIN: &str = ".dtaas-get-";
const END: &str = ".part";

/// Whether a name is that of a file that is being written: nobody's, and to be left alone.
pub fn is_part(name: &str) -> bool {
    name.starts_with(BEGIN) && name.ends_with(END)
}

/// A file that is being written beside its place. Its name says which version of which file it holds, so that a later run goes on
/// with it; nothing else is remembered.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    place: PathBuf,
    /// Open for writing at its end.
    pub file: File,
    /// How many bytes it holds already.
    pub length: u64,
}

impl Aside {
    /// Opens the part of `version` of what will lie at `place`, or begins it. Parts of other versions are removed. Without a version
    /// nothing can be gone on with: it begins anew.
    ///
    /// # Errors
    ///
    /// That it cannot be written, or that another run writes it just now.
    pub fn open(place: &Path, version: Option<&str>) -> Result<Self, Problem> {
        let directory = directory_of(place);
        let name = place.file_name().unwrap_or_default();
        // Not the name itself, which may be as long as a name can be.
        let stem = format!("{BEGIN}{}-", short(name.as_bytes()));
        let own = format!(
            "{stem}{}{END}",
            short(version.unwrap_or_default().as_bytes())
        );
        let path = directory.join(&own);
        let opened = || -> io::Result<(File, u64)> {
            let file = open_own(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another run is writing it"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have moved it to its place since it was opened here.
            let (ours, there) = (file.metadata()?, std::fs::symlink_metadata(&path)?);
            if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
                return Err(io::Error::other("another run has just written it"));
            }
            if version.is_none() {
                file.set_len(0)?;
            }
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = opened().map_err(|source| here("cannot write", place, source))?;
        remove_others(&directory, &stem, &own);
        Ok(Self {
            path,
            place: place.to_owned(),
            file,
            length,
        })
    }

    /// Forgets what it holds.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn begin_anew(&mut self) -> Result<(), Problem> {
        self.length = 0;
        self.file
            .set_len(0)
            .map_err(|source| here("cannot write", &self.place, source))
    }

    /// Moves it to its place: whole, with the time of change that the library has, and over nothing unless `over`.
    ///
    /// # Errors
    ///
    /// Those of the file system; `AlreadyExists` where something has come to lie there.
    pub fn put(self, modified: Option<SystemTime>, over: bool) -> Result<(), Problem> {
        let put = || -> io::Result<()> {
            if let Some(time) = modified {
                self.file.set_times(FileTimes::new().set_modified(time))?;
            }
            self.file.sync_all()?;
            match over {
                true => std::fs::rename(&self.path, &self.place),
                false => move_over_nothing(&self.path, &self.place),
            }
        };
        put().map_err(|source| here("cannot write", &self.place, source))
    }

    /// Removes it.
    pub fn remove(self) {
        // Whoever comes next begins anew over it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a file of that name, or opens the one of an earlier run. Others may write where it lies: what is theirs, or is no file of its
/// own, is not written into, and not waited for.
fn open_own(path: &Path) -> io::Result<File> {
    let made = OpenOptions::new()
        .create_new(true)
        .append(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .mode(0o666)
        .open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let foreign = |what: &str| {
        let path = path.display();
        io::Error::other(format!("{path} lies there and is {what}: remove it"))
    };
    let file = match open_regular(CWD, path, OFlags::WRONLY | OFlags::APPEND) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            return Err(foreign("no regular file"));
        }
        opened => opened?,
    };
    let found = file.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(foreign("somebody else's"));
    }
    if found.nlink() != 1 {
        return Err(foreign("a file of another name as well"));
    }
    Ok(file)
}

/// What lies in the way of a file that comes from the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// Nothing.
    Nothing,
    /// A regular file of this size, changed at this time.
    File {
        /// In bytes.
        size: u64,
        /// When it was changed; `None` where the file system does not tell.
        modified: Option<SystemTime>,
    },
    /// A directory, or something else that is not written over.
    Other,
}

/// Looks what lies at a place.
///
/// # Errors
///
/// Those of the file system.
pub fn in_the_way(place: &Path) -> Result<InTheWay, Problem> {
    match std::fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => Ok(InTheWay::File {
            size: found.len(),
            modified: found.modified().ok(),
        }),
        Ok(_) => Ok(InTheWay::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(InTheWay::Nothing),
        Err(source) => Err(here("cannot look at", place, source)),
    }
}

/// A problem with a file of this machine.
pub fn here(what: &str, path: &Path, source: io::Error) -> Problem {
    Problem::Here {
        what: format!("{what} {}", path.display()),
        source,
    }
}

fn directory_of(place: &Path) -> PathBuf {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn short(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..6])
}

/// Parts of other versions of the same file, unless another run writes them.
fn remove_others(directory: &Path, stem: &str, own: &str) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name == own || !name.starts_with(stem) || !is_part(name) {
            continue;
        }
        let file = open_regular(CWD, entry.path(), OFlags::RDONLY);
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Moves a file to a place where nothing lies, in one step where the file system can.
fn move_over_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match std::fs::symlink_metadata(to) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(_) => std::fs::rename(from, to),
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_part_is_gone_on_with_while_it_is_of_the_same_version() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("x".repeat(255));
        let mut first = Aside::open(&place, Some("v1")).unwrap();
        first.file.write_all(b"half").unwrap();
        drop(first);
        assert_eq!(Aside::open(&place, Some("v1")).unwrap().length, 4);
        assert_eq!(Aside::open(&place, Some("v2")).unwrap().length, 0);
        // The part of the first version went with that.
        assert_eq!(Aside::open(&place, Some("v1")).unwrap().length, 0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_put_in_the_way_of_a_part_is_not_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("x");
        let part = Aside::open(&place, Some("v1")).unwrap().path;
        let refused = || match Aside::open(&place, Some("v1")) {
            Err(Problem::Here { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        };
        let said = |what: &str| format!("{} lies there and is {what}: remove it", part.display());

        std::fs::rename(&part, directory.path().join("other")).unwrap();
        std::fs::hard_link(directory.path().join("other"), &part).unwrap();
        assert_eq!(refused(), said("a file of another name as well"));
        std::fs::remove_file(&part).unwrap();

        std::os::unix::fs::symlink("other", &part).unwrap();
        assert_eq!(refused(), said("no regular file"));
        std::fs::remove_file(&part).unwrap();

        // Nobody reads from it, so that whoever opened it for writing would wait.
        let fifo = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(CWD, &part, fifo, mode, 0).unwrap();
        assert_eq!(refused(), said("no regular file"));
        // Nor is one waited for that has the name of another version's part.
        assert!(Aside::open(&place, Some("v2")).is_ok());
        std::fs::remove_file(&part).unwrap();

        std::fs::write(&part, "").unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&part, Some(12_345), None).unwrap();
            assert_eq!(refused(), said("somebody else's"));
        }
    }

    #[test]
    fn two_runs_do_not_write_into_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("x");
        let first = Aside::open(&place, Some("v1")).unwrap();
        let second = Aside::open(&place, Some("v1")).unwrap_err();
        assert!(matches!(second, Problem::Here { .. }), "{second}");
        // Nor does one take away what the other is at.
        let other = Aside::open(&place, Some("v2")).unwrap();
        first.put(None, false).unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), b"");
        assert!(other.put(None, false).is_err());
    }
}
