//! What lies below a directory, whoever changes it meanwhile.

use std::fs::{self, Metadata};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Shows all that lies below a directory, until told to break off. Links are not followed; what has just gone, or cannot be looked at, is
/// left out.
pub fn each(root: &Path, mut see: impl FnMut(PathBuf, &Metadata) -> ControlFlow<()>) {
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.is_dir() {
                open.push(entry.path());
            }
            if see(entry.path(), &found).is_break() {
                return;
            }
        }
    }
}
