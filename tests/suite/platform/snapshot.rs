//! A deployment as it stands, to be compared with how it stood.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::engine;

/// Lines about what there is, by its name.
pub type Snapshot = BTreeMap<String, String>;

/// A deployment's files and everything of it on the machine.
pub fn of(root: &Path, deployment: &str) -> Snapshot {
    let mut all = files(root);
    for object in engine::objects(deployment) {
        let mut words = object.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        match object.starts_with("ip") {
            true => all.insert(object, String::new()),
            false => all.insert(format!("{} {}", word(), word()), word()),
        };
    }
    all
}

/// Fails, and says what differs, when there is anything that does.
pub fn same(before: &Snapshot, after: &Snapshot) {
    let mut differing = Vec::new();
    for name in before.keys().chain(after.keys()) {
        let (was, is) = (before.get(name), after.get(name));
        if was != is {
            let line = |text: Option<&String>| text.map_or("nothing".to_owned(), Clone::clone);
            let (was, is) = (line(was), line(is));
            let first = was.lines().zip(is.lines()).find(|(was, is)| was != is);
            differing.push(format!("{name}: {:?}", first.unwrap_or((&was, &is))));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

/// What is in a directory, for each path its kind, mode, owner, time of change and content (by hash). Left out are the
/// lock, which each run writes itself into, and the history, to which each run adds.
pub fn files(root: &Path) -> Snapshot {
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
        } else if !found.is_file() {
            // To read a pipe is to wait for whoever writes.
            "neither file nor directory".to_owned()
        } else {
            format!("{:x?}", Sha256::digest(fs::read(&path).unwrap()))
        };
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name != ".lock" && !name.starts_with("history") {
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
