//! Containers.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerUpdateBody,
    EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountPoint,
    MountType, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptions, LogsOptions, RemoveContainerOptions,
    RestartContainerOptions, StopContainerOptions,
};
use futures_util::StreamExt;

use super::{Engine, if_there, status};
use crate::machine::hash;
use crate::machine::observed::{ContainerState, RawLimits, Run};
use crate::platform::desired::{
    self, Attachment, Capabilities, Component, Container, Desired, Limits, label,
};
use crate::secrets::Secret;

/// Seconds that a container gets to end by itself.
const TO_END: i32 = 10;
/// More than any machine has: a memory limit that limits nothing. The engine takes no update to "none".
const NO_MEMORY_LIMIT: i64 = 1 << 50;

/// A container, as far as a list tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// The engine's id for it.
    pub id: String,
    /// The deployment whose label it carries.
    pub deployment: Option<String>,
}

impl Engine {
    /// Containers, running or not, that match filters as `docker ps --filter` takes them.
    pub async fn containers(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Found>> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters),
            ..Default::default()
        };
        let found = self
            .ask(
                "listing containers",
                self.docker.list_containers(Some(options)),
            )
            .await?;
        Ok(found
            .into_iter()
            .filter_map(|container| {
                // A container that others link to has their paths as names as well.
                let name = container.names.into_iter().flatten().find_map(|name| {
                    name.strip_prefix('/')
                        .filter(|name| !name.contains('/'))
                        .map(str::to_owned)
                })?;
                Some(Found {
                    name,
                    id: container.id.unwrap_or_default(),
                    deployment: container
                        .labels
                        .and_then(|mut labels| labels.remove(label::DEPLOYMENT)),
                })
            })
            .collect())
    }

    /// One container, by name or id. The values of its environment are hashed with `key`.
    pub async fn container(&self, name: &str, key: &Secret) -> Result<Option<ContainerState>> {
        let found = self
            .ask(
                &format!("looking at container {name}"),
                if_there(self.docker.inspect_container(name, None)),
            )
            .await?;
        Ok(found.map(|container| state(container, key)))
    }

    /// Makes a container, and does not start it.
    pub async fn create_container(&self, desired: &Desired, container: &Container) -> Result<()> {
        let options = CreateContainerOptionsBuilder::default()
            .name(&container.name)
            .build();
        let body = body(desired, container, self.facts());
        self.act(
            &format!("creating container {}", container.name),
            self.docker.create_container(Some(options), body),
        )
        .await?;
        Ok(())
    }

    /// Starts a container; thaws a paused one.
    pub async fn start_container(&self, name: &str) -> Result<()> {
        let doing = format!("starting container {name}");
        let started = async {
            match self.docker.start_container(name, None).await {
                Err(error) if is_paused(&error) => self.docker.unpause_container(name).await,
                other => other,
            }
        };
        self.act(&doing, started).await
    }

    /// Thaws a paused container.
    pub async fn unpause_container(&self, name: &str) -> Result<()> {
        self.act(
            &format!("resuming container {name}"),
            self.docker.unpause_container(name),
        )
        .await
    }

    /// Restarts a container.
    pub async fn restart_container(&self, name: &str) -> Result<()> {
        let options = RestartContainerOptions {
            t: Some(TO_END),
            ..Default::default()
        };
        self.act(
            &format!("restarting container {name}"),
            self.docker.restart_container(name, Some(options)),
        )
        .await
    }

    /// Stops a container; one that does not run, or is gone, is as good.
    pub async fn stop_container(&self, name: &str) -> Result<()> {
        let options = StopContainerOptions {
            t: Some(TO_END),
            ..Default::default()
        };
        self.act(
            &format!("stopping container {name}"),
            if_there(self.docker.stop_container(name, Some(options))),
        )
        .await?;
        Ok(())
    }

    /// Stops and removes a container, with the volumes nobody named; one that is gone already is as good.
    pub async fn remove_container(&self, name: &str) -> Result<()> {
        self.stop_container(name).await?;
        let options = RemoveContainerOptions {
            v: true,
            force: true,
            ..Default::default()
        };
        let removed = async {
            match if_there(self.docker.remove_container(name, Some(options))).await {
                Err(error) if is_going(&error) => Ok(None),
                other => other,
            }
        };
        self.act(&format!("removing container {name}"), removed)
            .await?;
        Ok(())
    }

    /// Gives a container these limits, while it runs.
    pub async fn update_limits(&self, name: &str, limits: Limits) -> Result<()> {
        let limits = limits.effective(self.facts());
        let processors = i64::try_from(self.facts().processors).unwrap_or(i64::MAX);
        // The engine takes 0 for "as it is". So no limit is: every processor; more memory than any machine has.
        let memory = limits.memory.map(|bytes| as_signed(bytes.0));
        let body = ContainerUpdateBody {
            nano_cpus: Some(
                limits
                    .cpus
                    .map_or(processors.saturating_mul(1_000_000_000), |cpus| cpus.nano),
            ),
            memory: Some(memory.unwrap_or(NO_MEMORY_LIMIT)),
            memory_swap: Some(memory.unwrap_or(-1)),
            pids_limit: Some(limits.pids.unwrap_or(-1)),
            ..Default::default()
        };
        self.act(
            &format!("changing limits of container {name}"),
            self.docker.update_container(name, body),
        )
        .await
    }

    /// The last lines that a container wrote.
    pub async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: lines.to_string(),
            ..Default::default()
        };
        let collected = async {
            let mut stream = std::pin::pin!(self.docker.logs(name, Some(options)));
            let mut text = String::new();
            while let Some(chunk) = stream.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk?.into_bytes()));
            }
            Ok(text)
        };
        let text = self
            .ask(&format!("reading the log of {name}"), collected)
            .await?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

fn is_paused(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { message, .. }
        if message.contains("paused"))
}

fn is_going(error: &bollard::errors::Error) -> bool {
    status(error) == Some(409)
        && matches!(error, bollard::errors::Error::DockerResponseServerError { message, .. }
            if message.contains("already in progress"))
}

fn as_signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn body(
    desired: &Desired,
    container: &Container,
    machine: &crate::machine::observed::Facts,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(container.image.clone()),
        user: container.run_as.clone(),
        cmd: (!container.command.is_empty()).then(|| container.command.clone()),
        env: Some(
            container
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose()))
                .collect(),
        ),
        labels: Some(labels(desired, container)),
        stop_timeout: Some(i64::from(TO_END)),
        host_config: Some(host_config(container, machine)),
        networking_config: endpoints(container),
        ..Default::default()
    }
}

fn labels(desired: &Desired, container: &Container) -> HashMap<String, String> {
    let parts = hash::parts(&desired.hash_key, container)
        .into_iter()
        .map(|(part, hash)| format!("{part}={hash}"))
        .collect::<Vec<_>>()
        .join(",");
    let mut labels = HashMap::from([
        (label::DEPLOYMENT.to_owned(), desired.deployment.to_string()),
        (
            label::COMPONENT.to_owned(),
            container.component.as_str().to_owned(),
        ),
        (
            label::HASH.to_owned(),
            hash::container(&desired.hash_key, container),
        ),
        (label::PARTS.to_owned(), parts),
    ]);
    if let Some(user) = &container.user {
        labels.insert(label::USER.to_owned(), user.to_string());
    }
    labels
}

fn host_config(container: &Container, machine: &crate::machine::observed::Facts) -> HostConfig {
    let limits = container.limits.effective(machine);
    let memory = limits.memory.map(|bytes| as_signed(bytes.0));
    let (cap_add, cap_drop) = match &container.capabilities {
        Capabilities::Only(kept) => (
            (!kept.is_empty()).then(|| kept.clone()),
            Some(vec!["ALL".to_owned()]),
        ),
        Capabilities::DefaultsWithout(dropped) => (None, Some(dropped.clone())),
    };
    let hardened = match container.component {
        Component::Workspace => None,
        Component::Gateway | Component::Auth | Component::Website | Component::Library => {
            Some(vec!["no-new-privileges".to_owned()])
        }
    };
    HostConfig {
        mounts: Some(container.mounts.iter().map(mount).collect()),
        network_mode: Some(match &container.network {
            Attachment::Host => "host".to_owned(),
            Attachment::Bridge { network, .. } => network.clone(),
        }),
        // Unlike `always` this keeps a disabled user's workspace stopped when the machine or the engine restarts.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        readonly_rootfs: Some(container.read_only),
        cap_add,
        cap_drop,
        security_opt: hardened,
        shm_size: container.shm.map(|bytes| as_signed(bytes.0)),
        nano_cpus: limits.cpus.map(|cpus| cpus.nano),
        memory,
        // As much memory with swap as without: a workspace at its limit is ended, and does not drag the machine into swapping.
        memory_swap: memory,
        pids_limit: limits.pids,
        ..Default::default()
    }
}

/// As a mount rather than a bind: for a source that is missing the engine then fails, instead of making a directory.
fn mount(mount: &desired::Mount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_string_lossy().into_owned()),
        target: Some(mount.target.to_string_lossy().into_owned()),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

fn endpoints(container: &Container) -> Option<NetworkingConfig> {
    match &container.network {
        Attachment::Host => None,
        Attachment::Bridge { network, address } => Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network.clone(),
                EndpointSettings {
                    ipam_config: Some(EndpointIpamConfig {
                        ipv4_address: Some(address.to_string()),
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            )])),
        }),
    }
}

fn state(container: ContainerInspectResponse, key: &Secret) -> ContainerState {
    let config = container.config.unwrap_or_default();
    let host = container.host_config.unwrap_or_default();
    let state = container.state.unwrap_or_default();
    let mut labels = config.labels.unwrap_or_default();
    ContainerState {
        id: container.id.unwrap_or_default(),
        deployment: labels.remove(label::DEPLOYMENT),
        component: labels.remove(label::COMPONENT),
        user: labels.remove(label::USER),
        hash: labels.remove(label::HASH),
        parts: labels
            .remove(label::PARTS)
            .iter()
            .flat_map(|parts| parts.split(','))
            .filter_map(|part| part.split_once('='))
            .map(|(part, hash)| (part.to_owned(), hash.to_owned()))
            .collect(),
        image: config.image.unwrap_or_default(),
        run: run(state.status),
        started: state
            .started_at
            .as_deref()
            .is_some_and(|at| !at.is_empty() && !at.starts_with("0001-01-01")),
        since: state.started_at,
        exit_code: state.exit_code,
        error: state.error.filter(|error| !error.is_empty()),
        restarts: container.restart_count.unwrap_or(0),
        health: state
            .health
            .and_then(|health| health.status)
            .map(|status| status.to_string())
            .filter(|status| !status.is_empty() && status != "none"),
        limits: RawLimits {
            nano_cpus: host.nano_cpus.unwrap_or(0),
            memory: host.memory.unwrap_or(0),
            pids: host.pids_limit.unwrap_or(0),
        },
        mounts: container
            .mounts
            .into_iter()
            .flatten()
            .filter_map(bind)
            .collect(),
        environment: environment(config.env, key),
        networks: container
            .network_settings
            .and_then(|settings| settings.networks)
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .collect(),
    }
}

fn bind(mount: MountPoint) -> Option<desired::Mount> {
    (mount.typ.as_deref() == Some("bind")).then(|| desired::Mount {
        source: mount.source.unwrap_or_default().into(),
        target: mount.destination.unwrap_or_default().into(),
        read_only: mount.rw == Some(false),
    })
}

fn environment(variables: Option<Vec<String>>, key: &Secret) -> BTreeMap<String, String> {
    variables
        .into_iter()
        .flatten()
        .filter_map(|variable| {
            let (name, value) = variable.split_once('=')?;
            Some((name.to_owned(), hash::variable(key, name, value)))
        })
        .collect()
}

fn run(status: Option<ContainerStateStatusEnum>) -> Run {
    match status {
        Some(ContainerStateStatusEnum::CREATED) => Run::Created,
        Some(ContainerStateStatusEnum::RUNNING) => Run::Running,
        Some(ContainerStateStatusEnum::PAUSED) => Run::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => Run::Restarting,
        Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD) => Run::Dead,
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::STOPPING
            | ContainerStateStatusEnum::EMPTY,
        )
        | None => Run::Exited,
    }
}
