//! A small library of our own to look at: a folder for each user, and one that they share.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::platform::{ASSET_KINDS, COMMON};
use crate::spec::names::UserName;

/// A file: its place in the folder, what is in it, and its permission bits.
type Sample = (&'static str, &'static str, u32);

macro_rules! sample {
    ($folder:literal, $path:literal, $mode:literal) => {
        (
            $path,
            include_str!(concat!("sample/", $folder, "/", $path)),
            $mode,
        )
    };
}

const SHARED: &[Sample] = &[
    sample!("common", "README.md", 0o644),
    sample!("common", "data/cup-cooling.csv", 0o644),
    sample!("common", "functions/mean-distance.awk", 0o644),
    sample!("common", "models/cooling.ipynb", 0o644),
    sample!("common", "tools/bars", 0o755),
];

const OWN: &[Sample] = &[
    sample!("user", "README.md", 0o644),
    sample!("user", "data/rooms.csv", 0o644),
    sample!("user", "models/cup.md", 0o644),
    sample!("user", "digital twins/cup/README.md", 0o644),
    sample!("user", "digital twins/cup/cup.conf", 0o644),
    sample!("user", "digital twins/cup/measured.csv", 0o644),
    sample!("user", "digital twins/cup/lifecycle/analyze", 0o755),
    sample!("user", "digital twins/cup/lifecycle/clean", 0o755),
    sample!("user", "digital twins/cup/lifecycle/create", 0o755),
    sample!("user", "digital twins/cup/lifecycle/evolve", 0o755),
    sample!("user", "digital twins/cup/lifecycle/execute", 0o755),
    sample!("user", "digital twins/cup/lifecycle/save", 0o755),
    sample!("user", "digital twins/cup/lifecycle/terminate", 0o755),
];

/// Writes the sample to `root`, which is made, with a folder for each of these users.
///
/// # Errors
/// When a file or a folder cannot be written.
pub fn write<'a>(root: &Path, users: impl Iterator<Item = &'a UserName>) -> io::Result<()> {
    fill(&root.join(COMMON), SHARED)?;
    for user in users {
        let folder = root.join(user.as_str());
        fill(&folder, OWN)?;
        // Where a workspace has the shared folder.
        fs::create_dir(folder.join(COMMON))?;
    }
    Ok(())
}

fn fill(folder: &Path, files: &[Sample]) -> io::Result<()> {
    for kind in ASSET_KINDS {
        fs::create_dir_all(folder.join(kind))?;
    }
    for (path, text, mode) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(*mode)
            .open(path)?
            .write_all(text.as_bytes())?;
    }
    Ok(())
}
