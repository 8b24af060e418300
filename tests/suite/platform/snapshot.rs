//! A directory as it stands, to be compared with how it stood.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// What is in a directory: for each path its kind, mode, owner, time of change and content (by hash).
pub type Snapshot = BTreeMap<String, String>;

/// Looks at everything below a directory but the lock, which each run writes itself into.
pub fn of(root: &Path) -> Snapshot {
    let mut all = Snapshot::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            "directory".to_owned()
        } else if found.is_symlink() {
            format!("link to {}", fs::read_link(&path).unwrap().display())
        } else {
            format!("{:x?}", Sha256::digest(fs::read(&path).unwrap()))
        };
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name != ".lock" {
            let (mode, uid, gid) = (found.mode(), found.uid(), found.gid());
            let (seconds, nanos) = (found.mtime(), found.mtime_nsec());
            all.insert(
                name,
                format!("{mode:o} {uid}:{gid} {seconds}.{nanos} {content}"),
            );
        }
    }
    all
}
