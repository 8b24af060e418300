//! The spec as data: what `dtaas.yaml` and `users/*.yaml` say, with defaults filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::backup::Repository;
use super::custom::Custom;
use super::machine::Machine;
use super::names::{BasePath, DeploymentName, Domain, UserName};
use super::quantity::{Bytes, Cpus, Span};
use super::services::{Grafana, InfluxDb, Mosquitto, RabbitMq};

/// A deployment's spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Tells it from other deployments on the same machine.
    pub name: DeploymentName,
    /// What browsers call it.
    pub domain: Domain,
    /// Where it begins below the domain.
    pub base_path: BasePath,
    /// A built-in profile's name, or the path of the operator's own.
    pub profile: String,
    /// The address that the gateway listens on.
    pub bind: Ipv4Addr,
    /// Ports.
    pub ports: Ports,
    /// Where the certificate comes from.
    pub tls: Tls,
    /// The range that workspaces' /29 come from.
    pub pool: Ipv4Net,
    /// Who checks passwords.
    pub auth: AuthMode,
    /// Proxies in front of the gateway that are believed about whom they saw, and how.
    pub trusted_proxies: Vec<IpNet>,
    /// Another website than ours.
    pub website: Option<WebsiteBuild>,
    /// Users' files, and what may be done with them over HTTP.
    pub library: Library,
    /// Put before every image's name.
    pub image_prefix: String,
    /// The gateway.
    pub gateway: Gateway,
    /// What each user's workspace is.
    pub workspace: Workspace,
    /// Whether and how machines look after workspaces by themselves.
    pub healing: Option<Healing>,
    /// RabbitMQ, where the profile places it.
    pub rabbitmq: RabbitMq,
    /// Mosquitto, where the profile places it.
    pub mosquitto: Mosquitto,
    /// InfluxDB, where the profile places it.
    pub influxdb: InfluxDb,
    /// Grafana, where the profile places it.
    pub grafana: Grafana,
    /// The operator's own services, by name.
    pub custom: BTreeMap<String, Custom>,
    /// What there is to say of the profile's machines, by name.
    pub machines: BTreeMap<String, Machine>,
    /// Where backups are kept; `None` is wherever it is said each time.
    pub backup: Option<Repository>,
    /// The users, by name.
    pub users: BTreeMap<UserName, User>,
}

/// How a machine looks after its workspaces by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healing {
    /// Between two looks.
    pub every: Span,
    /// A workspace is restarted no sooner after its last start.
    pub at_most_every: Span,
    /// Workspaces are restarted so long after their last start, whatever they have.
    pub restart_every: Option<Span>,
}

/// TCP ports. The gateway's are for the outside, the others are on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The gateway without TLS, or its redirect.
    pub http: u16,
    /// The gateway with TLS.
    pub https: u16,
    /// The auth endpoint.
    pub auth: u16,
    /// The website.
    pub website: u16,
    /// The library server.
    pub library: u16,
}

/// Where the gateway's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Nowhere: plain http.
    Off,
    /// Made by us, signed by an authority of the deployment's own.
    SelfSigned,
    /// The operator's files, PEM.
    Files {
        /// Certificate chain.
        cert: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// An ACME server, asked by Traefik.
    Acme(Acme),
}

/// How Traefik comes by a certificate (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// Who is told when something is wrong with the certificate.
    pub email: String,
    /// The server's directory; `None` is Let's Encrypt's.
    pub ca_server: Option<String>,
    /// How the server sees that the domain is ours.
    pub challenge: Challenge,
}

/// How an ACME server sees that a domain is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Challenge {
    /// It asks at port 80 (HTTP-01, RFC 8555, 8.3).
    Http,
    /// It asks at port 443 (TLS-ALPN-01, RFC 8737).
    Tls,
}

impl Challenge {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Challenge::Http => "http",
            Challenge::Tls => "tls",
        }
    }
}

impl Tls {
    /// As it is written.
    pub fn mode(&self) -> &'static str {
        match self {
            Tls::Off => "off",
            Tls::SelfSigned => "self-signed",
            Tls::Files { .. } => "files",
            Tls::Acme(_) => "acme",
        }
    }

    /// Whether the gateway speaks TLS.
    pub fn is_on(&self) -> bool {
        match self {
            Tls::Off => false,
            Tls::SelfSigned | Tls::Files { .. } | Tls::Acme(_) => true,
        }
    }

    /// What was written for Traefik's own way to a certificate.
    pub fn acme(&self) -> Option<&Acme> {
        match self {
            Tls::Off | Tls::SelfSigned | Tls::Files { .. } => None,
            Tls::Acme(acme) => Some(acme),
        }
    }
}

/// Who checks passwords. `session` was called `endpoint` before it had sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// Our own process, asked by the gateway: people sign in on a page, programs send a name and a password.
    #[serde(alias = "endpoint")]
    Session,
    /// Traefik's basicAuth, as in v0.2.
    Basic,
}

impl AuthMode {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthMode::Session => "session",
            AuthMode::Basic => "basic",
        }
    }
}

/// A website that somebody has built, as a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteBuild {
    /// A path, relative to the deployment, or an address.
    pub source: String,
    /// What the zip must be: SHA-256 in lower-case hex.
    pub sha256: String,
}

/// Users' files, and what may be done with them over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Where they are; absolute, or relative to the deployment.
    pub root: PathBuf,
    /// Whether they can be changed through the library server.
    pub writable: bool,
    /// What a user's folder, or `common`, may come to by that; `None` is without a limit.
    pub quota: Option<Bytes>,
    /// The largest file that is taken.
    pub max_upload: Bytes,
}

/// The gateway's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Traefik's image, without the prefix.
    pub image: String,
    /// How much it logs.
    pub log_level: LogLevel,
}

/// Traefik's log levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Starts, stops and reloads.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

impl LogLevel {
    /// As Traefik's configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warn => "WARN",
            LogLevel::Error => "ERROR",
        }
    }
}

/// What each user's workspace is.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    /// Its image, without the prefix.
    pub image: String,
    /// `uid:gid` that it runs as.
    pub user: Owner,
    /// Limits; `None` is without.
    pub limits: WorkspaceLimits,
    /// More environment variables.
    pub environment: BTreeMap<String, String>,
    /// More folders of the machine.
    pub mounts: Vec<ExtraMount>,
}

/// A numeric user and group, written `uid:gid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl TryFrom<String> for Owner {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        let parsed = value
            .split_once(':')
            .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
        match parsed {
            Some((uid, gid)) => Ok(Self { uid, gid }),
            None => Err(format!("{value:?} is not a pair of numbers")),
        }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> String {
        format!("{}:{}", owner.uid, owner.gid)
    }
}

/// Limits of a workspace, all decided; `None` is without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkspaceLimits {
    /// Processors.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Processes and threads.
    pub pids: Option<i64>,
    /// /dev/shm.
    pub shm: Bytes,
}

/// What a user's file says of limits: each may be left out (`None`), or be without a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitOverrides {
    /// Processors.
    pub cpus: Option<Limit<Cpus>>,
    /// Memory.
    pub memory: Option<Limit<Bytes>>,
    /// Processes and threads.
    pub pids: Option<Limit<i64>>,
    /// /dev/shm.
    pub shm: Option<Bytes>,
}

/// A limit as it is written: a value, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_yaml::Value")]
#[serde(bound(deserialize = "T: serde::de::DeserializeOwned"))]
pub enum Limit<T> {
    /// Without.
    None,
    /// At most this.
    Most(T),
}

impl<T: serde::de::DeserializeOwned> TryFrom<serde_yaml::Value> for Limit<T> {
    type Error = serde_yaml::Error;
    fn try_from(value: serde_yaml::Value) -> Result<Self, Self::Error> {
        match value.as_str() {
            Some("none") => Ok(Limit::None),
            _ => serde_yaml::from_value(value).map(Limit::Most),
        }
    }
}

impl<T> Limit<T> {
    /// The value, or `None` for without.
    pub fn most(self) -> Option<T> {
        match self {
            Limit::None => None,
            Limit::Most(value) => Some(value),
        }
    }
}

impl WorkspaceLimits {
    /// These, with what a user's file says instead.
    pub fn with(self, overrides: LimitOverrides) -> Self {
        Self {
            cpus: overrides.cpus.map_or(self.cpus, Limit::most),
            memory: overrides.memory.map_or(self.memory, Limit::most),
            pids: overrides.pids.map_or(self.pids, Limit::most),
            shm: overrides.shm.unwrap_or(self.shm),
        }
    }
}

/// A folder of the machine inside every workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraMount {
    /// On the machine, absolute.
    pub source: PathBuf,
    /// In the workspace, absolute.
    pub target: PathBuf,
    /// Whether workspaces may only read it.
    pub read_only: bool,
}

/// A user: `users/<name>.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Which /29 of the pool.
    pub slot: u32,
    /// Whether the door is open.
    pub enabled: bool,
    /// What the user may do beyond the usual.
    pub groups: Vec<Group>,
    /// Another image than the others'.
    pub image: Option<String>,
    /// Other limits than the others'.
    pub limits: LimitOverrides,
}

/// What a user may do beyond the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// May write the common assets.
    Publishers,
    /// Told to what is behind the gateway (`X-Forwarded-Groups`, the website's `whoami`); opens nothing by itself.
    Admins,
}

impl Group {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Publishers => "publishers",
            Group::Admins => "admins",
        }
    }
}

/// How many addresses a workspace's network has: a /29 holds the network, the host, the workspace and room for what a share needs.
pub const SUBNET_PREFIX: u8 = 29;

/// How many /29 a range holds.
pub fn slots(pool: Ipv4Net) -> u32 {
    1u32 << (SUBNET_PREFIX - pool.prefix_len().min(SUBNET_PREFIX))
}

impl Spec {
    /// How many workspaces the pool has room for.
    pub fn slots(&self) -> u32 {
        slots(self.pool)
    }

    /// The slots that no user has, lowest first.
    pub fn free_slots(&self) -> impl Iterator<Item = u32> {
        let taken: BTreeSet<u32> = self.users.values().map(|user| user.slot).collect();
        (0..self.slots()).filter(move |slot| !taken.contains(slot))
    }

    /// The lowest slot that no user has; `None` when the pool is full.
    pub fn free_slot(&self) -> Option<u32> {
        self.free_slots().next()
    }

    /// The network of a slot; `None` outside the pool.
    pub fn subnet(&self, slot: u32) -> Option<Ipv4Net> {
        if slot >= self.slots() {
            return None;
        }
        let first = u32::from(self.pool.network()) + slot * 8;
        Ipv4Net::new(Ipv4Addr::from(first), SUBNET_PREFIX).ok()
    }
}
