//! Removing a deployment's directory: everything that is ours in it, and nothing that is mounted there.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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

/// Fails where something is mounted at or below what purging removes: a share, or a folder of elsewhere that was bound there,
/// holds files that are not the deployment's.
pub fn check(root: &Path, library: &Path) -> Result<()> {
    const MOUNTS: &str = "/proc/self/mountinfo";
    let mounts =
        std::fs::read_to_string(MOUNTS).with_context(|| format!("cannot read {MOUNTS}"))?;
    match mounted_inside(&mounts, &purged(root, library)) {
        None => Ok(()),
        Some(mount) => Err(Failure::new(format!(
            "something else is mounted at {}, and its files are not ours to remove",
            mount.display()
        ))
        .hint(format!(
            "umount {}, then run this again; nothing was changed",
            mount.display()
        ))
        .into()),
    }
}

/// Removes what is ours, and the directory if nothing else is in it. A library elsewhere stays. The lock is held to the end.
pub fn purge(root: &Path, library: &Path, lock: Lock) -> Result<()> {
    for path in purged(root, library) {
        remove(&path).with_context(|| {
            Failure::new(format!("cannot remove {}", path.display()))
                .hint("mend that, then run this again")
        })?;
    }
    drop(lock);
    // Something of the operator's own may be in it; then it stays.
    let _ = std::fs::remove_dir(root);
    Ok(())
}

fn purged(root: &Path, library: &Path) -> Vec<PathBuf> {
    let inside = library.starts_with(root) && library != root;
    let library = inside.then(|| library.to_owned());
    library
        .into_iter()
        .chain(OURS.iter().map(|name| root.join(name)))
        .collect()
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

/// The first mount point at or below one of these paths.
fn mounted_inside(mounts: &str, purged: &[PathBuf]) -> Option<PathBuf> {
    mount_points(mounts).find(|mount| purged.iter().any(|path| mount.starts_with(path)))
}

/// Where things are mounted: the fifth field of each line, in which blanks and the like are written in octal (proc_pid_mountinfo(5)).
fn mount_points(mounts: &str) -> impl Iterator<Item = PathBuf> {
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| {
            let mut bytes = Vec::with_capacity(field.len());
            let mut rest = field.as_bytes();
            while let [first, behind @ ..] = rest {
                let octal = behind
                    .get(..3)
                    .filter(|_| *first == b'\\')
                    .and_then(|digits| {
                        u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
                    });
                bytes.push(octal.unwrap_or(*first));
                rest = if octal.is_some() {
                    &behind[3..]
                } else {
                    behind
                };
            }
            PathBuf::from(OsString::from_vec(bytes))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_inside_is_found() {
        let mounts = "29 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      75 29 254:0 /shared /srv/digital\\040twins rw - ext4 /dev/vda rw\n";
        assert_eq!(
            mount_points(mounts).collect::<Vec<_>>(),
            [PathBuf::from("/"), PathBuf::from("/srv/digital twins")]
        );
        // The same device is no sign of being ours: a folder of elsewhere may be bound there.
        let purged = |path: &str| [PathBuf::from(path)];
        assert!(mounted_inside(mounts, &purged("/srv")).is_some());
        assert!(mounted_inside(mounts, &purged("/srv/digital twins")).is_some());
        assert!(mounted_inside(mounts, &purged("/srv/digital")).is_none());
    }
}
