//! What the kernel holds in memory is answered at once, on the thread that asks: handing a question to another thread
//! and back takes longer than answering it. Nothing here waits for a disk: a path is looked up in memory alone
//! (`RESOLVE_CACHED`, Linux 5.12), a file is read from the page cache alone (`RWF_NOWAIT`), a directory only when it was
//! listed a moment ago, and all of it only on file systems of this machine. Whatever comes out otherwise, an error too,
//! is left to the thorough way, which may wait and whose word counts.

use std::collections::HashMap;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::path::DecInt;

use super::contain::FIND;
use super::entries::Entries;
use super::path::Inside;

/// The largest file that is read at once, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// For how long a directory counts as held in memory after it was listed, and a device as one of this machine.
const FRESH: Duration = Duration::from_secs(10);
/// How many directories are remembered.
const MAX_DIRECTORIES: usize = 4096;
/// File systems whose data is in this machine or on its disks, by the magic numbers of statfs(2): none of them waits for
/// another machine or for a program when what is asked for is in memory.
const OF_THIS_MACHINE: &[u64] = &[
    0xEF53,      // ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0x0102_1994, // tmpfs
];

/// Opening it, once it is known to be a file or a directory; a lease on it is not waited for (see [`super::contain`]).
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NONBLOCK);

/// What was read lately, and where the kernel shows this process's descriptors.
#[derive(Debug)]
pub struct Cached {
    /// `None` where the kernel cannot look up in memory alone, or shows no descriptors.
    descriptors: Option<OwnedFd>,
    seen: Mutex<Seen>,
}

/// What the thorough way has read, and when.
#[derive(Debug, Default)]
struct Seen {
    devices: HashMap<Device, Instant>,
    directories: HashMap<(Device, u64), Instant>,
}

/// Major and minor number.
type Device = (u32, u32);

impl Default for Cached {
    fn default() -> Self {
        let folder = FIND | OFlags::DIRECTORY;
        let tried = rustix::fs::openat2(CWD, c"/", folder, Mode::empty(), ResolveFlags::CACHED);
        let descriptors = match tried {
            // No `openat2`, or not for this process, or before Linux 5.12.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => None,
            Ok(_) | Err(_) => rustix::fs::openat(CWD, c"/proc/self/fd", folder, Mode::empty()).ok(),
        };
        Self {
            descriptors,
            seen: Mutex::default(),
        }
    }
}

impl Cached {
    /// Remembers that the thorough way has read what `opened` leads to.
    pub fn note(&self, opened: impl AsFd) {
        if self.descriptors.is_none() {
            return;
        }
        let (Some(stat), Ok(system)) = (facts(&opened), rustix::fs::fstatfs(&opened)) else {
            return;
        };
        if !u64::try_from(system.f_type).is_ok_and(|kind| OF_THIS_MACHINE.contains(&kind)) {
            return;
        }
        let now = Instant::now();
        let device = device(&stat);
        let mut seen = self.seen();
        seen.devices.retain(|_, when| now - *when < FRESH);
        seen.devices.insert(device, now);
        if kind(&stat) == FileType::Directory {
            if seen.directories.len() >= MAX_DIRECTORIES {
                seen.directories.retain(|_, when| now - *when < FRESH);
            }
            if seen.directories.len() < MAX_DIRECTORIES {
                seen.directories.insert((device, stat.stx_ino), now);
            }
        }
    }

    /// What a directory below `top` holds, where it can be said at once.
    pub fn entries(&self, top: &Path, place: &Inside) -> Option<Entries> {
        self.descriptors.as_ref()?;
        let found = find(top, place)?;
        let stat = facts(&found)?;
        if kind(&stat) != FileType::Directory || !self.was_listed((device(&stat), stat.stx_ino)) {
            return None;
        }
        let flags = READ | OFlags::DIRECTORY;
        let directory = rustix::fs::openat(&found, c".", flags, Mode::empty()).ok()?;
        Entries::read_small(&directory).ok()?
    }

    /// The bytes of a file below `top`, of at most `limit` bytes, where they can be had at once.
    pub fn bytes(&self, top: &Path, place: &Inside, limit: u64) -> Option<Vec<u8>> {
        let descriptors = self.descriptors.as_ref()?;
        let found = find(top, place)?;
        let stat = facts(&found)?;
        if kind(&stat) != FileType::RegularFile
            || stat.stx_size > MAX_FILE.min(limit)
            || !self.is_of_this_machine(device(&stat))
        {
            return None;
        }
        let number = DecInt::from_fd(&found);
        let file = rustix::fs::openat(descriptors, number, READ, Mode::empty()).ok()?;
        let mut bytes = vec![0; usize::try_from(stat.stx_size).ok()?];
        let mut into = [IoSliceMut::new(&mut bytes)];
        let read = rustix::io::preadv2(&file, &mut into, 0, ReadWriteFlags::NOWAIT).ok()?;
        // Less is there when it has become shorter since, or when a part of it is not in memory.
        (read == bytes.len()).then_some(bytes)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of_this_machine(&self, device: Device) -> bool {
        let when = self.seen().devices.get(&device).copied();
        when.is_some_and(|when| when.elapsed() < FRESH)
    }

    /// Whether it was listed a moment ago. What is listed again and again stays in memory.
    fn was_listed(&self, directory: (Device, u64)) -> bool {
        match self.seen().directories.get_mut(&directory) {
            Some(when) if when.elapsed() < FRESH => {
                *when = Instant::now();
                true
            }
            Some(_) | None => false,
        }
    }
}

/// Finds what is at a place, looking in memory alone, and never on another file system than the top folder's.
fn find(top: &Path, place: &Inside) -> Option<OwnedFd> {
    let scope = rustix::fs::openat2(
        CWD,
        top.join(&place.scope),
        // One segment that is neither `.` nor `..`, and no link.
        FIND | OFlags::DIRECTORY | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::CACHED,
    )
    .ok()?;
    if place.rest.is_empty() {
        return Some(scope);
    }
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV
        | ResolveFlags::CACHED;
    let below = place.rest.join("/");
    rustix::fs::openat2(&scope, below, FIND, Mode::empty(), resolve).ok()
}

/// What is known of an open file without asking another machine.
fn facts(opened: impl AsFd) -> Option<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    rustix::fs::statx(opened, c"", flags, StatxFlags::BASIC_STATS).ok()
}

fn kind(stat: &Statx) -> FileType {
    FileType::from_raw_mode(stat.stx_mode.into())
}

fn device(stat: &Statx) -> Device {
    (stat.stx_dev_major, stat.stx_dev_minor)
}

#[cfg(test)]
mod tests {
    use super::super::contain::Root;
    use super::super::path::{Place, Viewer, resolve};
    use super::*;

    fn place(path: &str) -> Inside {
        match resolve(&Viewer::Everyone, path) {
            Ok(Place::Inside(inside)) => inside,
            other => panic!("{path}: {other:?}"),
        }
    }

    /// A library, and whether the kernel and the file system let anything be answered at once.
    fn library() -> (tempfile::TempDir, Cached, bool) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("alice/models")).unwrap();
        std::fs::create_dir_all(directory.path().join("bob")).unwrap();
        std::fs::write(directory.path().join("alice/README.md"), "# alice").unwrap();
        std::fs::write(directory.path().join("bob/secret"), "secret").unwrap();
        let cached = Cached::default();
        let opened = std::fs::File::open(directory.path()).unwrap();
        cached.note(opened);
        let possible = !cached.seen().devices.is_empty();
        (directory, cached, possible)
    }

    /// Has the thorough way read a place.
    fn read_before(cached: &Cached, top: &Path, path: &str) {
        let root = Root::new(top);
        match root.find(&place(path)).unwrap() {
            super::super::contain::Found::Directory(directory) => cached.note(directory),
            super::super::contain::Found::File(file, _) => cached.note(file),
            super::super::contain::Found::Other => panic!("{path}"),
        }
    }

    #[test]
    fn a_directory_is_listed_at_once_when_it_was_listed_a_moment_ago() {
        let (directory, cached, possible) = library();
        let top = directory.path();
        let names = || {
            let entries = cached.entries(top, &place("alice"))?;
            Some(entries.blobs().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(names(), None);
        read_before(&cached, top, "alice");
        assert_eq!(names().is_some(), possible);
        // What is there now counts, always.
        std::fs::write(top.join("alice/new"), "").unwrap();
        std::fs::remove_file(top.join("alice/README.md")).unwrap();
        assert!(names().is_none_or(|names| names == ["new"]));
        std::fs::rename(top.join("alice"), top.join("carol")).unwrap();
        assert_eq!(names(), None);
    }

    #[test]
    fn a_file_is_read_at_once_when_it_is_small_and_in_memory() {
        let (directory, cached, possible) = library();
        let top = directory.path();
        let bytes = |path| cached.bytes(top, &place(path), 1 << 20);
        let said = bytes("alice/README.md");
        assert!(said.is_none_or(|bytes| possible && bytes == b"# alice"));
        std::fs::write(top.join("alice/README.md"), "# Alice").unwrap();
        assert!(bytes("alice/README.md").is_none_or(|bytes| bytes == b"# Alice"));
        assert_eq!(cached.bytes(top, &place("alice/README.md"), 6), None);
        std::fs::write(top.join("alice/large"), vec![0; 65 * 1024]).unwrap();
        for path in ["alice", "alice/models", "alice/none", "alice/large"] {
            assert_eq!(bytes(path), None, "{path}");
        }
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_left_to_the_thorough_way() {
        let (directory, cached, _) = library();
        let top = directory.path();
        read_before(&cached, top, "bob");
        let link = |path: &str, to: &str| {
            std::os::unix::fs::symlink(to, top.join(path)).unwrap();
        };
        link("alice/bobs", "../bob");
        link("alice/secret", "../bob/secret");
        link("alice/passwd", "/etc/passwd");
        link("carol", "bob");
        let mode = Mode::from_raw_mode(0o644);
        rustix::fs::mknodat(CWD, top.join("alice/fifo"), FileType::Fifo, mode, 0).unwrap();
        for path in [
            "alice/bobs",
            "alice/bobs/secret",
            "alice/secret",
            "alice/passwd",
            "alice/fifo",
            "carol",
            "carol/secret",
        ] {
            assert_eq!(cached.entries(top, &place(path)), None, "{path}");
            assert_eq!(cached.bytes(top, &place(path), 1 << 20), None, "{path}");
        }
    }

    #[test]
    fn a_file_system_that_is_none_of_this_machines_disks_is_not_remembered() {
        let cached = Cached::default();
        cached.note(std::fs::File::open("/proc").unwrap());
        assert_eq!(cached.seen().devices.len(), 0);
        assert_eq!(cached.seen().directories.len(), 0);
    }
}
