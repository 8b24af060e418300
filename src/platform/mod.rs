//! The pure core: from a spec to what each machine should have. No I/O, no clock, no randomness.

pub mod accounts;
pub mod auth;
pub mod desired;
pub mod gateway;
pub mod library;
pub mod naming;
pub mod probe;
mod rights;
pub mod services;
pub mod website;
pub mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use desired::{
    Component, Container, Content, Desired, Directory, File, Firewall, Healing, Image,
    gateway_of_workspaces,
};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::render::{RenderError, Templates};
use crate::secrets::{DeploymentSecrets, Secret};
use crate::spec::model::Spec;
use crate::spec::names::UserName;

/// Everything that a desired state is made of.
pub struct Input<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// The deployment's secrets.
    pub secrets: &'a DeploymentSecrets,
    /// Each user's htpasswd entry, `alice:$2y$…`, without the line's end.
    pub entries: &'a BTreeMap<UserName, Secret>,
    /// The gateway's certificate; `None` without TLS, and where Traefik comes by it itself.
    pub certificate: Option<&'a Certificate>,
    /// What the services need.
    pub services: &'a services::Services,
    /// Templates.
    pub templates: &'a Templates,
    /// Where the tree lies on the machine, absolute.
    pub root: &'a Path,
    /// What runs on the machine.
    pub placed: &'a BTreeSet<Component>,
    /// Whether the machine is another than the operator's: then users' entries are brought there, where they are missing.
    pub remote: bool,
    /// The reference of the image made of our executable; empty for [`users`] and [`certificate`], which have nothing to do with it, for to
    /// know it takes reading all of the executable.
    pub own_image: &'a str,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Leaf first.
    pub chain: String,
    /// The leaf's.
    pub key: Secret,
}

impl Certificate {
    /// SHA-256 of the leaf's DER, in lower-case hex; `None` when the chain holds no certificate.
    pub fn sha256(&self) -> Option<String> {
        let leaf = CertificateDer::from_pem_slice(self.chain.as_bytes()).ok()?;
        Some(desired::sha256(leaf))
    }
}

/// The five kinds of assets: a folder each for every user and in `common` (the v0.2 documentation, "Library").
pub const ASSET_KINDS: [&str; 5] = ["data", "digital twins", "functions", "models", "tools"];

/// The folder of the assets that belong to all.
pub const COMMON: &str = "common";

impl Input<'_> {
    /// The library's root on the machine, absolute.
    pub fn library_root(&self) -> PathBuf {
        self.root.join(&self.spec.library.root)
    }

    /// Users whose door is open: enabled, with a password.
    pub fn open_users(&self) -> impl Iterator<Item = (&UserName, &Secret)> {
        self.entries
            .iter()
            .filter(|(name, _)| self.spec.users.get(*name).is_some_and(|user| user.enabled))
    }

    /// An image's reference with the spec's prefix.
    fn image(&self, name: &str) -> String {
        format!("{}{name}", self.spec.image_prefix)
    }
}

/// The address that browsers use, with its final slash and without the base path: `https://foo.com:8443/`.
pub fn url(spec: &Spec) -> String {
    let (scheme, port, usual) = match spec.tls.is_on() {
        false => ("http", spec.ports.http, 80),
        true => ("https", spec.ports.https, 443),
    };
    if port == usual {
        format!("{scheme}://{}/", spec.domain)
    } else {
        format!("{scheme}://{}:{port}/", spec.domain)
    }
}

/// What the machine should have.
pub fn machine(input: &Input<'_>) -> Result<Desired, RenderError> {
    let mut desired = skeleton(input);
    desired.directories = vec![Directory::plain("data"), Directory::plain("config")];
    if input.placed.contains(&Component::Gateway) {
        users_side(input, &mut desired)?;
    }
    services::add(input, &mut desired)?;
    Ok(desired)
}

/// Gateway, auth endpoint, website, library and workspaces, which are on one machine always (see [`crate::profile`]).
fn users_side(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    desired.directories.extend(directories(input));
    desired.owned = [
        gateway::ROUTES,
        gateway::PAIR,
        "config/auth",
        services::users::FILES,
    ]
    .map(PathBuf::from)
    .into();
    desired.images.push(Image::Own {
        reference: input.own_image.to_owned(),
    });
    desired.firewall = Some(firewall(input));
    gateway::add(input, desired)?;
    auth::add(input, desired);
    website::add(input, desired)?;
    library::add(input, desired)?;
    services::custom::add_routes(input, desired)?;
    services::grafana::add_route(input, desired)?;
    if input.remote {
        desired.owned.push(auth::ENTRIES.into());
        let entries = input.entries.iter();
        desired
            .files
            .extend(entries.map(|(name, entry)| auth::entry(name, entry)));
    }
    for (name, user) in &input.spec.users {
        workspace::add(input, name, desired)?;
        if !user.enabled {
            desired.absent.push(auth::session_file(name));
        }
    }
    desired.healing = input.spec.healing.map(|healing| Healing {
        every: healing.every.0,
        at_most_every: healing.at_most_every.0,
        restart_every: healing.restart_every.map(|every| every.0),
        gateway: gateway_of_workspaces(desired.firewall.as_ref()),
    });
    Ok(())
}

/// The gateway's certificate alone, and what makes the gateway read it anew: files, and nothing else.
pub fn certificate(input: &Input<'_>) -> Result<Desired, RenderError> {
    let mut desired = skeleton(input);
    gateway::add_certificate(input, &mut desired)?;
    Ok(desired)
}

/// What the machine should have of some users, and nothing of anyone else: what the `user` commands converge to.
/// A user who is not in the spec should have nothing.
pub fn users(input: &Input<'_>, names: &BTreeSet<UserName>) -> Result<Desired, RenderError> {
    let mut desired = skeleton(input);
    services::add_users(input, names, &mut desired);
    if !input.placed.contains(&Component::Gateway) {
        return Ok(desired);
    }
    desired.firewall = Some(firewall(input));
    gateway::add_credentials(input, &mut desired)?;
    if names.iter().any(|name| input.spec.users.contains_key(name)) {
        desired.directories.extend(library::root(input));
    }
    for name in names {
        if input.spec.users.contains_key(name) {
            let directories = library::directories(input, name.as_str(), Some(name));
            desired.directories.extend(directories);
            workspace::add(input, name, &mut desired)?;
        }
        let mut files = vec![gateway::user_file(name), auth::user_file(name)];
        let user = input.spec.users.get(name);
        if !user.is_some_and(|user| user.enabled) {
            files.push(auth::session_file(name));
        }
        // Whoever gets the name next begins anew.
        if user.is_none() {
            files.push(auth::shares_file(name));
        }
        if !input.services.is_empty() {
            files.extend(services::users::paths(name).map(PathBuf::from));
        }
        if input.remote {
            let entry = input
                .entries
                .get(name)
                .map(|entry| auth::entry(name, entry));
            desired.files.extend(entry);
            files.push(auth::entry_file(name));
        }
        for path in files {
            if desired.file(&path).is_none() {
                desired.absent.push(path);
            }
        }
    }
    Ok(desired)
}

fn skeleton(input: &Input<'_>) -> Desired {
    Desired {
        library: input.library_root(),
        hash_key: input.secrets.hash_key.clone(),
        ..Desired::nothing(input.spec.name.clone(), input.root.to_owned())
    }
}

fn directories(input: &Input<'_>) -> Vec<Directory> {
    let closed = |path: &str| Directory {
        mode: 0o700,
        enforce: true,
        ..Directory::plain(path)
    };
    let mut directories = vec![
        Directory::plain("users"),
        closed("secrets"),
        closed(auth::ENTRIES),
        Directory::plain("config/auth"),
        Directory::plain("config/client"),
        Directory::plain("config/library"),
        Directory::plain("config/website"),
        Directory::plain("config/gateway"),
        Directory::plain("config/gateway/static"),
        closed(gateway::ROUTES),
        closed(gateway::PAIR),
    ];
    if input.spec.tls.acme().is_some() {
        directories.push(closed(gateway::ACME));
    }
    directories.extend(library::root(input));
    directories.extend(library::directories(input, COMMON, None));
    for name in input.spec.users.keys() {
        directories.extend(library::directories(input, name.as_str(), Some(name)));
    }
    directories
}

fn firewall(input: &Input<'_>) -> Firewall {
    let ports = input.spec.ports;
    Firewall {
        chain: naming::chain(&input.spec.name),
        bridge_prefix: naming::bridge_prefix(&input.spec.name),
        pool: input.spec.pool,
        address: Some(input.spec.bind).filter(|address| !address.is_unspecified()),
        ports: match input.spec.tls.is_on() {
            false => vec![ports.http],
            true => vec![ports.http, ports.https],
        }
        .into_iter()
        .chain(services::ports(input))
        .collect(),
    }
}

/// A file that may be seen.
fn plain(path: impl Into<PathBuf>, mode: u32, text: String) -> File {
    File {
        path: path.into(),
        mode,
        owner: None,
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
        content: Content::Plain(text),
    }
}

/// A file that must not be seen; only its owner reads it.
fn secret(path: impl Into<PathBuf>, text: String) -> File {
    File {
        path: path.into(),
        mode: 0o600,
        owner: None,
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
        content: Content::Secret(Secret::new(text)),
    }
}

/// The same file as one user's.
fn of_user(mut file: File, name: &UserName) -> File {
    file.user = Some(name.clone());
    file
}

/// A container of our own executable: host network, read-only, without rights.
fn own_container(input: &Input<'_>, component: Component, command: Vec<String>) -> Container {
    Container {
        name: naming::container(&input.spec.name, component, None),
        component,
        user: None,
        image: input.own_image.to_owned(),
        command,
        environment: BTreeMap::new(),
        mounts: Vec::new(),
        network: desired::Attachment::Host,
        hosts: BTreeMap::new(),
        listens: Vec::new(),
        run_as: Some("0:0".to_owned()),
        read_only: true,
        capabilities: desired::Capabilities::Only(Vec::new()),
        shm: None,
        limits: desired::Limits::default(),
        config_digest: None,
        precious: false,
        running: true,
        ready: None,
    }
}

/// A read-only mount of something in the deployment's tree.
fn read_only(input: &Input<'_>, source: &str, target: &str) -> desired::Mount {
    desired::Mount {
        source: input.root.join(source),
        target: target.into(),
        read_only: true,
    }
}
