//! An operator's own services: what the spec says of each, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::model::Owner;
use super::services::ServiceLimits;

/// A service of the operator's own: a container in host network mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom {
    /// Its image, without the prefix.
    pub image: String,
    /// The profile's machine that it runs on; `None` is that of the workspaces.
    pub machine: Option<String>,
    /// Who it runs as; `None` is whom the image says.
    pub user: Option<Owner>,
    /// Arguments to the image's entrypoint; empty keeps the image's own command.
    pub command: Vec<String>,
    /// TCP ports that it listens on, on all addresses of its machine.
    pub ports: Vec<u16>,
    /// Folders of its data, and where they are in it.
    pub volumes: BTreeMap<String, PathBuf>,
    /// Environment.
    pub environment: BTreeMap<String, String>,
    /// Secrets that are made for it, each a file of that name in [`SECRETS`].
    pub secrets: BTreeSet<String>,
    /// What keeps accounts of users there; `None` is that nobody has any.
    pub accounts: Option<AccountsOf>,
    /// Which group reads the key of its certificate, which is in [`CERTIFICATE`] then; `None` is that it has none.
    pub certificate_group: Option<u32>,
    /// How it is seen that it answers; `None` is not at all.
    pub health: Option<Health>,
    /// Its page at the gateway, below its own name, for every user.
    pub route: Option<Route>,
    /// What it may take of its machine.
    pub limits: ServiceLimits,
}

/// What keeps accounts of users in a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountsOf {
    /// PostgreSQL: a role and a database of each user's name.
    #[serde(rename = "postgresql")]
    PostgreSql,
}

/// Where a service finds its certificate (`cert.pem`), the key (`key.pem`) and the authority (`ca.pem`).
pub const CERTIFICATE: &str = "/run/dtaas";

/// Where a service finds its secrets.
pub const SECRETS: &str = "/run/secrets";

/// How it is seen that a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The port that must be open.
    pub port: u16,
    /// What must be answered by HTTP there with 200 to 399; `None` is that somebody listens.
    pub path: Option<String>,
    /// Seconds until it counts as failed.
    pub within: u64,
}

/// A service's page at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The port that the gateway asks, by HTTP.
    pub port: u16,
    /// Whether the service's name is taken from the path before it is asked.
    pub strip: bool,
}
