//! The way back: a deployment's directory out of a backup.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::repository::Snapshot;
use super::restic::Restic;
use super::{RESTORING, STAGED, STAGING, copy};
use crate::deployment::private;
use crate::error::Failure;
use crate::machine::files::{Tree, is_root};
use crate::machine::lock::{self, Lock};
use crate::machine::purge;
use crate::platform::auth::SESSIONS;
use crate::spec::backup::Repository;

/// What is being restored, while it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Restoring {
    snapshot: String,
    repository: Repository,
    /// Whether the library, where that lies elsewhere, was begun as well: only then is what is there ours.
    #[serde(default)]
    library: bool,
}

/// The restore into a directory that was interrupted.
fn restoring_in(directory: &Path) -> Option<Restoring> {
    let text = std::fs::read(directory.join(RESTORING)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Fails unless a directory is empty, is not there, or holds a restore of this snapshot that was interrupted.
///
/// # Errors
/// A usage failure.
pub fn require_free(directory: &Path, snapshot: Option<&Snapshot>) -> anyhow::Result<()> {
    let mut names: Vec<OsString> = match std::fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<std::io::Result<_>>()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", directory.display()));
        }
    };
    names.retain(|name| name != lock::FILE);
    if names.is_empty() {
        return Ok(());
    }
    match (restoring_in(directory), snapshot) {
        (Some(before), Some(snapshot)) if before.snapshot != snapshot.id => {
            Err(Failure::usage(format!(
                "{} holds a restore of snapshot {} that was interrupted, and this is {}",
                directory.display(),
                before.snapshot.get(..8).unwrap_or(&before.snapshot),
                snapshot.short()
            ))
            .hint("give that snapshot behind the repository, or name another directory; nothing was changed")
            .into())
        }
        (Some(_), _) => Ok(()),
        (None, _) => Err(Failure::usage(format!("{} is not empty", directory.display()))
            .hint("name a directory that is empty or not there: dtaas -C NEWDIR restore …; nothing was changed")
            .into()),
    }
}

/// Restores a backup that was checked.
///
/// # Errors
/// When something is in the way, before anything is written; or when it cannot be written: then the same again goes on with it.
pub async fn restore(
    restic: &Restic,
    snapshot: &Snapshot,
    manifest: &Manifest,
    directory: &Path,
    say: &dyn Fn(&str),
) -> anyhow::Result<PathBuf> {
    require_free(directory, Some(snapshot))?;
    let before = restoring_in(directory);
    let library_is_ours = before.as_ref().is_some_and(|before| before.library);
    if let Some(library) = &manifest.library
        && !library_is_ours
        && std::fs::read_dir(&library.root).is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(Failure::usage(format!(
            "the library belongs to {}, and that is not empty",
            library.root.display()
        ))
        .hint("move away what is there; nothing was changed")
        .into());
    }
    if !is_root() {
        return Err(
            Failure::new("dtaas restore gives files to their owners, which takes root")
                .hint("sudo dtaas restore …; nothing was changed")
                .into(),
        );
    }
    if let Some(library) = &manifest.library {
        let asked = ["ls", "--no-lock", library.snapshot.as_str(), "/"];
        restic
            .must("looking for the library's snapshot", &asked)
            .await?;
    }
    let tree = Tree::create(directory)?;
    let root = std::fs::canonicalize(directory)?;
    let _lock = Lock::take(&root, "dtaas restore")?;
    let begin = |library: bool| {
        let restoring = Restoring {
            snapshot: snapshot.id.clone(),
            repository: restic.repository().clone(),
            library,
        };
        let text = serde_json::to_string(&restoring)? + "\n";
        tree.write(Path::new(RESTORING), 0o600, text.as_bytes())
    };
    begin(library_is_ours)?;
    if before.is_some() {
        remove_unwritable(root.clone())?;
    }
    say("writing files, and reading them again");
    write(restic, &snapshot.id, &root).await?;
    if let Some(library) = &manifest.library {
        say(&format!("writing {}", library.root.display()));
        if library_is_ours {
            remove_unwritable(library.root.clone())?;
        }
        begin(true)?;
        std::fs::create_dir_all(&library.root)?;
        write(restic, &library.snapshot, &library.root).await?;
        if let Some(top) = library.top {
            top.give(&library.root)?;
        }
    }
    for path in &manifest.staged {
        put_back(&root, path).await?;
    }
    remove(&root.join(STAGING))?;
    // Sessions that ended since the backup must not begin again: everybody signs in anew.
    remove(&root.join(SESSIONS))?;
    tree.make_dir(&private(SESSIONS))?;
    if let Some(top) = manifest.top {
        top.give(&root)?;
    }
    rustix::fs::sync();
    tree.remove(Path::new(RESTORING))?;
    Ok(root)
}

/// Removes the links, pipes and files of several names that an interrupted restore has made: restic goes over other files and directories that
/// are there, and fails at these ("file exists", in 0.14).
fn remove_unwritable(written: PathBuf) -> anyhow::Result<()> {
    let mut open = vec![written];
    while let Some(directory) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.with_context(|| format!("cannot read {}", directory.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if !kind.is_file() || entry.metadata()?.nlink() > 1 {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Writes a snapshot's files where they differ, and compares what was written.
async fn write(restic: &Restic, snapshot: &str, target: &Path) -> anyhow::Result<()> {
    let arguments: [OsString; 6] = [
        "restore".into(),
        // It may be on a disk that can only be read.
        "--no-lock".into(),
        "--verify".into(),
        "--target".into(),
        target.into(),
        snapshot.into(),
    ];
    restic.must("restoring", &arguments).await.map(|_| ())
}

/// Puts the data of a service where they lay.
async fn put_back(root: &Path, path: &Path) -> anyhow::Result<()> {
    // A manifest is read from a repository: it may not lead out of the deployment.
    let plain = path
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain {
        return Err(Failure::new(format!(
            "the backup names {path:?}, which is no path in a deployment"
        ))
        .into());
    }
    let (from, to) = (root.join(STAGED).join(path), root.join(path));
    remove(&to)?;
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above)?;
    }
    copy::moved(&from, &to).await
}

fn remove(path: &Path) -> anyhow::Result<()> {
    purge::remove(path).with_context(|| format!("cannot remove {}", path.display()))
}
