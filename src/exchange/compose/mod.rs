//! A deployment as a project of docker compose: the same containers and networks, for whoever wants to look at them, or to leave.
//! A function from a machine's desired state to directories and files; only [`write`] writes.

mod dotenv;
mod firewall;
mod network;
mod readme;
mod service;
mod source;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Failure;
use crate::platform::desired::{Container, Content, Desired, Directory, File, Image, sha256};
use crate::secrets::Secret;
use network::Network;
pub use readme::left_out;
use service::Service;
use source::Place;

/// The project's file.
pub const FILE: &str = "compose.yaml";
/// The directory of the image that is made of our executable.
pub const IMAGE: &str = "image";
/// What the first line of the project's file begins with.
const MADE_BY: &str = "# Made by `dtaas export compose`";

/// A project: the top-level elements of the Compose Specification
/// (<https://github.com/compose-spec/compose-spec/blob/main/04-version-and-name.md>, `05-services.md`, `06-networks.md`).
#[derive(Debug, Serialize)]
struct Project {
    name: String,
    services: BTreeMap<String, Service>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<String, Network>,
}

/// What is written: below the project's directory.
#[derive(Debug)]
pub struct Export {
    /// Directories, parents before children.
    pub directories: Vec<Directory>,
    /// Files; the project's is the last.
    pub files: Vec<File>,
}

/// What a container is called in the project: its name without what all of a deployment's begin with.
fn key(desired: &Desired, container: &Container) -> String {
    let prefix = format!("dtaas-{}-", desired.deployment);
    let name = container.name.as_str();
    name.strip_prefix(&prefix).unwrap_or(name).to_owned()
}

/// What our own image is called in the project. Under the name that it has in a deployment it would look like one of ours.
fn own_image(reference: &str) -> String {
    match reference.strip_prefix("dtaas-self/") {
        Some(rest) => format!("dtaas-export/{rest}"),
        None => format!("dtaas-export/{reference}"),
    }
}

/// The project of what a machine should have. It mounts what is written beside it, but users' files and the services' data, which stay
/// where they are.
///
/// # Errors
/// When there is nothing to run, or something cannot be written in compose's words.
pub fn export(desired: &Desired) -> Result<Export, Failure> {
    if desired.containers.is_empty() {
        return Err(Failure::usage("nothing of the platform runs on this machine")
            .hint("an export is of what runs on this one; run it there with the deployment's directory"));
    }
    let mut files: Vec<File> = desired
        .files
        .iter()
        .filter(|file| source::of(desired, &desired.root.join(&file.path)).place == Place::Here)
        .cloned()
        .collect();
    files.extend(environments(desired)?);
    files.push(plain(".env", dotenv::text(&variables(desired))?));
    files.push(plain(&format!("{IMAGE}/Dockerfile"), dockerfile()));
    if let Some(wanted) = &desired.firewall {
        files.push(plain(firewall::FILE, firewall::v4(desired, wanted)));
        files.push(plain(firewall::FILE_V6, firewall::v6(wanted)));
    }
    files.push(plain("README.md", readme::text(desired)));
    let mut export = Export {
        directories: directories(desired, &files),
        files,
    };
    export.files.push(plain(FILE, text(desired)?));
    Ok(export)
}

/// The project's file.
fn text(desired: &Desired) -> Result<String, Failure> {
    let own = desired.images.iter().find_map(|image| match image {
        Image::Own { reference } => Some(reference.as_str()),
        Image::Pull { .. } => None,
    });
    let mut services = BTreeMap::new();
    for container in &desired.containers {
        let builds = own == Some(container.image.as_str());
        let first = builds && services.values().all(|one: &Service| one.build.is_none());
        let service = service::of(desired, container, builds, first);
        services.insert(key(desired, container), service);
    }
    let project = Project {
        name: project_name(desired),
        services,
        networks: desired
            .networks
            .iter()
            .map(|one| {
                (
                    network::key(&desired.deployment, &one.name),
                    network::of(one),
                )
            })
            .collect(),
    };
    let yaml = serde_yaml::to_string(&project)
        .map_err(|error| Failure::new(format!("the project cannot be written: {error}")))?;
    Ok(format!(
        "{MADE_BY} of the deployment {} in {}. README.md says what it is and is not.\n{yaml}",
        desired.deployment,
        desired.root.display()
    ))
}

/// Compose takes no dots in it. A few digits tell `a.b` from `a-b`.
fn project_name(desired: &Desired) -> String {
    let name = desired.deployment.as_str();
    match name.contains('.') {
        false => format!("dtaas-{name}"),
        true => format!("dtaas-{}-{}", name.replace('.', "-"), &sha256(name)[..6]),
    }
}

/// One file a container, for what is in its environment may be secret.
fn environments(desired: &Desired) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for container in &desired.containers {
        if container.environment.is_empty() {
            continue;
        }
        let values: Vec<(&str, &str)> = container
            .environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.expose()))
            .collect();
        let path = service::environment_file(&key(desired, container));
        let text = dotenv::text(&values)?;
        files.push(File {
            mode: 0o600,
            content: Content::Secret(Secret::new(text)),
            ..plain(&path, String::new())
        });
    }
    Ok(files)
}

/// What an operator changes who takes the project elsewhere.
fn variables(desired: &Desired) -> Vec<(&'static str, String)> {
    let places = mounted(desired);
    [
        (Place::Library, source::LIBRARY, desired.library.clone()),
        (
            Place::Data,
            source::DATA,
            desired.root.join(source::DATA_FOLDER),
        ),
    ]
    .into_iter()
    .filter(|(place, _, _)| places.contains(place))
    .map(|(_, name, path)| (name, path.display().to_string()))
    .collect()
}

/// Where containers' mounts are from.
fn mounted(desired: &Desired) -> BTreeSet<Place> {
    let mounts = desired.containers.iter().flat_map(|one| &one.mounts);
    mounts
        .map(|mount| source::of(desired, &mount.source).place)
        .collect()
}

/// The image of our executable alone, as [`crate::machine::image`] makes it.
fn dockerfile() -> String {
    "FROM scratch\nCOPY dtaas /dtaas\nENTRYPOINT [\"/dtaas\"]\n".to_owned()
}

/// The directories of the deployment that are mounted or have files in them here, with their modes, and those above them.
fn directories(desired: &Desired, files: &[File]) -> Vec<Directory> {
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    let mut with_all_above = |path: &Path| {
        let above = path
            .ancestors()
            .filter(|above| !above.as_os_str().is_empty());
        paths.extend(above.map(Path::to_owned));
    };
    for file in files {
        with_all_above(file.path.parent().unwrap_or(Path::new("")));
    }
    for mount in desired.containers.iter().flat_map(|one| &one.mounts) {
        let found = source::of(desired, &mount.source);
        let is_file = files.iter().any(|file| file.path == found.rest);
        if found.place == Place::Here && !is_file {
            with_all_above(&found.rest);
        }
    }
    let known = |path: &Path| {
        let mut all = desired.directories.iter();
        all.find(|directory| directory.path == path).cloned()
    };
    let directory = |path: PathBuf| {
        let closed = path.starts_with(service::ENVIRONMENTS);
        known(&path).unwrap_or(Directory {
            mode: if closed { 0o700 } else { 0o755 },
            ..Directory::plain(path)
        })
    };
    paths.into_iter().map(directory).collect()
}

fn plain(path: &str, text: String) -> File {
    File {
        path: path.into(),
        mode: 0o644,
        owner: None,
        content: Content::Plain(text),
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
    }
}
