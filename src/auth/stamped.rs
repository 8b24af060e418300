//! A small file, together with what tells whether it has changed since.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

/// What tells one state of a file from another without reading it. A file that is replaced has another inode, one that
/// is written to has another time of change, which, unlike that of modification, nobody can set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the regular file at a path; `None` when there is none (a symbolic link is none).
    pub fn of(path: &Path) -> Option<Self> {
        Self::from(&fs::symlink_metadata(path).ok()?)
    }

    fn from(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether the next change is sure to give another stamp. Kernels stamp with a clock of a few milliseconds' grain, so a
    /// file that changed just now could change once more unseen.
    pub fn is_settled(&self) -> bool {
        const GRAIN: Duration = Duration::from_millis(50);
        let (Ok(seconds), Ok(nanos)) = (self.changed.0.try_into(), self.changed.1.try_into())
        else {
            return true;
        };
        let changed = UNIX_EPOCH + Duration::new(seconds, nanos);
        // A time still to come will not come again at once: the next change gets the time of now.
        SystemTime::now()
            .duration_since(changed)
            .map_or(true, |age| age > GRAIN)
    }
}

/// The text of the regular file at a path and its stamp; `None` when there is nothing at the path.
///
/// # Errors
/// When it is a symbolic link or anything else that is not a regular file, is larger than `limit` bytes, is not UTF-8, or
/// cannot be read.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<(String, Stamp)>> {
    // Without NONBLOCK, opening a FIFO would wait for someone to write to it.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(io::Error::other("it is a symbolic link"));
        }
        Err(error) => return Err(error),
    };
    // The stamp first: when the file changes while it is read, the text belongs to a stamp that is gone.
    let stamp = Stamp::from(&file.metadata()?)
        .ok_or_else(|| io::Error::other("it is not a regular file"))?;
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(Some((text, stamp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_gives_another_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice");
        fs::write(&path, "one").unwrap();
        let (text, stamp) = read(&path, 10).unwrap().unwrap();
        assert_eq!((text.as_str(), Some(stamp)), ("one", Stamp::of(&path)));

        fs::write(directory.path().join(".new"), "two").unwrap();
        fs::rename(directory.path().join(".new"), &path).unwrap();
        assert_ne!(Stamp::of(&path), Some(stamp));
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("large"), "12345678901").unwrap();
        std::os::unix::fs::symlink(at("large"), at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();

        let why = |name: &str| read(&at(name), 10).unwrap_err().to_string();
        assert!(read(&at("absent"), 10).unwrap().is_none());
        assert_eq!(why("large"), "it is larger than 10 bytes");
        assert_eq!(why("link"), "it is a symbolic link");
        assert_eq!(why("fifo"), "it is not a regular file");
        assert!(read(directory.path(), 10).is_err());
        assert_eq!(Stamp::of(&at("link")), None);
    }
}
