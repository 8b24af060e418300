//! How much room is left on the disks that a machine's part of the platform writes to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::fs::{stat, statvfs};
use serde::{Deserialize, Serialize};

/// Less than this is told, in bytes: a pull or a database's next file takes more.
const LEAST: u64 = 256 * 1024 * 1024;

/// Fewer new files than this are told.
const FEWEST: u64 = 2_000;

/// What a file system has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// A path on it: what we have there.
    pub path: PathBuf,
    /// Bytes for whoever is not root.
    pub free: u64,
    /// How many more files there may be; `None` where the file system does not count them.
    pub files: Option<u64>,
}

/// The room on the file systems of these paths, each once. What does not say is left out.
pub fn observe<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<Space> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for path in paths {
        // Where it is not there yet, it will be on the disk of what is above it.
        let Some(path) = path.ancestors().find(|above| above.exists()) else {
            continue;
        };
        let (Ok(place), Ok(system)) = (stat(path), statvfs(path)) else {
            continue;
        };
        if seen.insert(place.st_dev) {
            all.push(Space {
                path: path.to_owned(),
                free: system.f_bavail.saturating_mul(system.f_frsize),
                files: (system.f_files > 0).then_some(system.f_favail),
            });
        }
    }
    all
}

impl Space {
    /// What an operator should know of it, where it is little: a sentence without a full stop.
    pub fn note(&self) -> Option<String> {
        let path = self.path.display();
        let remedy = "make room before services and uploads stop: see what it is with du -xhd2, or docker system df";
        if self.free < LEAST {
            let mib = self.free / 1024 / 1024;
            return Some(format!(
                "the disk of {path} is nearly full: {mib} MiB are left; {remedy}"
            ));
        }
        let files = self.files.filter(|files| *files < FEWEST)?;
        Some(format!(
            "the disk of {path} has room for {files} more files only; {remedy}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(free: u64, files: Option<u64>) -> Option<String> {
        let path = "/opt/dtaas/foo".into();
        Space { path, free, files }.note()
    }

    #[test]
    fn little_room_is_told_and_enough_is_not() {
        assert_eq!(note(LEAST, Some(FEWEST)), None);
        assert_eq!(note(LEAST, None), None);
        assert!(
            note(LEAST - 1, None).unwrap().starts_with(
                "the disk of /opt/dtaas/foo is nearly full: 255 MiB are left; make room"
            )
        );
        assert!(note(0, Some(0)).unwrap().contains(" 0 MiB are left"));
        assert!(
            note(LEAST, Some(7))
                .unwrap()
                .starts_with("the disk of /opt/dtaas/foo has room for 7 more files only; ")
        );
    }

    #[test]
    fn a_file_system_is_looked_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let gone = directory.path().join("gone");
        let found = observe([directory.path(), &inside, &gone, Path::new("/proc")]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path, directory.path());
        assert_eq!(observe([gone.as_path()])[0].path, directory.path());
        assert!(found[0].free > 0);
    }
}
