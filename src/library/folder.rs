//! A directory on disk as a listing with details needs it: names as bytes, and what the file system knows of each.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::allowance::Listed;
use super::aside::is_aside;
use super::contain::{FIND, Found, Root, open_found};
use super::details::{Details, Kind};
use super::path::Place;
use super::refusal::{Reason, Refusal};

/// The names in a directory, each list sorted by bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Directories.
    pub trees: Vec<Vec<u8>>,
    /// Everything else.
    pub blobs: Vec<Vec<u8>>,
}

/// What a listing shows of an entry besides its name; many fit in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Bytes; `None` for what is not a regular file.
    pub size: Option<u64>,
    /// When its contents were changed last.
    modified: OffsetDateTime,
}

impl Known {
    /// As RFC 3339 has it, in UTC; `None` for a year that it does not know.
    pub fn modified_text(&self) -> Option<String> {
        self.modified.format(&Rfc3339).ok()
    }
}

impl From<Details> for Known {
    fn from(details: Details) -> Self {
        Self {
            size: (details.kind == Kind::File).then_some(details.size),
            modified: details.modified,
        }
    }
}

/// A directory that was found in the library, open for listing.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    /// Where only these of its entries are shown.
    only: Option<Vec<String>>,
    shown: String,
}

impl Folder {
    /// Opens the directory at `place`.
    ///
    /// # Errors
    ///
    /// The refusal that the viewer is told.
    pub fn open(root: &Root, place: &Place) -> Result<Self, Refusal> {
        let inside = match place {
            Place::Top(only) => {
                let descriptor = root
                    .top()
                    .map_err(|_| Refusal::new("/", Reason::Unreadable))?;
                return Ok(Self {
                    descriptor,
                    only: only.clone(),
                    shown: String::from("/"),
                });
            }
            Place::Inside(inside) => inside,
        };
        match root.find(inside)? {
            Found::Directory(descriptor) => Ok(Self {
                descriptor,
                only: None,
                shown: inside.shown.clone(),
            }),
            Found::File(..) | Found::Other => Err(inside.refuse(Reason::NotADirectory)),
        }
    }

    /// The directory of that name in this one, itself and not what a link leads to. `None` when there is none by now, or
    /// it cannot be read.
    pub fn enter(&self, name: &[u8]) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()).ok()?;
        Some(Self {
            descriptor,
            only: None,
            shown: String::new(),
        })
    }

    /// Shows `visit` each name and whether it is a directory, until it has seen enough.
    ///
    /// # Errors
    ///
    /// That the directory cannot be read.
    pub fn visit(
        &self,
        mut visit: impl FnMut(&[u8], bool) -> ControlFlow<()>,
    ) -> Result<(), Refusal> {
        let Some(only) = &self.only else {
            return self
                .each_entry(visit)
                .map_err(|_| Refusal::new(&self.shown, Reason::Unreadable));
        };
        for name in only {
            let Some(stat) = self.stat(name.as_bytes()) else {
                continue;
            };
            let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if visit(name.as_bytes(), directory).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn each_entry(&self, mut visit: impl FnMut(&[u8], bool) -> ControlFlow<()>) -> io::Result<()> {
        let mut directory = Dir::read_from(&self.descriptor)?;
        while let Some(entry) = directory.read() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || is_aside(name) {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not tell. Without a kind it has been removed since.
                FileType::Unknown => match self.stat(name) {
                    Some(stat) => FileType::from_raw_mode(stat.st_mode),
                    None => continue,
                },
                kind => kind,
            };
            if visit(name, kind == FileType::Directory).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// All names, each counted with [`NAME`] more than its bytes.
    ///
    /// # Errors
    ///
    /// That the directory cannot be read, or that it holds more than may be in memory.
    pub fn names(&self, listed: &Listed) -> Result<Names, Refusal> {
        let (mut names, mut bytes, mut asked, mut refused) = (Names::default(), 0_u64, 0, None);
        self.visit(|name, directory| {
            bytes = bytes.saturating_add(name.len() as u64 + NAME);
            if bytes - asked > ASK_AFTER {
                asked = bytes;
                if let Err(refusal) = listed.grows_to(bytes) {
                    refused = Some(refusal);
                    return ControlFlow::Break(());
                }
            }
            let list = match directory {
                true => &mut names.trees,
                false => &mut names.blobs,
            };
            list.push(name.to_vec());
            ControlFlow::Continue(())
        })?;
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        names.trees.sort_unstable();
        names.blobs.sort_unstable();
        Ok(names)
    }

    /// What is known of an entry itself; of a link, not of what it leads to. `None` when it is there no longer.
    pub fn known(&self, name: &[u8]) -> Option<Known> {
        self.details(name).map(Known::from)
    }

    /// All that is known of an entry itself. `None` when it is there no longer.
    pub fn details(&self, name: &[u8]) -> Option<Details> {
        self.stat(name).as_ref().map(Details::of)
    }

    /// The regular file of that name, open for reading, and its size in bytes. `None` for anything else: a link is not
    /// followed, a FIFO not opened.
    pub fn file(&self, name: &[u8]) -> Option<(File, u64)> {
        let flags = FIND | OFlags::NOFOLLOW;
        let found = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()).ok()?;
        match open_found(found).ok()? {
            Found::File(file, size) => Some((file, size)),
            Found::Directory(_) | Found::Other => None,
        }
    }

    fn stat(&self, name: &[u8]) -> Option<Stat> {
        rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }
}

/// After so many bytes of names it is asked again whether more may be in memory.
pub const ASK_AFTER: u64 = 64 << 10;
/// What a name counts for besides its bytes: the JSON around it.
pub const NAME: u64 = 32;
