//! Making a backup.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;
use serde::Deserialize;

use super::manifest::{self, FORM, Library, Manifest, Top};
use super::repository::{LIBRARY_TAG, TAG};
use super::restic::{Restic, pattern};
use super::services::{Taken, Taker};
use super::{STAGED, STAGING};
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::machine::below;
use crate::machine::docker::Engine;
use crate::machine::lock::{self, Lock};
use crate::machine::observed::Run;
use crate::secrets::Secret;
use crate::spec::backup::Repository;
use crate::spec::model::Tls;

/// How many files are named one by one.
const NAMED: usize = 5;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The snapshot.
    pub snapshot: String,
    /// Bytes of the files that were read.
    pub read: u64,
    /// Bytes that were new to the repository, before they were compressed.
    pub added: u64,
    /// What is to be said: sentences without a full stop.
    pub notes: Vec<String>,
}

/// Fails where the repository lies in what goes into it, or the other way round.
///
/// # Errors
/// A usage failure.
pub fn require_apart(deployment: &Deployment, repository: &Repository) -> anyhow::Result<()> {
    let Some(directory) = repository.directory() else {
        return Ok(());
    };
    let real = real(directory);
    for held in [
        deployment.root().to_owned(),
        self::real(&deployment.library_root()),
    ] {
        if real.starts_with(&held) || held.starts_with(&real) {
            return Err(Failure::usage(format!(
                "the repository {} and {}, which goes into it, lie in one another",
                directory.display(),
                held.display()
            ))
            .hint("name a directory elsewhere, best on another disk")
            .into());
        }
    }
    Ok(())
}

/// Where a path leads; as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut above = path.ancestors();
    let found = above.find_map(|above| {
        let found = std::fs::canonicalize(above).ok()?;
        Some(found.join(path.strip_prefix(above).ok()?))
    });
    found.unwrap_or_else(|| path.to_owned())
}

/// Fails where users' files are on another machine; notes what else is.
///
/// # Errors
/// When a backup from here would be without users' files.
pub fn notes_of_elsewhere(deployment: &Deployment) -> anyhow::Result<Vec<String>> {
    if let Some(site) = deployment.users_site().filter(|site| !site.is_local()) {
        return Err(Failure::new(format!(
            "users' files and workspaces are on {}, and a backup is made of this machine alone",
            site.name
        ))
        .hint(format!(
            "keep {} on {} with a program that runs there, and this directory with it; nothing was changed",
            site.root.display(),
            site.name
        ))
        .into());
    }
    let elsewhere = deployment.sites.iter().filter(|site| !site.is_local());
    Ok(elsewhere
        .map(|site| {
            format!(
                "the data of services on {} are not in the backup: keep {}/data there with a program that runs there",
                site.name,
                site.root.display()
            )
        })
        .collect())
}

/// Makes a backup of a deployment, as it is now.
pub async fn make(
    deployment: &Deployment,
    _held: &Lock,
    engine: Option<&Engine>,
    restic: &Restic,
    say: &dyn Fn(&str),
) -> anyhow::Result<Made> {
    let mut notes = notes_of_elsewhere(deployment)?;
    notes.extend(outside(deployment));
    stage(deployment)?;
    let mut taken = Taken::default();
    if let Some(engine) = engine {
        take_services(deployment, engine, say, &mut taken).await?;
    }
    notes.append(&mut taken.notes);
    let begun = SystemTime::now();
    let library = library(deployment, restic, say, &mut notes).await?;
    let manifest = Manifest {
        form: FORM,
        deployment: deployment.spec.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        library: library.as_ref().map(|(library, _)| library.clone()),
        staged: taken.staged,
        top: Top::of(deployment.root())?,
        notes: notes.clone(),
    };
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    let tree = &deployment.tree;
    tree.write(Path::new(manifest::FILE), 0o600, text.as_bytes())?;
    say("storing what is new");
    let left = taken.left.iter().map(PathBuf::as_path);
    let left: Vec<PathBuf> = left
        .chain([Path::new(lock::FILE)])
        .map(|path| deployment.root().join(path))
        .collect();
    let summary = store(
        restic,
        deployment,
        TAG,
        deployment.root(),
        &left,
        &mut notes,
    )
    .await?;
    notes.extend(changed(&deployment.library_root(), begun));
    deployment.sweep_backup()?;
    let of_library = library.map(|(_, summary)| summary).unwrap_or_default();
    Ok(Made {
        snapshot: summary.snapshot_id,
        read: summary.total_bytes_processed + of_library.total_bytes_processed,
        added: summary.data_added + of_library.data_added,
        notes,
    })
}

/// Makes the staging directory, empty.
fn stage(deployment: &Deployment) -> anyhow::Result<()> {
    deployment.sweep_backup()?;
    for path in [STAGING, STAGED] {
        deployment
            .tree
            .make_dir(&crate::deployment::private(path))?;
    }
    Ok(())
}

/// Takes the data of services that run here. Those of services that do not are read where they lie.
async fn take_services(
    deployment: &Deployment,
    engine: &Engine,
    say: &dyn Fn(&str),
    taken: &mut Taken,
) -> anyhow::Result<()> {
    // What a container's state is hashed with does not matter here.
    let key = Secret::new("");
    let name = deployment.spec.name.as_str();
    let taker = Taker {
        engine,
        tree: &deployment.tree,
        say,
    };
    for data in deployment.services_data() {
        let Some(found) = engine.container(&data.container, &key).await? else {
            continue;
        };
        if found.owner.deployment.as_deref() != Some(name) {
            continue;
        }
        match found.run {
            Run::Running => {}
            // By a backup that was killed.
            Run::Paused => engine.unpause_container(&data.container).await?,
            Run::Created | Run::Restarting | Run::Dead | Run::Exited => continue,
        }
        taker.take(&data, taken).await?;
    }
    Ok(())
}

/// Lets services go on that a backup that was broken off left standing still.
///
/// # Errors
/// When the engine does not.
pub async fn let_go_on(deployment: &Deployment, engine: &Engine) -> anyhow::Result<()> {
    let key = Secret::new("");
    for data in deployment.services_data() {
        let found = engine.container(&data.container, &key).await?;
        let ours = found.filter(|found| {
            found.owner.deployment.as_deref() == Some(deployment.spec.name.as_str())
        });
        if ours.is_some_and(|found| found.run == Run::Paused) {
            engine.unpause_container(&data.container).await?;
        }
    }
    deployment.sweep_backup()
}

/// Stores a library that lies outside the deployment.
async fn library(
    deployment: &Deployment,
    restic: &Restic,
    say: &dyn Fn(&str),
    notes: &mut Vec<String>,
) -> anyhow::Result<Option<(Library, Summary)>> {
    let root = deployment.library_root();
    if deployment.spec.library.root.is_relative() {
        return Ok(None);
    }
    let is_empty = std::fs::read_dir(&root).map_or(true, |mut entries| entries.next().is_none());
    if is_empty && !deployment.spec.users.is_empty() {
        return Err(Failure::new(format!(
            "library.root {} is not there, or empty: users' files would not be in the backup",
            root.display()
        ))
        .hint("mount it, then run this again")
        .into());
    }
    say(&format!("storing what is new in {}", root.display()));
    let summary = store(restic, deployment, LIBRARY_TAG, &root, &[], notes).await?;
    let snapshot = summary.snapshot_id.clone();
    let top = Top::of(&root)?;
    Ok(Some((
        Library {
            root,
            snapshot,
            top,
        },
        summary,
    )))
}

/// What restic says at its end (restic, "Scripting", on the JSON output of backup).
#[derive(Debug, Default, Deserialize)]
struct Summary {
    snapshot_id: String,
    #[serde(default)]
    total_bytes_processed: u64,
    #[serde(default)]
    data_added: u64,
}

/// What was wrong with a file: as restic 0.14 tells it, or as later ones do.
#[derive(Debug, Default, Deserialize)]
struct Wrong {
    #[serde(default, rename = "Op")]
    operation: String,
    /// Of the system (errno(3)).
    #[serde(default, rename = "Err")]
    number: i32,
    #[serde(default)]
    message: String,
}

impl Wrong {
    /// Whether the file was gone by then.
    fn is_gone(&self) -> bool {
        self.number == Errno::NOENT.raw_os_error() || self.message.contains("no such file")
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            0 => f.write_str(&self.message),
            number => write!(
                f,
                "{}: {}",
                self.operation,
                std::io::Error::from_raw_os_error(number)
            ),
        }
    }
}

/// One line of its output.
#[derive(Deserialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
enum Line {
    Summary(Summary),
    Error {
        #[serde(default)]
        item: String,
        #[serde(default)]
        error: Wrong,
    },
    #[serde(other)]
    Other,
}

/// Stores a directory without some paths.
async fn store(
    restic: &Restic,
    deployment: &Deployment,
    tag: &str,
    directory: &Path,
    left: &[PathBuf],
    notes: &mut Vec<String>,
) -> anyhow::Result<Summary> {
    let name = deployment.spec.name.as_str();
    let tags = format!("{tag},{name}");
    let mut arguments: Vec<OsString> = ["backup", "--json", "--host", name, "--tag", &tags]
        .map(OsString::from)
        .into();
    for path in left {
        arguments.extend(["--exclude".into(), pattern(path)]);
    }
    arguments.push(".".into());
    let said = restic.run(&arguments, Some(directory)).await?;
    let lines = said.out.lines().chain(said.err.lines());
    let mut summary = None;
    let mut unread = Vec::new();
    for line in lines.filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        match line {
            Line::Summary(found) => summary = Some(found),
            Line::Error { item, error } => unread.push((item, error)),
            Line::Other => {}
        }
    }
    // 3 is that some files could not be read, and the others are stored.
    let Some(summary) = summary.filter(|_| matches!(said.code, Some(0 | 3))) else {
        return Err(restic.failed("storing", &said));
    };
    let partly = said.code == Some(3);
    let is_told = !unread.is_empty();
    let (gone, unreadable): (Vec<_>, Vec<_>) =
        unread.into_iter().partition(|(_, error)| error.is_gone());
    let failed = match unreadable.first() {
        Some((item, error)) => Some(format!(
            "{} files could not be read: {item}: {error}",
            unreadable.len()
        )),
        None if partly && !is_told => Some(format!(
            "some files could not be read: {}",
            said.err.lines().next_back().unwrap_or_default()
        )),
        None => None,
    };
    if let Some(what) = failed {
        // It would be taken for the newest good one.
        let forget = ["forget", summary.snapshot_id.as_str()];
        restic
            .must("letting go of a backup that lacks files", &forget)
            .await?;
        return Err(Failure::new(format!("no backup was made, for {what}"))
            .hint("mend that, then run this again: what is stored stays stored")
            .into());
    }
    if !gone.is_empty() {
        notes.push(format!(
            "{} files were gone before they were read",
            gone.len()
        ));
    }
    Ok(summary)
}

/// Says which files of the library were written while they were read: of these the backup may hold a part of the one and a part of the other.
fn changed(library: &Path, since: SystemTime) -> Option<String> {
    let mut found = BTreeSet::new();
    below::each(library, |path, about| {
        if !about.is_dir() && about.modified().is_ok_and(|written| written >= since) {
            found.insert(path);
        }
        ControlFlow::Continue(())
    });
    let first = found.iter().take(NAMED).map(|path| {
        let path = path.strip_prefix(library).unwrap_or(path);
        format!("{:?}", path.to_string_lossy())
    });
    let first: Vec<String> = first.collect();
    let more = match found.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!found.is_empty()).then(|| {
        format!(
            "files of the library were written while they were read: {}{more}; a file that is replaced whole is in the backup whole",
            first.join(", ")
        )
    })
}

/// Files of the operator's that the spec names and that lie elsewhere.
fn outside(deployment: &Deployment) -> Vec<String> {
    let spec = &deployment.spec;
    let mut named: Vec<(&str, PathBuf)> = Vec::new();
    if let Tls::Files { cert, key } = &spec.tls {
        named.extend([("tls.cert", cert.clone()), ("tls.key", key.clone())]);
    }
    if let Some(build) = &spec.website
        && !build.source.contains("://")
    {
        named.push(("website.source", build.source.clone().into()));
    }
    if spec.profile.contains('/') {
        named.push(("profile", spec.profile.clone().into()));
    }
    let outside = |path: &Path| !real(&deployment.root().join(path)).starts_with(deployment.root());
    named
        .into_iter()
        .filter(|(_, path)| outside(path))
        .map(|(key, path)| {
            format!(
                "{key} lies outside the deployment, and is not in the backup: {}",
                path.display()
            )
        })
        .collect()
}
