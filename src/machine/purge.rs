//! Removing a deployment's directory: everything that is ours in it, and nothing that is mounted there.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::error::Failure;
use crate::machine::lock::Lock;

/// What is ours in a deployment's directory, besides the library. What makes it a deployment goes last: a run that is killed in
/// between is simply repeated.
const OURS: [&str; 12] = [
    "users",
    "secrets",
    "auth",
    "sessions",
    "shares",
    "config",
    "data",
    "history",
    "templates",
    "images.lock",
    "dtaas.yaml",
    ".lock",
];

/// Fails where something is mounted at or below what purging removes: a share, or a folder of elsewhere that was bound there,
/// holds files that are not the deployment's. Symbolic links on the way there are followed first, as the kernel names mounts.
pub fn check(root: &Path, library: &Path) -> Result<()> {
    const MOUNTS: &str = "/proc/self/mountinfo";
    let mounts =
        std::fs::read_to_string(MOUNTS).with_context(|| format!("cannot read {MOUNTS}"))?;
    match mounted_inside(&mounts, &purged(root, library)?) {
        None => Ok(()),
        Some(mount) => Err(Failure::new(format!(
            "something else is mounted at {}, and its files are not ours to remove",
            mount.display()
        ))
        .hint(format!(
            "umount {}, then run this again; no file was removed",
            mount.display()
        ))
        .into()),
    }
}

/// Removes what is ours, and the directory if nothing else is in it. A library elsewhere stays. The lock is held to the end.
///
/// # Errors
///
/// As [`check`]'s, before anything is removed; or with the path that cannot be.
pub fn purge(root: &Path, library: &Path, lock: Lock) -> Result<()> {
    check(root, library)?;
    for path in purged(root, library)? {
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

/// What purging removes, by the names that the kernel has for it: no symbolic link is on the way to any of it. One that is itself in
/// the directory is removed, and what it leads to stays.
fn purged(root: &Path, library: &Path) -> Result<Vec<PathBuf>> {
    let real = |path: &Path| match std::fs::canonicalize(path) {
        Ok(real) => Ok(Some(real)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    let Some(root) = real(root)? else {
        return Ok(Vec::new());
    };
    let library = match (library.parent(), library.file_name()) {
        (Some(parent), Some(name)) => real(parent)?.map(|parent| parent.join(name)),
        (None, _) | (_, None) => None,
    };
    let inside = library.filter(|library| library.starts_with(&root) && *library != root);
    Ok(inside
        .into_iter()
        .chain(OURS.iter().map(|name| root.join(name)))
        .collect())
}

pub fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
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

    #[test]
    fn a_root_behind_a_symbolic_link_is_looked_for_where_it_really_is() {
        let there = tempfile::tempdir().unwrap();
        let real = there.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("disk/foo/data/share")).unwrap();
        std::os::unix::fs::symlink("disk", real.join("opt")).unwrap();
        let root = real.join("opt/foo");
        let mounts = format!(
            "75 29 254:0 / {} rw - cifs //nas/share rw\n",
            real.join("disk/foo/data/share").display()
        );
        let purged = purged(&root, &root.join("files")).unwrap();
        assert_eq!(purged.first(), Some(&real.join("disk/foo/files")));
        assert_eq!(
            mounted_inside(&mounts, &purged),
            Some(real.join("disk/foo/data/share"))
        );
    }

    #[test]
    fn a_library_that_a_symbolic_link_leads_out_to_stays() {
        let there = tempfile::tempdir().unwrap();
        let (root, nas) = (there.path().join("foo"), there.path().join("nas"));
        std::fs::create_dir_all(root.join("config")).unwrap();
        std::fs::create_dir_all(nas.join("files")).unwrap();
        std::fs::write(nas.join("files/model.fmu"), "theirs").unwrap();
        std::os::unix::fs::symlink(&nas, root.join("shared")).unwrap();
        let lock = Lock::take(&root, "dtaas down").unwrap();
        purge(&root, &root.join("shared/files"), lock).unwrap();
        assert!(nas.join("files/model.fmu").exists());
        assert!(!root.join("config").exists());
    }
}
