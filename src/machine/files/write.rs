//! Writing a file whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Tree, give, is_root, problem};

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was not there before.
    Created,
    /// It was there and differed.
    Changed,
    /// It was as it should be, and was not touched.
    Unchanged,
}

impl Tree {
    /// Writes a file, if its content or mode differs. Its directory must exist.
    ///
    /// The content goes to a temporary file beside it, which is synchronised and renamed into place, so that whoever reads
    /// sees the old or the new content whole. A symbolic link at its place is replaced.
    pub fn write(&self, path: &Path, mode: u32, bytes: &[u8]) -> Result<Written> {
        self.write_as(path, mode, None, bytes)
    }

    /// The same with a numeric owner and group, which only root can give away; anyone else keeps the file.
    pub fn write_as(
        &self,
        path: &Path,
        mode: u32,
        owner: Option<(u32, u32)>,
        bytes: &[u8],
    ) -> Result<Written> {
        self.try_write(path, mode, owner.filter(|_| is_root()), bytes)
            .map_err(|error| problem("write", &self.root.join(path), error))
    }

    fn try_write(
        &self,
        path: &Path,
        mode: u32,
        owner: Option<(u32, u32)>,
        bytes: &[u8],
    ) -> io::Result<Written> {
        let (parent, name) = self.parent(path)?;
        let before = match self.open_file(path) {
            Ok(mut file) => {
                let stat = rustix::fs::fstat(&file)?;
                let mut content = Vec::new();
                if u64::try_from(stat.st_size).ok() == u64::try_from(bytes.len()).ok() {
                    file.read_to_end(&mut content)?;
                    if content == bytes {
                        let owned = owner.is_none_or(|owner| owner == (stat.st_uid, stat.st_gid));
                        if stat.st_mode & 0o7777 == mode && owned {
                            return Ok(Written::Unchanged);
                        }
                        give(&file, owner)?;
                        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
                        return Ok(Written::Changed);
                    }
                }
                Written::Changed
            }
            Err(Errno::NOENT) => Written::Created,
            Err(Errno::ISDIR) => return Err(Errno::ISDIR.into()),
            Err(_) => Written::Changed,
        };
        let temporary = temporary_name(name);
        let placed = place(&parent, &temporary, name, mode, owner, bytes);
        if placed.is_err() {
            // What matters is the first error; a temporary file that cannot be removed is found by the next write.
            let _ = rustix::fs::unlinkat(&parent, temporary.as_os_str(), AtFlags::empty());
        }
        placed?;
        Ok(before)
    }
}

const TEMPORARY: &str = ".dtaas-new";

/// Beside the file, so that the rename stays within one file system; always the same for one file, so that what a
/// killed run left is found by the next. Traefik and the like do not read it, for its ending is not theirs.
fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(TEMPORARY);
    temporary
}

/// Whether a name is one of those: left behind by a run that was killed, unless one is writing just now.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".")
        && name.ends_with(TEMPORARY.as_bytes())
        && name.len() > 1 + TEMPORARY.len()
}

fn place(
    parent: &OwnedFd,
    temporary: &OsStr,
    name: &OsStr,
    mode: u32,
    owner: Option<(u32, u32)>,
    bytes: &[u8],
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let private = Mode::RUSR | Mode::WUSR;
    let open = || rustix::fs::openat(parent, temporary, flags, private);
    let descriptor = match open() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(parent, temporary, AtFlags::empty())?;
            open()?
        }
        other => other?,
    };
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    give(&file, owner)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    file.sync_all()?;
    rustix::fs::renameat(parent, temporary, parent, name)?;
    rustix::fs::fsync(parent)?;
    Ok(())
}
