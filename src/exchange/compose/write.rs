//! Writing a project into a directory that is empty, or holds one that was written before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Export, FILE, IMAGE, MADE_BY};
use crate::error::Failure;
use crate::machine::files::{Tree, is_root};
use crate::machine::image;
use crate::machine::observed::Kind;
use crate::platform::desired::Directory;

/// Stands in the directory from the first write to the last: by it a run that was killed is known as ours.
const UNFINISHED: &str = ".unfinished-export";

/// The program in the image's directory.
const PROGRAM: &str = "dtaas";

/// Fails where a directory holds something that is not of an export.
///
/// # Errors
/// A usage failure.
pub fn refuse_others(directory: &Path) -> anyhow::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    let tree = Tree::open(directory)?;
    let is_empty = tree.list(Path::new(""))?.is_empty();
    let ours = tree
        .read(Path::new(FILE))
        .ok()
        .flatten()
        .is_some_and(|bytes| bytes.starts_with(MADE_BY.as_bytes()));
    if is_empty || ours || tree.stat(Path::new(UNFINISHED))?.is_some() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is not empty, and what is in it is no export of ours",
        directory.display()
    ))
    .hint("name another directory with --output; nothing was written")
    .into())
}

/// Where users' passwords, sessions and shares lie. A project that runs changes them, so those that are there already stay.
const OF_USERS: [&str; 3] = ["auth", "sessions", "shares"];
/// The operator's to edit: where files and data lie.
const PLACES: &str = ".env";

/// Writes it (the directory with mode 0700, for there are secrets in it). Of an earlier export nothing else is left.
///
/// # Errors
/// When the directory holds something else, or something cannot be written; then the same command goes on where this one was.
pub fn write(directory: &Path, export: &Export) -> anyhow::Result<()> {
    refuse_others(directory)?;
    let above = directory
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    let above = Tree::create(above.unwrap_or(Path::new(".")))?;
    let name = directory.file_name().context("the directory has no name")?;
    above.make_dir(&Directory {
        mode: 0o700,
        // Whoever owned it could put another program in ours' place, which root runs.
        owner: is_root().then_some((0, 0)),
        enforce: true,
        ..Directory::plain(name)
    })?;
    let tree = Tree::open(directory)?;
    tree.write(Path::new(UNFINISHED), 0o600, b"")?;
    tree.remove(Path::new(FILE))?;
    for one in &export.directories {
        tree.make_dir(one)?;
    }
    let mut kept: BTreeSet<PathBuf> = export.files.iter().map(|file| file.path.clone()).collect();
    let program = Path::new(IMAGE).join(PROGRAM);
    tree.write(&program, 0o755, &image::own_executable()?)?;
    kept.insert(program);
    // A user who is gone has a password no more.
    sweep(&tree, Path::new("auth"), &kept)?;
    for one in export
        .directories
        .iter()
        .filter(|one| one.path.components().count() == 1)
    {
        // What users did since the last export is kept here alone.
        if !OF_USERS.contains(&one.path.to_string_lossy().as_ref()) {
            sweep(&tree, &one.path, &kept)?;
        }
    }
    for file in &export.files {
        let is_users = file.path.components().count() > 1
            && OF_USERS.iter().any(|own| file.path.starts_with(own));
        if (is_users || file.path == Path::new(PLACES)) && tree.stat(&file.path)?.is_some() {
            continue;
        }
        tree.write_as(
            &file.path,
            file.mode,
            file.owner,
            file.content.expose().as_bytes(),
        )?;
    }
    tree.remove(Path::new(UNFINISHED))?;
    Ok(())
}

/// Removes files that an earlier export had.
fn sweep(tree: &Tree, directory: &Path, kept: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for (name, kind) in tree.list(directory)? {
        let path = directory.join(name);
        match kind {
            Kind::Directory => sweep(tree, &path, kept)?,
            Kind::File | Kind::Link | Kind::Other if !kept.contains(&path) => {
                tree.remove(&path)?;
            }
            Kind::File | Kind::Link | Kind::Other => {}
        }
    }
    Ok(())
}
