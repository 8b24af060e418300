//! A deployment directory: read whole, checked, and turned into what its machine should have.

mod backup;
pub mod certificates;
pub mod converge;
mod export;
pub mod init;
mod keep;
mod profile;
pub mod purge;
pub mod room;
pub mod runs;
mod services;
mod shares;
pub mod sites;
mod sweep;
mod tokens;
pub mod users;
mod website_build;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use time::OffsetDateTime;

use crate::auth::store;
use crate::error::{Failure, failure_of, remedy_of_cause};
use crate::machine::files::Tree;
use crate::machine::image;
use crate::machine::lock::{self, Lock};
use crate::platform::desired::{Component, Desired, Directory};
use crate::platform::{self, Certificate, Input};
use crate::render::Templates;
use crate::secrets::Secret;
use crate::spec::load;
use crate::spec::model::Spec;
use crate::spec::names::UserName;
use sites::{Reach, Site};

/// Whether secrets and certificates that are missing may be written. A plan makes them in memory only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make them and keep them.
    Keep,
    /// Make them for this once.
    Pretend,
}

/// Directories that the platform's containers read or write as root.
const ROOTS: [&str; 6] = [
    "auth",
    platform::auth::SESSIONS,
    platform::auth::SHARES,
    "secrets",
    "config",
    platform::gateway::ACME,
];

/// Users' htpasswd entries.
#[derive(Debug, Default, Clone)]
pub struct Entries {
    /// Those that count, `alice:$2y$…`, by user.
    pub good: BTreeMap<UserName, Secret>,
    /// What is wrong with the others.
    pub damaged: Vec<String>,
}

/// A deployment that was read and checked.
pub struct Deployment {
    /// Its directory.
    pub tree: Tree,
    /// What the operator wrote.
    pub spec: Spec,
    /// Its machines.
    pub sites: Vec<Site>,
    templates: Templates,
    /// Users' entries, once they were read and until one is written.
    known: Mutex<Option<Entries>>,
    /// What the operator should know of what was read and made.
    notes: Mutex<Vec<String>>,
}

impl Deployment {
    /// Reads the deployment in a directory.
    ///
    /// # Errors
    /// A usage failure that lists everything that is wrong with the spec.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let spec = load::load(directory)?;
        Self::with_spec(directory, spec)
    }

    /// Takes the deployment's lock, and reads it then, with another profile where one is given: what another run did before counts.
    /// `command` is what the holder is called.
    ///
    /// # Errors
    /// Those of [`Self::open`], and [`crate::error::Exit::Locked`] when another run has the lock.
    pub fn locked(
        directory: &Path,
        command: &str,
        profile: Option<&str>,
    ) -> anyhow::Result<(Self, Lock)> {
        let root = lockable(directory, profile)?;
        let lock = Lock::take(&root, command).map_err(|error| not_locked(directory, error))?;
        Self::open_held(directory, profile, lock)
    }

    /// The same, but waits while another run has the lock; `say` is told whom it waits for.
    pub async fn locked_when_free(
        directory: &Path,
        command: &str,
        profile: Option<&str>,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<(Self, Lock)> {
        let root = lockable(directory, profile)?;
        let lock = Lock::wait(&root, command, say)
            .await
            .map_err(|error| not_locked(directory, error))?;
        Self::open_held(directory, profile, lock)
    }

    fn open_held(
        directory: &Path,
        profile: Option<&str>,
        lock: Lock,
    ) -> anyhow::Result<(Self, Lock)> {
        let deployment = Self::with_profile(directory, profile)?;
        runs::begin(deployment.root());
        deployment.sweep(&lock)?;
        Ok((deployment, lock))
    }

    /// A deployment of this directory with this spec, whatever its `dtaas.yaml` says.
    pub fn with_spec(directory: &Path, spec: Spec) -> anyhow::Result<Self> {
        let root = absolute(directory)?;
        let (sites, templates) = Self::beside(&root, &spec)?;
        Ok(Self {
            tree: Tree::open(&root)?,
            spec,
            sites,
            templates,
            known: Mutex::default(),
            notes: Mutex::default(),
        })
    }

    /// What counts besides the spec: its machines, and the operator's own templates. The directory need not exist.
    fn beside(directory: &Path, spec: &Spec) -> anyhow::Result<(Vec<Site>, Templates)> {
        apart(directory, &spec.library.root)?;
        let profile = crate::profile::load(directory, &spec.profile)?;
        let templates = Templates::new(&replacements(directory)?).map_err(Failure::from)?;
        let sites = sites::sites(directory, spec, &profile)?;
        Ok((sites, templates))
    }

    /// Its directory, absolute.
    pub fn root(&self) -> &Path {
        self.tree.root()
    }

    /// Users' htpasswd entries, without the line's end. One that is damaged counts as none, and is said.
    ///
    /// # Errors
    /// When they cannot be read at all.
    pub fn entries(&self) -> anyhow::Result<Entries> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(entries) => Ok(entries.clone()),
            None => Ok(known.insert(self.read_entries()?).clone()),
        }
    }

    /// From here on entries are read anew.
    fn forget_entries(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn read_entries(&self) -> anyhow::Result<Entries> {
        let directory = self.root().join("auth");
        let listing = match store::list(&directory) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Entries::default());
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    Failure::new(format!("cannot read {}", directory.display()))
                        .hint("the deployment belongs to whoever made it: run this as root")
                });
            }
        };
        let line = |entry: store::Entry| {
            let line = format!("{}:{}", entry.user, entry.hash.expose());
            (entry.user, Secret::new(line))
        };
        Ok(Entries {
            good: listing.entries.into_iter().map(line).collect(),
            damaged: listing.problems.iter().map(ToString::to_string).collect(),
        })
    }

    /// Users of the spec who cannot enter because they have no password.
    pub fn without_password(&self, entries: &Entries) -> Vec<&UserName> {
        let without = |name: &&UserName| !entries.good.contains_key(*name);
        self.spec.users.keys().filter(without).collect()
    }

    /// The machine where users' workspaces are. Every profile places them.
    pub fn users_site(&self) -> Option<&Site> {
        self.sites.iter().find(|site| site.is_users())
    }

    /// All that is rendered for any machine, as it would lie on this one: what the operator looks at.
    pub fn desired(&self, missing: Missing) -> anyhow::Result<Desired> {
        let certificate = self.certificate(missing, OffsetDateTime::now_utc())?;
        self.with_input(
            &self.all_here(),
            missing,
            certificate.as_ref(),
            &image::own_reference(&self.spec.name)?,
            platform::machine,
        )
    }

    /// What a machine should have.
    pub fn desired_on(&self, site: &Site, missing: Missing) -> anyhow::Result<Desired> {
        let certificate = match site.is_users() {
            true => self.certificate(missing, OffsetDateTime::now_utc())?,
            false => None,
        };
        self.with_input(
            site,
            missing,
            certificate.as_ref(),
            &image::own_reference(&self.spec.name)?,
            platform::machine,
        )
    }

    /// The same for who only looks: an operator's certificate that cannot be used any more is noted, and nothing is made.
    pub fn desired_to_look(&self, site: &Site) -> anyhow::Result<Desired> {
        if site.is_users() {
            self.note_website()?;
        }
        let certificate = match site.is_users() {
            true => self.certificate_to_look(OffsetDateTime::now_utc())?,
            false => None,
        };
        self.with_input(
            site,
            Missing::Pretend,
            certificate.as_ref(),
            &image::own_reference(&self.spec.name)?,
            platform::machine,
        )
    }

    /// What a machine should have of some users. No certificate is anyone's.
    pub fn desired_of(
        &self,
        site: &Site,
        users: &BTreeSet<UserName>,
        missing: Missing,
    ) -> anyhow::Result<Desired> {
        self.with_input(site, missing, None, "", |input| {
            platform::users(input, users)
        })
    }

    /// All that runs anywhere, as if it ran here.
    fn all_here(&self) -> Site {
        Site {
            name: String::new(),
            reach: Reach::Local,
            placed: self
                .sites
                .iter()
                .flat_map(|site| site.placed.clone())
                .collect::<BTreeSet<Component>>(),
            root: self.root().to_owned(),
            hostname: self.spec.domain.to_string(),
        }
    }

    /// Keeps in mind what the operator should know: a sentence without a full stop.
    fn note(&self, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// What the operator should know, once.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The website's address.
    pub fn page(&self) -> String {
        let base = self.spec.base_path.path("");
        let url = platform::url(&self.spec);
        match base.strip_prefix('/') {
            Some(base) => format!("{url}{base}/"),
            None => url,
        }
    }

    /// The address of a user's workspace.
    pub fn workspace_page(&self, user: &UserName) -> String {
        format!("{}{user}/lab", self.page())
    }

    /// Fails where what the platform's containers read is not root's: they run as root without the right to read others' files.
    pub fn require_roots_own(&self) -> anyhow::Result<()> {
        for name in ROOTS {
            if let Some(found) = self.tree.stat(Path::new(name))?
                && found.owner.0 != 0
            {
                let path = self.root().join(name);
                return Err(Failure::new(format!(
                    "{} belongs to user {}, not to root",
                    path.display(),
                    found.owner.0
                ))
                .hint(format!(
                    "chown -R root:root {}",
                    ROOTS
                        .iter()
                        .map(|name| self.root().join(name))
                        .filter(|path| path.exists())
                        .map(|path| path.display().to_string())
                        .collect::<Vec<_>>()
                        .join(" ")
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Where what Vagrant reads lies, absolute.
    pub fn vagrant_directory(&self) -> PathBuf {
        self.root().join("vagrant")
    }

    /// Where users' files are, absolute.
    pub fn library_root(&self) -> PathBuf {
        self.root().join(&self.spec.library.root)
    }

    fn with_input<T>(
        &self,
        site: &Site,
        missing: Missing,
        certificate: Option<&Certificate>,
        own_image: &str,
        build: impl FnOnce(&Input<'_>) -> Result<T, crate::render::RenderError>,
    ) -> anyhow::Result<T> {
        let secrets = self.secrets(missing)?;
        let entries = self.entries()?.good;
        let services = self.services(site, missing)?;
        let input = Input {
            spec: &self.spec,
            secrets: &secrets,
            entries: &entries,
            certificate,
            services: &services,
            templates: &self.templates,
            root: &site.root,
            placed: &site.placed,
            remote: !site.is_local(),
            own_image,
        };
        build(&input).map_err(|error| Failure::from(error).into())
    }
}

/// Fails where an absolute library and the deployment lie in one another: users' files would lie among ours.
fn apart(directory: &Path, library: &Path) -> anyhow::Result<()> {
    if library.is_relative() {
        return Ok(());
    }
    // What does not exist yet is compared as it is written.
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (root, library) = (real(directory), real(library));
    if !library.starts_with(&root) && !root.starts_with(&library) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "library.root {} and the deployment in {} lie in one another",
        library.display(),
        root.display()
    ))
    .hint("for a library inside the deployment write its path relative to it, such as files; or name another directory")
    .into())
}

/// Where a deployment's lock is. Only a deployment has one: where there is none yet, what is wrong with the spec is said first, and
/// none is made.
fn lockable(directory: &Path, profile: Option<&str>) -> anyhow::Result<PathBuf> {
    backup::require_whole(directory)?;
    if !directory.join(load::FILE).exists() || !directory.join(lock::FILE).exists() {
        Deployment::with_profile(directory, profile)?;
    }
    absolute(directory)
}

fn not_locked(directory: &Path, error: anyhow::Error) -> anyhow::Error {
    match failure_of(&error) {
        Some(_) => error,
        None => {
            let remedy = remedy_of_cause(&error)
                .unwrap_or("it belongs to whoever made it: run this as root");
            error.context(
                Failure::new(format!(
                    "cannot lock the deployment in {}",
                    directory.display()
                ))
                .hint(remedy),
            )
        }
    }
}

/// A directory of the deployment that only its owner enters.
pub(crate) fn private(path: &str) -> Directory {
    Directory {
        path: path.into(),
        mode: 0o700,
        owner: None,
        enforce: true,
        yielding: false,
        user: None,
    }
}

/// Where a directory is, however it was named.
fn absolute(directory: &Path) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(directory).with_context(|| format!("cannot open {}", directory.display()))
}

/// The operator's own templates: `templates/**/*.hbs` in the deployment, by name without the ending.
fn replacements(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    if !root.is_dir() {
        return Ok(found);
    }
    let base = root.join("templates");
    let mut open = vec![base.clone()];
    while let Some(directory) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", directory.display()));
            }
        };
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot read {}", directory.display()))?
                .path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&base).unwrap_or(&path).to_string_lossy();
            if let Some(name) = name.strip_suffix(".hbs") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                found.insert(name.to_owned(), text);
            }
        }
    }
    Ok(found)
}
