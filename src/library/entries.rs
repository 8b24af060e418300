//! The entries of a directory, in one piece of memory: ten thousand names are one text and not ten thousand.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, RawDir};
use rustix::io::Errno;

use super::allowance::Listed;
use super::aside::is_aside;
use super::folder::{ASK_AFTER, NAME};
use super::refusal::Refusal;
use super::source::Listing;

/// What one call of the kernel brings at most, in bytes: some 1,000 entries.
const BATCH: usize = 32 * 1024;

/// The entries of a directory: directories and everything else, each sorted by the bytes of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    text: String,
    trees: Vec<Range<usize>>,
    blobs: Vec<Range<usize>>,
}

/// Why a directory is not read.
#[derive(Debug)]
pub enum Unread {
    /// The operating system does not let it.
    Io(io::Error),
    /// It holds too much.
    Refused(Refusal),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Unread::Io(error)
    }
}

impl From<Errno> for Unread {
    fn from(error: Errno) -> Self {
        Unread::Io(error.into())
    }
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
        Unread::Refused(refusal)
    }
}

impl Entries {
    /// Reads a directory. Links are not followed here: a link is a blob, as in v0.2.
    ///
    /// # Errors
    ///
    /// That it cannot be read, or that it holds more than may be in memory.
    pub fn read(directory: impl AsFd, listed: &Listed) -> Result<Self, Unread> {
        let directory = directory.as_fd();
        let mut batch = Vec::with_capacity(BATCH);
        let mut calls = RawDir::new(directory, batch.spare_capacity_mut());
        let (mut found, mut asked) = (Found::default(), 0);
        while let Some(entry) = calls.next() {
            let entry = entry?;
            if found.counted() - asked > ASK_AFTER {
                asked = found.counted();
                listed.grows_to(asked)?;
            }
            let kind = match entry.file_type() {
                // Some file systems do not tell.
                FileType::Unknown => kind_of(directory, entry.file_name())?,
                kind => Some(kind),
            };
            // Without a kind it has been removed since.
            if let Some(kind) = kind {
                found.add(entry.file_name(), kind);
            }
        }
        Ok(found.sorted())
    }

    /// Reads a directory that one call of the kernel brings whole. `None` where it is larger, or the file system does
    /// not tell what an entry is: that takes longer.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn read_small(directory: impl AsFd) -> io::Result<Option<Self>> {
        let mut batch = [MaybeUninit::uninit(); BATCH];
        let mut calls = RawDir::new(directory.as_fd(), &mut batch);
        let mut found = Found::default();
        loop {
            let first = found.seen == 0;
            if calls.is_buffer_empty() && !first {
                // The kernel says that there is no more with an empty batch.
                return Ok(calls.next().is_none().then(|| found.sorted()));
            }
            let Some(entry) = calls.next() else {
                return Ok(Some(found.sorted()));
            };
            let entry = entry?;
            match entry.file_type() {
                FileType::Unknown => return Ok(None),
                kind => found.add(entry.file_name(), kind),
            }
        }
    }

    /// The names of directories.
    pub fn trees(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names(&self.trees)
    }

    /// The names of everything else.
    pub fn blobs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names(&self.blobs)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.trees.len() + self.blobs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn names<'a>(
        &'a self,
        ranges: &'a [Range<usize>],
    ) -> impl ExactSizeIterator<Item = &'a str> + 'a {
        ranges.iter().map(|range| &self.text[range.clone()])
    }
}

impl FromIterator<(Vec<u8>, FileType)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, FileType)>>(entries: I) -> Self {
        let mut found = Found::default();
        for (name, kind) in entries {
            found.push(&name, kind);
        }
        found.sorted()
    }
}

impl From<Listing> for Entries {
    fn from(listing: Listing) -> Self {
        let mut text = String::new();
        let mut put = |name: String| {
            let start = text.len();
            text.push_str(&name);
            start..text.len()
        };
        let trees = listing.trees.into_iter().map(&mut put).collect();
        let blobs = listing.blobs.into_iter().map(&mut put).collect();
        Self { text, trees, blobs }
    }
}

impl From<Entries> for Listing {
    fn from(entries: Entries) -> Self {
        Listing {
            trees: entries.trees().map(str::to_owned).collect(),
            blobs: entries.blobs().map(str::to_owned).collect(),
        }
    }
}

/// Names as they were found, each with a NUL behind it. So all of them are UTF-8 when the whole is: no sequence of
/// bytes goes on in the next name.
#[derive(Default)]
struct Found {
    seen: usize,
    bytes: Vec<u8>,
    trees: Vec<Range<usize>>,
    blobs: Vec<Range<usize>>,
}

impl Found {
    fn add(&mut self, name: &CStr, kind: FileType) {
        self.seen += 1;
        if name != c"." && name != c".." && !is_aside(name.to_bytes()) {
            self.push(name.to_bytes(), kind);
        }
    }

    /// What it counts for by now, in bytes.
    fn counted(&self) -> u64 {
        // With each name goes a NUL, which is counted with what is around the name.
        let names = (self.trees.len() + self.blobs.len()) as u64;
        self.bytes.len() as u64 + names.saturating_mul(NAME - 1)
    }

    fn push(&mut self, name: &[u8], kind: FileType) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let range = start..self.bytes.len();
        self.bytes.push(0);
        if kind == FileType::Directory {
            self.trees.push(range);
        } else {
            self.blobs.push(range);
        }
    }

    fn sorted(self) -> Entries {
        let Self {
            bytes,
            mut trees,
            mut blobs,
            ..
        } = self;
        for ranges in [&mut trees, &mut blobs] {
            ranges.sort_unstable_by(|a, b| bytes[a.clone()].cmp(&bytes[b.clone()]));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Entries { text, trees, blobs },
            Err(error) => marked(error.as_bytes(), &trees, &blobs),
        }
    }
}

/// The same where a name is not UTF-8.
fn marked(bytes: &[u8], trees: &[Range<usize>], blobs: &[Range<usize>]) -> Entries {
    let mut text = String::with_capacity(bytes.len());
    let mut put = |range: &Range<usize>| {
        let start = text.len();
        text.push_str(&shown(&bytes[range.clone()]));
        start..text.len()
    };
    let trees = trees.iter().map(&mut put).collect();
    let blobs = blobs.iter().map(&mut put).collect();
    Entries { text, trees, blobs }
}

/// A name as it can stand in JSON. One that is not UTF-8 is marked with its bytes, so that two of them differ and
/// nobody takes it for a name that can be asked for.
pub(super) fn shown(name: &[u8]) -> String {
    match str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => {
            let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} (not UTF-8: {hex})", String::from_utf8_lossy(name))
        }
    }
}

fn kind_of(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::allowance::Allowance;
    use super::super::room::Room;
    use super::super::whose::Whose;
    use super::*;

    #[test]
    fn a_name_that_is_not_utf8_is_marked_and_stays_distinct() {
        assert_eq!(shown("café".as_bytes()), "café");
        assert_eq!(shown(b"caf\xe9"), "caf\u{fffd} (not UTF-8: 636166e9)");
        assert_ne!(shown(b"\xff"), shown(b"\xfe"));
    }

    #[test]
    fn halves_of_a_letter_in_two_names_are_no_letter() {
        let file = FileType::RegularFile;
        let entries: Entries = [(b"a\xc3".to_vec(), file), (b"\xa9".to_vec(), file)]
            .into_iter()
            .collect();
        let names: Vec<&str> = entries.blobs().collect();
        assert_eq!(
            names,
            ["a\u{fffd} (not UTF-8: 61c3)", "\u{fffd} (not UTF-8: a9)"]
        );
    }

    #[test]
    fn a_directory_is_read_at_once_when_one_call_brings_it() {
        let directory = tempfile::tempdir().unwrap();
        let open = || std::fs::File::open(directory.path()).unwrap();
        assert_eq!(
            Entries::read_small(open()).unwrap(),
            Some(Entries::default())
        );
        for name in ["b", "a", "B"] {
            std::fs::write(directory.path().join(name), "").unwrap();
            std::fs::create_dir(directory.path().join(format!("{name}.d"))).unwrap();
        }
        let small = Entries::read_small(open()).unwrap().unwrap();
        assert_eq!(small.trees().collect::<Vec<_>>(), ["B.d", "a.d", "b.d"]);
        assert_eq!(small.blobs().collect::<Vec<_>>(), ["B", "a", "b"]);
        let limited = |bytes| {
            let allowance = Allowance::new(bytes, Room::new(1 << 20), Whose::SERVER);
            Listed::new(Arc::new(allowance), "x")
        };
        let whole = Entries::read(open(), &limited(1 << 20)).unwrap();
        assert_eq!(whole, small);

        for number in 0..2000 {
            std::fs::write(directory.path().join(format!("file-{number}")), "").unwrap();
        }
        assert_eq!(Entries::read_small(open()).unwrap(), None);
        let whole = Entries::read(open(), &limited(1 << 20)).unwrap();
        assert_eq!(whole.len(), 2006);
        // Of one that holds too much, not all is read.
        let Err(Unread::Refused(refusal)) = Entries::read(open(), &limited(60 << 10)) else {
            panic!("it was read");
        };
        assert_eq!(refusal.code(), "TOO_LARGE");
    }
}
