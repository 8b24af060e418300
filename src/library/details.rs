//! What is known of a file or a directory without reading it.

use std::time::SystemTime;

use rustix::fs::{FileType, Stat};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::conditions::Tag;
use crate::platform::desired::hex;

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link, where it is not followed.
    Link,
    /// A FIFO, a device or a socket.
    Other,
}

impl Kind {
    /// For programs: `directory`, `file`, `link` or `other`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Directory => "directory",
            Kind::File => "file",
            Kind::Link => "link",
            Kind::Other => "other",
        }
    }
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Kind::Other,
        }
    }
}

/// What is known of a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes; of a directory, what the file system says.
    pub size: u64,
    /// When its contents were changed last.
    pub modified: OffsetDateTime,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Names these contents: see [`Details::of`].
    tag: String,
    /// When contents, name, mode or owner were changed last.
    changed: OffsetDateTime,
}

impl Details {
    /// The details of what `stat` describes.
    ///
    /// Device, inode, size, and the times of the last change of contents and of anything at all, all in nanoseconds,
    /// make the entity tag. The last of these is set by the kernel alone, so that no program hides a change by setting
    /// the time back.
    pub fn of(stat: &Stat) -> Self {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut hash = Sha256::new();
        hash.update(stat.st_dev.to_ne_bytes());
        hash.update(stat.st_ino.to_ne_bytes());
        hash.update(size.to_ne_bytes());
        hash.update(stat.st_mtime.to_ne_bytes());
        hash.update(stat.st_mtime_nsec.to_ne_bytes());
        hash.update(stat.st_ctime.to_ne_bytes());
        hash.update(stat.st_ctime_nsec.to_ne_bytes());
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            size,
            modified: moment(stat.st_mtime, i64::try_from(stat.st_mtime_nsec)),
            executable: stat.st_mode & 0o100 != 0,
            tag: hex(&hash.finalize()[..16]),
            changed: moment(stat.st_ctime, i64::try_from(stat.st_ctime_nsec)),
        }
    }

    /// Its entity tag, which is strong where a change after this moment surely makes another one: where the clock that
    /// the kernel stamps files with has ticked since the last change. Only files have one.
    pub fn tag(&self, now: OffsetDateTime) -> Option<Tag> {
        (self.kind == Kind::File).then(|| Tag {
            weak: self.is_fresh(now),
            opaque: self.tag.clone(),
        })
    }

    /// The entity tag of a file that has just been put in its place whole: no program has it open for writing.
    pub fn tag_of_new(&self) -> Tag {
        Tag {
            weak: false,
            opaque: self.tag.clone(),
        }
    }

    /// Whether it was changed so lately that another change could bear the same time.
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        // A file system that counts in seconds shows no fractions.
        let coarse = self.changed.nanosecond() == 0 && self.modified.nanosecond() == 0;
        let tick = if coarse { COARSE_TICK } else { TICK };
        now - self.changed < tick
    }

    /// How long it takes until its tag is strong, where that is soon.
    pub fn settles_in(&self, now: OffsetDateTime) -> Option<std::time::Duration> {
        let age = now - self.changed;
        let soon = self.is_fresh(now) && !age.is_negative() && age < TICK;
        soon.then(|| (TICK - age).unsigned_abs())
    }

    /// As RFC 3339 has it, in UTC; `None` for a year that it does not know.
    pub fn modified_text(&self) -> Option<String> {
        self.modified.format(&Rfc3339).ok()
    }

    /// As RFC 9110 has it: whole seconds, and not later than now. `None` for a time that HTTP cannot say.
    pub fn last_modified(&self, now: OffsetDateTime) -> Option<String> {
        let at = self.modified.min(now);
        (at >= OffsetDateTime::UNIX_EPOCH).then(|| httpdate::fmt_http_date(SystemTime::from(at)))
    }
}

/// The kernel stamps files with a clock that ticks between 100 and 1,000 times a second.
pub const TICK: time::Duration = time::Duration::milliseconds(20);
/// On a file system that counts in whole seconds; FAT counts in pairs of them.
const COARSE_TICK: time::Duration = time::Duration::seconds(2);

/// A time of the file system. What lies beyond the years that can be written becomes the last moment that can.
fn moment(seconds: i64, nanoseconds: Result<i64, std::num::TryFromIntError>) -> OffsetDateTime {
    let nanoseconds = time::Duration::nanoseconds(nanoseconds.unwrap_or(0));
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => at.checked_add(nanoseconds).unwrap_or(at),
        Err(_) if seconds < 0 => time::PrimitiveDateTime::MIN.assume_utc(),
        Err(_) => time::PrimitiveDateTime::MAX.assume_utc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn details(modified: i64, changed: OffsetDateTime) -> Details {
        Details {
            kind: Kind::File,
            size: 3,
            modified: moment(modified, Ok(500)),
            executable: false,
            tag: "t".into(),
            changed,
        }
    }

    #[test]
    fn a_tag_is_strong_once_the_clock_has_ticked() {
        let changed = datetime!(2025-01-01 00:00:00.5 UTC);
        let file = details(0, changed);
        let weak = |after| file.tag(changed + after).map(|tag| tag.weak);
        assert_eq!(weak(time::Duration::milliseconds(1)), Some(true));
        assert_eq!(weak(TICK), Some(false));
        // A clock that was set back says nothing.
        assert_eq!(weak(time::Duration::seconds(-5)), Some(true));
        let folder = Details {
            kind: Kind::Directory,
            ..file
        };
        assert_eq!(folder.tag(changed), None);
    }

    #[test]
    fn times_that_cannot_be_said_are_left_out() {
        let now = datetime!(2025-01-01 00:00 UTC);
        assert_eq!(
            details(0, now).last_modified(now).as_deref(),
            Some("Thu, 01 Jan 1970 00:00:00 GMT")
        );
        assert_eq!(details(-5, now).last_modified(now), None);
        // The future is not said either.
        assert_eq!(
            details(i64::MAX, now).last_modified(now).as_deref(),
            Some("Wed, 01 Jan 2025 00:00:00 GMT")
        );
        assert_eq!(
            details(1, now).modified_text().as_deref(),
            Some("1970-01-01T00:00:01.0000005Z")
        );
        assert_eq!(details(i64::MIN, now).modified_text(), None);
    }
}
