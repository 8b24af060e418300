//! The directory of a trial, which goes with it. One that was killed leaves its directory to the next trial to remove.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use crate::error::Failure;
use crate::secrets::Secret;
use crate::ui;

/// What the names of all these directories begin with.
const PREFIX: &str = "dtaas-trial-";

/// How often a name is chosen. One is lost only to a trial that begins at the same moment and takes it for a dead one's.
const ATTEMPTS: usize = 10;

/// A directory that nobody else may enter. Whoever holds its lock uses it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    removed: bool,
    // Held until the process ends, however it does.
    _lock: OwnedFd,
}

impl Scratch {
    /// Makes a new one where temporary files go (`TMPDIR`, or `/tmp`), and removes those of trials that are gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        let cannot = || {
            Failure::new(format!(
                "cannot make a directory for the trial in {}",
                parent.display()
            ))
            .hint("name another place with TMPDIR")
        };
        let parent = fs::canonicalize(&parent).with_context(cannot)?;
        clear(&parent);
        Self::within(&parent).with_context(cannot)
    }

    fn within(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let path = parent.join(format!("{PREFIX}{}", Secret::generate(12).expose()));
            DirBuilder::new().mode(0o700).create(&path)?;
            if let Some(lock) = lock(&path)? {
                return Ok(Self {
                    path,
                    removed: false,
                    _lock: lock,
                });
            }
        }
        Err(io::Error::other("each one was taken away at once"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes it away with all that is in it.
    ///
    /// # Errors
    /// When something stays.
    pub fn remove(mut self) -> anyhow::Result<()> {
        self.removed = true;
        remove(&self.path).with_context(|| {
            Failure::new(format!("cannot take away {}", self.path.display()))
                .hint("remove it by hand, or let the next trial try")
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.removed {
            // Something else has failed and is told; the next trial tries again.
            let _ = remove(&self.path);
        }
    }
}

/// Removes a directory. What was cut off may still be writing into it, so it is tried a few times.
fn remove(path: &Path) -> io::Result<()> {
    let mut last = Ok(());
    for _ in 0..ATTEMPTS {
        last = fs::remove_dir_all(path);
        match &last {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            // A directory that was closed to writing keeps what is in it from everybody but root.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_all(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(()) | Err(_) => return last,
        }
    }
    last
}

/// Opens all directories below to their owner; links are not followed. What cannot be opened is told by whoever removes it.
fn open_all(path: &Path) {
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_all(&entry.path());
        }
    }
}

/// Takes the lock of a directory of ours; `None` when somebody has it or the directory is another one or gone by then.
fn lock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match open(path, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let directory = File::from(directory);
    let opened = directory.metadata()?;
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let same = (opened.dev(), opened.ino()) == (there.dev(), there.ino());
    let ours = opened.uid() == rustix::process::geteuid().as_raw() && opened.mode() & 0o077 == 0;
    Ok((same && ours).then(|| directory.into()))
}

/// Removes the directories of trials that are gone. That is a courtesy: what cannot be removed does not stop this one.
fn clear(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        if let Ok(Some(_lock)) = lock(&path) {
            match remove(&path) {
                Ok(()) => ui::say(format!(
                    "Removed {}, which an earlier trial had left.",
                    path.display()
                )),
                Err(error) => ui::say(format!(
                    "{}, which an earlier trial left, cannot be removed: {error}",
                    path.display()
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_a_dead_trial_left_goes_and_the_rest_stays() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let make = |name: &str, mode: u32| {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), "x").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        // Given a dead trial's directory, one in use, and things that are no trial's,
        make("dtaas-trial-dead", 0o700);
        let alive = Scratch::within(parent.path()).unwrap();
        make("dtaas-trial-open-to-all", 0o755);
        make("elsewhere", 0o700);
        symlink(at("elsewhere"), at("dtaas-trial-link")).unwrap();
        fs::write(at("dtaas-trial-file"), "x").unwrap();
        // when another trial begins,
        clear(parent.path());
        // then the dead one's alone is gone.
        assert!(!at("dtaas-trial-dead").exists());
        assert!(alive.path().exists());
        for name in [
            "dtaas-trial-open-to-all/file",
            "elsewhere/file",
            "dtaas-trial-link/file",
            "dtaas-trial-file",
        ] {
            assert!(at(name).exists(), "{name}");
        }

        let path = alive.path().to_owned();
        alive.remove().unwrap();
        assert!(!path.exists());
    }
}
