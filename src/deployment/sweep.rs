//! Clearing away what a killed run left: temporary files of ours that were not renamed into place.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Deployment;
use crate::machine::files::is_temporary;
use crate::machine::lock::Lock;
use crate::machine::observed::Kind;

/// Where only we write. Users' files and services' data are not looked at.
const OURS: [&str; 7] = [
    "auth", "config", "history", "secrets", "sessions", "shares", "users",
];

impl Deployment {
    /// Removes temporary files of ours. Whoever writes holds the lock, so with it in hand nobody is writing one.
    ///
    /// # Errors
    /// When a directory cannot be listed, or a file in it not be removed.
    pub(super) fn sweep(&self, _held: &Lock) -> anyhow::Result<()> {
        self.sweep_backup()?;
        for (name, kind) in self.tree.list(Path::new(""))? {
            self.sweep_one(Path::new(&name), kind)?;
        }
        let mut open: Vec<PathBuf> = OURS.iter().map(PathBuf::from).collect();
        while let Some(directory) = open.pop() {
            for (name, kind) in self.tree.list(&directory)? {
                let path = directory.join(&name);
                self.sweep_one(&path, kind)?;
                if kind == Kind::Directory {
                    open.push(path);
                }
            }
        }
        Ok(())
    }

    fn sweep_one(&self, path: &Path, kind: Kind) -> anyhow::Result<()> {
        if kind == Kind::File && is_temporary(path.file_name().unwrap_or(OsStr::new(""))) {
            self.tree.remove(path)?;
        }
        Ok(())
    }
}
