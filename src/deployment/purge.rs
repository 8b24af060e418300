//! Removing a deployment's directory: everything that is ours in it, and nothing that is mounted there.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Deployment;
use crate::error::Failure;
use crate::machine::lock::Lock;

/// What is ours in a deployment's directory, besides the library. What makes it a deployment goes last: a run that is killed in
/// between is simply repeated.
const OURS: [&str; 9] = [
    "users",
    "secrets",
    "auth",
    "config",
    "data",
    "templates",
    "images.lock",
    "dtaas.yaml",
    ".lock",
];

impl Deployment {
    /// Fails where purging would reach into another file system: a share that is mounted below holds other people's files.
    pub fn check_purge(&self) -> anyhow::Result<()> {
        let device = std::fs::metadata(self.root())
            .with_context(|| format!("cannot look at {}", self.root().display()))?
            .dev();
        for path in self.purged().into_iter().filter(|path| path.exists()) {
            if let Some(mount) = foreign(&path, device)? {
                return Err(Failure::new(format!(
                    "{} is another file system, and its files are not ours to remove",
                    mount.display()
                ))
                .hint(format!(
                    "umount {}, then run this again; nothing was changed",
                    mount.display()
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Removes what is ours, and the directory if nothing else is in it. A library elsewhere stays. The lock is held to the end.
    pub fn purge(&self, lock: Lock) -> anyhow::Result<()> {
        for path in self.purged() {
            remove(&path).with_context(|| {
                Failure::new(format!("cannot remove {}", path.display()))
                    .hint("mend that, then run this again")
            })?;
        }
        drop(lock);
        // Something of the operator's own may be in it; then it stays.
        let _ = std::fs::remove_dir(self.root());
        Ok(())
    }

    fn purged(&self) -> Vec<PathBuf> {
        let root = self.root();
        let library = self.library_root();
        let inside = library.starts_with(root) && library != root;
        let library = inside.then_some(library);
        library
            .into_iter()
            .chain(OURS.iter().map(|name| root.join(name)))
            .collect()
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The first directory at or below a path that lies on another device.
fn foreign(path: &Path, device: u64) -> anyhow::Result<Option<PathBuf>> {
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let found = std::fs::symlink_metadata(&path)
            .with_context(|| format!("cannot look at {}", path.display()))?;
        if found.dev() != device {
            return Ok(Some(path));
        }
        if !found.is_dir() {
            continue;
        }
        for entry in
            std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?
        {
            let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    Ok(None)
}
