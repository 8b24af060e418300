//! Desired state: everything one machine should have. Plain data, serialisable, compared with what is observed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accounts::Accounts;
pub use super::probe::{Probe, Question, Scheme};
use crate::secrets::Secret;
use crate::spec::names::{DeploymentName, UserName};
use crate::spec::quantity::{Bytes, Cpus};

/// Labels by which containers, networks and images are ours. An object without the first is never touched.
pub mod label {
    /// The deployment's name.
    pub const DEPLOYMENT: &str = "dtaas.deployment";
    /// Which of the deployments with that name: see [`Desired::instance`](super::Desired::instance).
    pub const INSTANCE: &str = "dtaas.instance";
    /// The component: `gateway`, `workspace`, …
    pub const COMPONENT: &str = "dtaas.component";
    /// The user whose object it is, where it is one's.
    pub const USER: &str = "dtaas.user";
    /// The keyed hash of a network's desired state.
    pub const HASH: &str = "dtaas.hash";
    /// The deployment's name, on its own image. Containers inherit their image's labels, so [`DEPLOYMENT`] on it would make
    /// whatever anyone starts from it look like ours.
    pub const IMAGE_OF: &str = "dtaas.image-of";
    /// Keyed hashes of the parts of a container's desired state, so that a plan can say which part differs.
    pub const PARTS: &str = "dtaas.parts";
    /// The addresses of the host that a container listens on, where it does.
    pub const LISTENS: &str = "dtaas.listens";
}

/// A part of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Traefik: the only part that listens for the outside.
    Gateway,
    /// The endpoint that the gateway asks whether a request may pass.
    Auth,
    /// The website.
    Website,
    /// The library server.
    Library,
    /// A user's desktop; one a user.
    Workspace,
    /// The message broker.
    #[serde(rename = "rabbitmq")]
    RabbitMq,
    /// The MQTT broker.
    Mosquitto,
    /// The time series database.
    #[serde(rename = "influxdb")]
    InfluxDb,
    /// Dashboards.
    Grafana,
    /// A service of the operator's own.
    #[serde(rename = "service")]
    Custom,
}

impl Component {
    /// Its name in labels, container names, `status` and profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Component::Gateway => "gateway",
            Component::Auth => "auth",
            Component::Website => "website",
            Component::Library => "library",
            Component::Workspace => "workspace",
            Component::RabbitMq => "rabbitmq",
            Component::Mosquitto => "mosquitto",
            Component::InfluxDb => "influxdb",
            Component::Grafana => "grafana",
            Component::Custom => "service",
        }
    }
}

/// What one machine should have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Desired {
    /// Which deployment it belongs to.
    pub deployment: DeploymentName,
    /// Where the deployment's tree lies on the machine; every relative path below is relative to it.
    pub root: PathBuf,
    /// Where users' files lie on the machine, absolute.
    pub library: PathBuf,
    /// Keys the hashes in labels, so that a label does not let anyone guess a secret that went into it.
    pub hash_key: Secret,
    /// Directories, parents before children.
    pub directories: Vec<Directory>,
    /// Rendered files.
    pub files: Vec<File>,
    /// Directories (relative) in which nothing but `files` may be: anything else in them is removed.
    pub owned: Vec<PathBuf>,
    /// Files (relative) that must not be: what a removed user leaves.
    pub absent: Vec<PathBuf>,
    /// Folders of the library that go to another place in it, when nothing runs any more that uses them: those of removed users.
    pub aside: Vec<Aside>,
    /// Images that containers run.
    pub images: Vec<Image>,
    /// Networks, one a workspace.
    pub networks: Vec<Network>,
    /// What workspaces may reach on this machine; `None` where there are none.
    pub firewall: Option<Firewall>,
    /// Containers, in the order they are listed in `plan`.
    pub containers: Vec<Container>,
    /// Users' accounts at services, each of which is told of them when it answers.
    pub accounts: Vec<Accounts>,
    /// How the machine looks after its workspaces by itself; `None` where it does not.
    pub healing: Option<Healing>,
    /// The limits that stand in a user's own file; the others stand in the deployment's.
    pub own_limits: BTreeMap<UserName, BTreeSet<LimitKey>>,
}

/// How a machine looks after its workspaces by itself. All times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healing {
    /// Between two looks.
    pub every: u64,
    /// A workspace is restarted no sooner after its last start.
    pub at_most_every: u64,
    /// Workspaces are restarted so long after their last start, whatever they have.
    pub restart_every: Option<u64>,
    /// Where the gateway listens for workspaces: see [`gateway_of_workspaces`].
    pub gateway: Option<(u16, Option<Ipv4Addr>)>,
}

/// Where workspaces reach the gateway: its port, and its address where that is not all of the machine's; `None` where it is on loopback
/// alone.
pub fn gateway_of_workspaces(firewall: Option<&Firewall>) -> Option<(u16, Option<Ipv4Addr>)> {
    let firewall = firewall?;
    match firewall.address {
        Some(address) if address.is_loopback() => None,
        address => Some((*firewall.ports.first()?, address)),
    }
}

/// A folder that is set aside, so that nobody who gets its name later inherits what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Where it may lie: relative to the root, or absolute, where the library lies elsewhere.
    pub from: PathBuf,
    /// Where it goes, in the same library; the directory above is made for it, closed.
    pub to: PathBuf,
    /// Whose it was.
    pub user: UserName,
}

/// A directory that should exist. One that exists keeps its owner and mode, unless `enforce` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Relative to the root; or absolute, where the library lies elsewhere.
    pub path: PathBuf,
    /// Permission bits, such as 0o750.
    pub mode: u32,
    /// Numeric owner and group for a new directory; `None` is whoever runs us.
    pub owner: Option<(u32, u32)>,
    /// Whether mode and owner are put right when they differ (for directories that guard what is not everybody's).
    pub enforce: bool,
    /// Whether users may have put something else in its place: that is theirs to do, and holds nothing up. Anything else in the
    /// place of a directory that is not yielding is in the way of everything.
    pub yielding: bool,
    /// Whose it is, where it is one's: what is done for one user looks at nobody else's.
    pub user: Option<UserName>,
}

/// A file with exactly this content and mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Relative to the root.
    pub path: PathBuf,
    /// Permission bits, such as 0o640.
    pub mode: u32,
    /// Numeric owner and group; `None` is whoever runs us. Set only by root.
    pub owner: Option<(u32, u32)>,
    /// What is in it.
    pub content: Content,
    /// Whose it is, where it is one's: what is done for one user looks at nobody else's.
    pub user: Option<UserName>,
    /// The container whose address is in it: while that one is held as it is, so is the file.
    pub leads_to: Option<String>,
    /// The container that is to read its configuration anew before this is written: it says what was read last.
    pub reloads: Option<String>,
    /// Whether a file that is there already stays as it is, for others write it as well: an htpasswd entry.
    pub kept: bool,
}

/// What is in a file; a secret one is masked wherever a difference is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// May be shown.
    Plain(String),
    /// Must not be shown.
    Secret(Secret),
}

impl Content {
    /// The bytes to write.
    pub fn expose(&self) -> &str {
        match self {
            Content::Plain(text) => text,
            Content::Secret(secret) => secret.expose(),
        }
    }

    /// Whether it must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Content::Secret(_))
    }
}

/// An image that must be on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "source")]
pub enum Image {
    /// Pulled from a registry when it is not there.
    Pull {
        /// Such as `mltooling/ml-workspace:0.13.2`, prefix included.
        reference: String,
    },
    /// Made by us from the running executable: one file, `/dtaas`, and its entrypoint. The tag names the executable's digest.
    Own {
        /// Such as `dtaas-self/foo.com:3f5a…`.
        reference: String,
    },
}

impl Image {
    /// What containers call it.
    pub fn reference(&self) -> &str {
        match self {
            Image::Pull { reference } | Image::Own { reference } => reference,
        }
    }
}

/// A bridge network of one workspace: IPv6 off, fixed addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Docker's name for it.
    pub name: String,
    /// The host's interface (at most 15 characters); all of a deployment's begin alike, and its firewall goes by that.
    pub bridge: String,
    /// A /29.
    pub subnet: Ipv4Net,
    /// The host's address in it.
    pub gateway: Ipv4Addr,
    /// Whose workspace it carries.
    pub user: UserName,
}

/// What workspaces may reach of this machine. Everything else on it, other workspaces, link-local addresses and spoofed
/// sources are dropped before routing (table `mangle`, PREROUTING); other addresses (the internet, the local network) are left open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// The chain's name, at most 28 characters.
    pub chain: String,
    /// What all the bridges' names begin with; a rule says `-i <prefix>+`.
    pub bridge_prefix: String,
    /// All workspaces' networks lie in it.
    pub pool: Ipv4Net,
    /// TCP ports of this machine that stay open: the gateway's.
    pub ports: Vec<u16>,
    /// The one address at which they stay open; `None` is all of the machine's.
    pub address: Option<Ipv4Addr>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Docker's name for it.
    pub name: String,
    /// What it is a part of.
    pub component: Component,
    /// Whose it is.
    pub user: Option<UserName>,
    /// An [`Image`]'s reference.
    pub image: String,
    /// Arguments to the image's entrypoint; empty keeps the image's own command.
    pub command: Vec<String>,
    /// Environment; values may be secret and are never shown.
    pub environment: BTreeMap<String, Secret>,
    /// Bind mounts.
    pub mounts: Vec<Mount>,
    /// Where it is attached.
    pub network: Attachment,
    /// What its hosts file has besides itself.
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// Addresses of the host that it listens on (host network only); they must be free before it is made.
    pub listens: Vec<SocketAddrV4>,
    /// `uid:gid`; `None` keeps the image's.
    pub run_as: Option<String>,
    /// Root file system read-only.
    pub read_only: bool,
    /// How many rights it has.
    pub capabilities: Capabilities,
    /// Size of /dev/shm, in bytes.
    pub shm: Option<Bytes>,
    /// Limits, changed live.
    pub limits: Limits,
    /// SHA-256 (hex) of the files that it reads only when it starts: when they change, it is recreated.
    pub config_digest: Option<String>,
    /// Whether it is someone's work: then it is recreated only when that is asked for.
    pub precious: bool,
    /// Whether it should run; a disabled user's workspace is kept, stopped.
    pub running: bool,
    /// When it answers.
    pub ready: Option<Probe>,
}

/// A bind mount. Absolute source, absolute target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// On the machine; must exist.
    pub source: PathBuf,
    /// In the container.
    pub target: PathBuf,
    /// Whether the container may only read.
    pub read_only: bool,
}

/// Where a container is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// The host's own network.
    Host,
    /// A [`Network`], at a fixed address.
    Bridge {
        /// Docker's name for it.
        network: String,
        /// Inside its subnet.
        address: Ipv4Addr,
    },
}

impl Attachment {
    /// The name of the network, where it is not the host's own.
    pub fn network(&self) -> Option<&str> {
        match self {
            Attachment::Host => None,
            Attachment::Bridge { network, .. } => Some(network),
        }
    }
}

/// How many rights a container has. All of them run with `no-new-privileges` unless they are workspaces, where users may use `sudo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capabilities {
    /// None but these (such as `NET_BIND_SERVICE`).
    Only(Vec<String>),
    /// Docker's defaults without these (such as `NET_RAW`).
    DefaultsWithout(Vec<String>),
}

/// Limits of a container; `None` is without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processors.
    pub cpus: Option<Cpus>,
    /// Memory, in bytes.
    pub memory: Option<Bytes>,
    /// Processes and threads.
    pub pids: Option<i64>,
}

/// A limit that a machine can be too small for, by its key in the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKey {
    /// Processors.
    Cpus,
    /// Memory.
    Memory,
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitKey::Cpus => "cpus",
            LimitKey::Memory => "memory",
        })
    }
}

impl Directory {
    /// Nobody's, of whoever runs us, open to be looked into; one that exists stays as it is.
    pub fn plain(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            mode: 0o755,
            owner: None,
            enforce: false,
            yielding: false,
            user: None,
        }
    }
}

impl Desired {
    /// A machine that should have nothing of this deployment but its files: what `down` aims for.
    pub fn nothing(deployment: DeploymentName, root: PathBuf) -> Self {
        Self {
            deployment,
            library: root.clone(),
            root,
            hash_key: Secret::new(""),
            directories: Vec::new(),
            files: Vec::new(),
            owned: Vec::new(),
            absent: Vec::new(),
            aside: Vec::new(),
            images: Vec::new(),
            networks: Vec::new(),
            firewall: None,
            containers: Vec::new(),
            accounts: Vec::new(),
            healing: None,
            own_limits: BTreeMap::new(),
        }
    }

    /// What tells this deployment from another one with the same name: 16 hex digits of the SHA-256 of its root's path.
    pub fn instance(&self) -> String {
        let mut instance = sha256(self.root.as_os_str().as_encoded_bytes());
        instance.truncate(16);
        instance
    }

    /// The directory that a path of this state is looked up in, and the path relative to it.
    pub fn locate<'a>(&'a self, path: &'a Path) -> (&'a Path, &'a Path) {
        match path.strip_prefix(&self.library) {
            Ok(below) if path.is_absolute() => (&self.library, below),
            Ok(_) | Err(_) => (&self.root, path),
        }
    }

    /// The file at a path relative to the root.
    pub fn file(&self, path: &Path) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// SHA-256 of some texts in order, in lower-case hex; each text is preceded by its length, so that no two lists are alike.
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hex(&hasher.finalize())
}

/// SHA-256 of one text, in lower-case hex: what `sha256sum` says of a file with it.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
