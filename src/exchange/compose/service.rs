//! Services (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md>). Each key says there what it does; the values are those
//! that `up` gives the engine ([`crate::machine::docker`]).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::source::{self, escaped};
use super::{IMAGE, key, network, own_image};
use crate::machine::docker::{LOG, SECONDS_TO_END};
use crate::platform::desired::{Attachment, Container, Desired};

/// Where the files of containers' environments lie.
pub const ENVIRONMENTS: &str = "env";

/// A service: one container.
#[derive(Debug, Serialize)]
pub struct Service {
    container_name: String,
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<Build>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env_file: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cap_drop: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cap_add: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security_opt: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memswap_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pids_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shm_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<String, Address>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra_hosts: Vec<String>,
    volumes: Vec<Volume>,
    restart: &'static str,
    stop_grace_period: String,
    logging: Logging,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'static str, String>,
}

/// What an image is built of.
#[derive(Debug, Serialize)]
pub struct Build {
    context: String,
}

#[derive(Debug, Serialize)]
struct Address {
    ipv4_address: Ipv4Addr,
}

#[derive(Debug, Serialize)]
struct Volume {
    r#type: &'static str,
    source: String,
    target: String,
    read_only: bool,
    bind: Bind,
}

/// As with `up`: for a source that is missing the engine fails, instead of making a directory.
#[derive(Debug, Serialize)]
struct Bind {
    create_host_path: bool,
}

#[derive(Debug, Serialize)]
struct Logging {
    driver: &'static str,
    options: BTreeMap<&'static str, &'static str>,
}

/// Where a container's environment is kept, relative to the project.
pub fn environment_file(key: &str) -> String {
    format!("{ENVIRONMENTS}/{key}.env")
}

/// The same container. `own` is one of our own image, which the `first` of them has compose build for all.
pub fn of(desired: &Desired, container: &Container, own: bool, first: bool) -> Service {
    let (cap_drop, cap_add) = container.capabilities.dropped_and_added();
    let security_opt = container.component.security_options();
    let (network_mode, networks) = match &container.network {
        Attachment::Host => (Some("host"), BTreeMap::new()),
        Attachment::Bridge { network, address } => {
            let key = network::key(&desired.deployment, network);
            let address = Address {
                ipv4_address: *address,
            };
            (None, BTreeMap::from([(key, address)]))
        }
    };
    let memory = container.limits.memory.map(|bytes| bytes.0);
    Service {
        container_name: container.name.clone(),
        image: match own {
            true => own_image(&container.image),
            false => escaped(&container.image),
        },
        build: first.then(|| Build {
            context: format!("./{IMAGE}"),
        }),
        // There is no such image anywhere to pull.
        pull_policy: match (own, first) {
            (true, true) => Some("build"),
            (true, false) => Some("never"),
            (false, _) => None,
        },
        command: container.command.iter().map(|word| escaped(word)).collect(),
        env_file: match container.environment.is_empty() {
            true => Vec::new(),
            false => vec![format!("./{}", environment_file(&key(desired, container)))],
        },
        user: container.run_as.clone(),
        read_only: container.read_only,
        cap_drop,
        cap_add,
        security_opt,
        cpus: container.limits.cpus.map(|cpus| cpus.to_string()),
        mem_limit: memory,
        // As much with swap as without.
        memswap_limit: memory,
        pids_limit: container.limits.pids,
        shm_size: container.shm.map(|bytes| bytes.0),
        network_mode,
        networks,
        extra_hosts: container
            .hosts
            .iter()
            .map(|(name, address)| format!("{name}:{address}"))
            .collect(),
        volumes: container
            .mounts
            .iter()
            .map(|mount| volume(desired, mount))
            .collect(),
        restart: "unless-stopped",
        stop_grace_period: format!("{SECONDS_TO_END}s"),
        logging: Logging {
            driver: LOG.0,
            options: LOG.1.into_iter().collect(),
        },
        // A disabled user's workspace.
        profiles: match container.running {
            true => Vec::new(),
            false => vec!["disabled"],
        },
        labels: label(desired, container),
    }
}

fn volume(desired: &Desired, mount: &crate::platform::desired::Mount) -> Volume {
    Volume {
        r#type: "bind",
        source: source::of(desired, &mount.source).text(),
        target: escaped(&mount.target.to_string_lossy()),
        read_only: mount.read_only,
        bind: Bind {
            create_host_path: false,
        },
    }
}

/// What a container reads only when it starts: compose makes it anew when this differs. Keyed, so that nobody can try secrets against it.
fn label(desired: &Desired, container: &Container) -> BTreeMap<&'static str, String> {
    let digest = container.config_digest.as_deref().map(|digest| {
        let keyed = desired.hash_key.derived(digest);
        ("dtaas-export.configuration", keyed.expose().to_owned())
    });
    digest.into_iter().collect()
}
