//! Observed state: what one machine has now. Plain data, without a secret in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::machine::neighbours::Neighbour;
use crate::machine::routes::Route;
use crate::machine::space::Space;
use crate::platform::desired::{Desired, Limits, Mount};
use crate::spec::quantity::{Bytes, Cpus};

/// What one machine has of a deployment, and what lies in its way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The engine and the machine below it.
    pub machine: Facts,
    /// Directories that were desired, and files that were desired or lie in owned directories; relative to the root.
    pub paths: BTreeMap<PathBuf, PathState>,
    /// Images that were desired or carry the deployment's label, by reference.
    pub images: BTreeMap<String, ImageState>,
    /// Networks by name; without a user's scope all of the machine's, for they may overlap ours.
    pub networks: BTreeMap<String, NetworkState>,
    /// Containers by name: those with the deployment's label, and those that have a desired name.
    pub containers: BTreeMap<String, ContainerState>,
    /// The chains of ours in the packet filter.
    pub firewall: FirewallState,
    /// Addresses that a container is to listen on and that something else holds.
    pub taken: Vec<Taken>,
    /// Addresses that a container is to listen on and that this machine does not have.
    pub not_here: BTreeSet<Ipv4Addr>,
    /// How the timer stands by which the machine looks after its workspaces.
    pub healing: Boot,
    /// What the machine has and reaches, bridges of containers included.
    pub routes: Vec<Route>,
    /// Its name servers.
    pub name_servers: BTreeSet<Ipv4Addr>,
    /// The other deployments on it; none with a user's scope.
    pub neighbours: Vec<Neighbour>,
    /// What containers are to mount, is not the deployment's own, and is not there.
    pub missing: BTreeSet<PathBuf>,
    /// How users' accounts stand at services, by container.
    pub accounts: BTreeMap<String, AccountsState>,
    /// What is left on the disks that the platform writes to.
    pub space: Vec<Space>,
}

/// How users' accounts stand at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountsState {
    /// It does not say, for it does not answer.
    Silent,
    /// It does not know its administrator's password.
    Refused,
    /// The accounts there that are ours, by user, and what of them differs from what is desired.
    Known(BTreeMap<String, Vec<String>>),
}

/// The engine and the machine below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The engine's version, such as `20.10.24`.
    pub engine: String,
    /// The version of its interface, such as `1.41`.
    pub api: String,
    /// Processors; a limit of as many is none.
    pub processors: u64,
    /// Memory in bytes; a limit of as much is none.
    pub memory: u64,
    /// Where the engine keeps its images and containers.
    pub root: PathBuf,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; never followed.
    Link,
    /// A socket, a device, a pipe.
    Other,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::File => "a file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Other => "no regular file",
        })
    }
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathState {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group; `None` where whoever runs us could not change them.
    pub owner: Option<(u32, u32)>,
    /// SHA-256 (hex) of a desired file's content; `None` where it was not read.
    pub digest: Option<String>,
    /// The text of a plain desired file that differs, for showing the difference; never a secret one's, nor that of a file
    /// which not everyone may read.
    pub text: Option<String>,
}

/// Whose an object is, as its labels say; without the labels it was not made by this program.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// The deployment's name.
    pub deployment: Option<String>,
    /// Which of the deployments with that name.
    pub instance: Option<String>,
}

impl Owner {
    /// Whose the objects of a desired state are.
    pub fn of(desired: &Desired) -> Self {
        Self {
            deployment: Some(desired.deployment.to_string()),
            instance: Some(desired.instance()),
        }
    }

    /// Whether it is another deployment that has this one's name.
    pub fn is_namesake(&self, desired: &Desired) -> bool {
        let own = Self::of(desired);
        self.deployment == own.deployment && self.instance != own.instance
    }
}

/// An image on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageState {
    /// The engine's id for it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
}

/// A network on the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkState {
    /// The engine's id for it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// The user whose label it carries.
    pub user: Option<String>,
    /// The keyed hash of what was desired when it was made.
    pub hash: Option<String>,
    /// Its IPv4 subnets.
    pub subnets: Vec<Ipv4Net>,
}

/// How a container stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// Made, not started yet or never.
    Created,
    /// It runs.
    Running,
    /// It runs, frozen.
    Paused,
    /// It crashed, and the engine is about to start it again.
    Restarting,
    /// It ended or was stopped.
    #[default]
    Exited,
    /// The engine is removing it, or could not.
    Dead,
}

/// A container on the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    /// The engine's id for it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// The user whose label it carries.
    pub user: Option<String>,
    /// The keyed hashes of the parts of what was desired when it was made.
    pub parts: BTreeMap<String, String>,
    /// Addresses of the host that it was made to listen on.
    pub listens: Vec<SocketAddrV4>,
    /// The image's reference, as it was given.
    pub image: String,
    /// The engine's id for that image when the container was made.
    pub image_id: String,
    /// How it stands.
    pub run: Run,
    /// Whether it ever ran: if not, nothing in it can be lost.
    pub started: bool,
    /// When it was started last, as the engine writes it.
    pub since: Option<String>,
    /// What it ended with last.
    pub exit_code: Option<i64>,
    /// Why the engine could not start it.
    pub error: Option<String>,
    /// How often the engine started it again by itself.
    pub restarts: i64,
    /// The limits it has.
    pub limits: RawLimits,
    /// Its bind mounts.
    pub mounts: Vec<Mount>,
    /// Keyed hashes of its environment's values, by name.
    pub environment: BTreeMap<String, String>,
    /// The networks it is attached to.
    pub networks: BTreeSet<String>,
}

impl ContainerState {
    /// Seconds since it was started last; 0 where that is not known.
    pub fn age(&self, now: OffsetDateTime) -> i64 {
        let since = self.since.as_deref();
        let since = since.and_then(|since| OffsetDateTime::parse(since, &Rfc3339).ok());
        since.map_or(0, |since| (now - since).whole_seconds())
    }

    /// The addresses of the host that it holds: all that it listens on while it is up, and none when it has ended.
    pub fn holds(&self) -> &[SocketAddrV4] {
        match self.run {
            Run::Running | Run::Paused | Run::Restarting => &self.listens,
            Run::Created | Run::Exited | Run::Dead => &[],
        }
    }
}

/// Limits as the engine keeps them; 0 (for processes also -1) is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawLimits {
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Bytes.
    pub memory: i64,
    /// Processes and threads.
    pub pids: i64,
}

impl RawLimits {
    /// The limits that these are on a machine: as many processors or as much memory as it has are no limit.
    pub fn on(self, machine: &Facts) -> Limits {
        Limits {
            cpus: Some(Cpus {
                nano: self.nano_cpus,
            })
            .filter(|cpus| cpus.nano > 0),
            memory: u64::try_from(self.memory)
                .ok()
                .filter(|bytes| *bytes > 0)
                .map(Bytes),
            pids: Some(self.pids).filter(|pids| *pids > 0),
        }
        .effective(machine)
    }
}

impl Limits {
    /// The limits that have an effect on a machine: the engine refuses more processors than there are, and more memory
    /// than there is limits nothing.
    pub fn effective(self, machine: &Facts) -> Limits {
        let processors = i64::try_from(machine.processors).unwrap_or(i64::MAX);
        Limits {
            cpus: self
                .cpus
                .filter(|cpus| cpus.nano < processors.saturating_mul(1_000_000_000)),
            memory: self.memory.filter(|bytes| bytes.0 < machine.memory),
            pids: self.pids.filter(|pids| *pids > 0),
        }
    }
}

/// Our chains in the packet filter, and what puts them back after a reboot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallState {
    /// The chain's name: the desired one, or that of the chain that carries the deployment's name.
    pub chain: String,
    /// IPv4.
    pub v4: ChainState,
    /// IPv6; `None` where the machine has none.
    pub v6: Option<ChainState>,
    /// What puts the rules back after a reboot.
    pub boot: Boot,
    /// Other deployments' pools, as their chains have them.
    pub pools: Vec<(Owner, Ipv4Net)>,
}

/// A chain of ours in one packet filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// Whether the chain is there.
    pub present: bool,
    /// The hash in its last rule's comment, behind the deployment's name; a chain without is not ours.
    pub hash: Option<String>,
    /// Which of the deployments with that name it is of, as that comment says.
    pub instance: Option<String>,
    /// How many rules it has.
    pub rules: usize,
    /// The rules of PREROUTING that jump to it, as `iptables-save` writes them.
    pub jumps: Vec<String>,
}

impl ChainState {
    /// Whether the chain is there and ours: it carries our mark, or somebody has emptied it and nothing of anyone's is in it.
    pub fn is_ours(&self) -> bool {
        self.present && (self.hash.is_some() || self.rules == 0)
    }

    /// Whether the chain is there, and of another deployment with this one's name.
    pub fn is_namesakes(&self, desired: &Desired) -> bool {
        let instance = desired.instance();
        self.present && self.instance.as_ref().is_some_and(|one| *one != instance)
    }
}

/// What puts the rules back after a reboot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// systemd does not run here: `dtaas up` puts them back.
    #[default]
    NoSystemd,
    /// systemd runs, and there is no unit of ours.
    Missing,
    /// There is a unit of ours or its rules, and they are not what they should be.
    Differs,
    /// The unit and its rules are as they should be.
    Installed,
}

/// An address that something else listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The address.
    pub address: SocketAddrV4,
    /// The container that needs it.
    pub container: String,
    /// The key of the spec that the port comes from.
    pub key: String,
    /// Who holds it.
    pub holder: Holder,
    /// A port that is free at this address.
    pub free: Option<u16>,
}

/// Who holds an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// Some program; which one cannot be told.
    Unknown,
    /// A program, such as `nginx (process 812)`.
    Program(String),
    /// A container of another deployment, such as `the gateway of the deployment lab in /srv/lab`.
    Neighbour {
        /// What and whose.
        whose: String,
        /// Whether it is up; stopped, it would find its address gone when it is started.
        runs: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_container_has_run() {
        let now = time::macros::datetime!(2026-01-31 12:00 UTC);
        let since = |since: &str| ContainerState {
            since: Some(since.to_owned()),
            ..ContainerState::default()
        };
        assert_eq!(since("2026-01-31T11:00:00.5Z").age(now), 3599);
        assert_eq!(since("never").age(now), 0);
    }
}
