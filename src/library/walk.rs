//! Everything below a directory, one entry after another. Each directory is opened by its name in the one above, which
//! is open, and never through a link: nothing that is done meanwhile leads the walk out of where it began. However many
//! names a directory holds, only a piece of them is in memory.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, Stat};
use rustix::io::Errno;

/// What one call of the kernel brings at most, in bytes.
const BATCH: usize = 32 * 1024;
/// How many names of a directory are in memory at once: most directories hold fewer, and are read once. The last call of the kernel
/// may bring some more.
const PIECE: usize = 1024;

/// How deep directories may be nested. Each level that the walk is in keeps a descriptor.
pub const MAX_DEPTH: usize = 64;

/// What a directory is closed with that is nested deeper.
pub const TOO_DEEP: Errno = Errno::OVERFLOW;

/// An entry of a directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The directory that holds it, open.
    pub directory: Arc<OwnedFd>,
    /// Its name.
    pub name: CString,
    /// Its path from where the walk began, bytes as they are on disk.
    pub path: Vec<u8>,
    /// What it is; a link is not followed.
    pub kind: FileType,
}

impl Entry {
    /// What it is like now.
    ///
    /// # Errors
    ///
    /// Those of the operating system; it may be gone.
    pub fn stat(&self) -> rustix::io::Result<Stat> {
        rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// What the walk comes by.
#[derive(Debug)]
pub enum Step {
    /// An entry. When it is a directory, what it holds comes next.
    Met(Entry),
    /// A directory that the walk has been through.
    Left(Entry),
    /// A directory that the walk cannot enter, or not read to its end, and why. Where the walk began, its path is empty.
    Closed(Entry, io::Error),
}

/// A walk through everything below a directory: depth first, names in the order of their bytes; those of a directory of more than
/// a thousand in pieces, each in that order.
#[derive(Debug)]
pub struct Walk {
    levels: Vec<Level>,
    /// The directory that was met last, to be entered now.
    next: Option<Entry>,
}

#[derive(Debug)]
struct Level {
    directory: Arc<OwnedFd>,
    /// The directory as an entry of the one above; where the walk began it is none.
    entry: Option<Entry>,
    names: Names,
}

/// Names of a directory, each with what it is.
#[derive(Debug, Default)]
struct Names {
    piece: std::vec::IntoIter<(CString, FileType)>,
    /// Whether the directory may hold more.
    more: bool,
}

impl Walk {
    /// Begins in `directory`.
    ///
    /// # Errors
    ///
    /// Those of listing it.
    pub fn new(directory: OwnedFd) -> io::Result<Self> {
        // Whoever shares the descriptor may have read on.
        rustix::fs::seek(&directory, SeekFrom::Start(0))?;
        Ok(Self {
            levels: vec![Level {
                names: Names::read(&directory)?,
                directory: Arc::new(directory),
                entry: None,
            }],
            next: None,
        })
    }

    /// Leaves out what the directory that was met last holds.
    pub fn pass_by(&mut self) {
        self.next = None;
    }

    fn enter(&mut self, entry: Entry) -> Result<(), (Entry, io::Error)> {
        if self.levels.len() >= MAX_DEPTH {
            return Err((entry, TOO_DEEP.into()));
        }
        let opened = open(&entry).and_then(|directory| Ok((Names::read(&directory)?, directory)));
        match opened {
            Ok((names, directory)) => {
                self.levels.push(Level {
                    directory: Arc::new(directory),
                    entry: Some(entry),
                    names,
                });
                Ok(())
            }
            Err(error) => Err((entry, error)),
        }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some(entry) = self.next.take()
            && let Err((entry, error)) = self.enter(entry)
        {
            return Some(Step::Closed(entry, error));
        }
        let level = self.levels.last_mut()?;
        let (name, kind) = match level.names.next(&level.directory) {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                let entry = self.levels.pop()?.into_entry();
                return Some(Step::Closed(entry, error));
            }
            None => return self.levels.pop()?.entry.map(Step::Left),
        };
        let mut path = match &level.entry {
            Some(above) => [&above.path, &b"/"[..]].concat(),
            None => Vec::new(),
        };
        path.extend_from_slice(name.to_bytes());
        let entry = Entry {
            directory: level.directory.clone(),
            name,
            path,
            kind,
        };
        if kind == FileType::Directory {
            self.next = Some(entry.clone());
        }
        Some(Step::Met(entry))
    }
}

fn open(entry: &Entry) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(
        &entry.directory,
        &entry.name,
        flags,
        Mode::empty(),
    )?)
}

impl Level {
    fn into_entry(self) -> Entry {
        let Self {
            directory, entry, ..
        } = self;
        entry.unwrap_or_else(|| Entry {
            directory,
            name: c".".to_owned(),
            path: Vec::new(),
            kind: FileType::Directory,
        })
    }
}

impl Names {
    /// The next piece of a directory, from where it was read up to.
    fn read(directory: impl AsFd) -> io::Result<Self> {
        let directory = directory.as_fd();
        let mut batch = Vec::with_capacity(BATCH);
        let mut calls = RawDir::new(directory, batch.spare_capacity_mut());
        let mut found = Vec::new();
        // What a call brought is used up before the next piece: the kernel does not bring it again.
        while found.len() < PIECE || !calls.is_buffer_empty() {
            let Some(entry) = calls.next() else {
                return Ok(Self::sorted(found, false));
            };
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not tell. Without a kind it has been removed since.
                FileType::Unknown => match kind_of(directory, name)? {
                    Some(kind) => kind,
                    None => continue,
                },
                kind => kind,
            };
            found.push((name.to_owned(), kind));
        }
        Ok(Self::sorted(found, true))
    }

    fn sorted(mut found: Vec<(CString, FileType)>, more: bool) -> Self {
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            piece: found.into_iter(),
            more,
        }
    }

    fn next(&mut self, directory: impl AsFd) -> Option<io::Result<(CString, FileType)>> {
        while self.piece.as_slice().is_empty() && self.more {
            match Self::read(&directory) {
                Ok(next) => *self = next,
                Err(error) => {
                    self.more = false;
                    return Some(Err(error));
                }
            }
        }
        self.piece.next().map(Ok)
    }
}

fn kind_of(directory: impl AsFd, name: &CStr) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn open(path: &std::path::Path) -> OwnedFd {
        fs::File::open(path).unwrap().into()
    }

    fn told(walk: Walk) -> Vec<String> {
        walk.map(|step| {
            let (sign, entry) = match step {
                Step::Met(entry) => ("", entry),
                Step::Left(entry) => ("<", entry),
                Step::Closed(entry, _) => ("!", entry),
            };
            format!("{sign}{}", String::from_utf8_lossy(&entry.path))
        })
        .collect()
    }

    #[test]
    fn it_comes_by_everything_once_and_follows_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::write(root.join("b/c/x"), "").unwrap();
        fs::write(root.join("a"), "").unwrap();
        symlink("..", root.join("b/up")).unwrap();
        fs::create_dir(root.join("d")).unwrap();

        let steps = told(Walk::new(open(root)).unwrap());

        assert_eq!(
            steps,
            ["a", "b", "b/c", "b/c/x", "<b/c", "b/up", "<b", "d", "<d"]
        );
        let mut walk = Walk::new(open(root)).unwrap();
        let mut met = Vec::new();
        while let Some(step) = walk.next() {
            if let Step::Met(entry) = step {
                if entry.name.as_c_str() == c"b" {
                    walk.pass_by();
                }
                met.push(String::from_utf8(entry.path).unwrap());
            }
        }
        assert_eq!(met, ["a", "b", "d"]);
    }

    #[test]
    fn a_directory_of_many_comes_in_pieces_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for number in 0..PIECE * 4 {
            fs::write(root.join(format!("{number:05}")), "").unwrap();
        }
        let mut walk = Walk::new(open(root)).unwrap();
        let (mut met, mut held) = (Vec::new(), 0);
        while let Some(step) = walk.next() {
            let Step::Met(entry) = step else {
                panic!("{step:?}");
            };
            held = held.max(walk.levels[0].names.piece.len());
            // What is removed on the way hides nothing of what is left.
            rustix::fs::unlinkat(&entry.directory, &entry.name, AtFlags::empty()).unwrap();
            met.push(String::from_utf8(entry.path).unwrap());
        }
        met.sort_unstable();
        let all: Vec<String> = (0..PIECE * 4)
            .map(|number| format!("{number:05}"))
            .collect();
        assert_eq!(met, all);
        assert!(held < PIECE * 3, "{held}");
        assert_eq!(fs::read_dir(root).unwrap().count(), 0);
    }

    #[test]
    fn it_does_not_go_deeper_than_it_may() {
        let directory = tempfile::tempdir().unwrap();
        let deep: String = "d/".repeat(MAX_DEPTH + 3);
        fs::create_dir_all(directory.path().join(deep)).unwrap();
        let steps = told(Walk::new(open(directory.path())).unwrap());
        let closed: Vec<&String> = steps.iter().filter(|step| step.starts_with('!')).collect();
        assert_eq!(closed, [&format!("!{}d", "d/".repeat(MAX_DEPTH - 1))]);
    }

    #[test]
    fn a_directory_that_became_a_link_is_not_entered() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("in/sub")).unwrap();
        fs::create_dir_all(root.join("out/secret")).unwrap();
        let mut walk = Walk::new(open(&root.join("in"))).unwrap();
        assert!(matches!(walk.next(), Some(Step::Met(_))));
        fs::remove_dir(root.join("in/sub")).unwrap();
        symlink("../out", root.join("in/sub")).unwrap();
        assert!(matches!(walk.next(), Some(Step::Closed(..))));
        assert!(walk.next().is_none());
    }
}
