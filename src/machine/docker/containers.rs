//! Containers.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;
use std::path::PathBuf;

use anyhow::Result;
use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummaryStateEnum,
    ContainerUpdateBody, MountPoint,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptions, ListContainersOptions, LogsOptions,
    RemoveContainerOptions, RestartContainerOptions, StopContainerOptions,
};
use futures_util::StreamExt;

use super::{Engine, create, if_there, owner, status};
use crate::error::Failure;
use crate::machine::hash;
use crate::machine::observed::{ContainerState, Owner, RawLimits, Run};
use crate::platform::desired::{self, Container, Desired, Limits, label};
use crate::secrets::Secret;

/// Seconds that a container gets to end by itself.
pub const TO_END: i32 = 10;
/// More than any machine has: a memory limit that limits nothing. The engine takes no update to "none".
const NO_MEMORY_LIMIT: i64 = 1 << 50;

/// A container, as far as a list tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// The engine's id for it.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it is a part of, as its label says.
    pub component: Option<String>,
    /// Addresses of the host that it was made to listen on.
    pub listens: Vec<SocketAddrV4>,
    /// Whether it is up.
    pub runs: bool,
    /// What it mounts of the host.
    pub sources: Vec<PathBuf>,
    /// The user whose label it carries.
    pub user: Option<String>,
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
                let mut labels = container.labels.unwrap_or_default();
                Some(Found {
                    name,
                    id: container.id.unwrap_or_default(),
                    user: labels.get(label::USER).cloned(),
                    owner: owner(&mut labels),
                    component: labels.remove(label::COMPONENT),
                    listens: listens(&mut labels),
                    runs: is_up(container.state),
                    sources: container
                        .mounts
                        .into_iter()
                        .flatten()
                        .filter_map(bind)
                        .map(|mount| mount.source)
                        .collect(),
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

    /// Fails where a container is not there, or is somebody else's: what has our name need not be ours.
    pub async fn require_own(&self, name: &str, owner: &Owner) -> Result<ContainerState> {
        match self.container(name, &Secret::new("")).await? {
            Some(state) if state.owner == *owner => Ok(state),
            Some(_) => Err(Failure::new(format!(
                "the container {name} is not this deployment's; it is left alone"
            ))
            .hint("`dtaas plan` says whose it is")
            .into()),
            None => Err(Failure::new(format!("there is no container {name}"))
                .hint("`dtaas up` makes it")
                .into()),
        }
    }

    /// Makes a container, and does not start it.
    pub async fn create_container(&self, desired: &Desired, container: &Container) -> Result<()> {
        let options = CreateContainerOptionsBuilder::default()
            .name(&container.name)
            .build();
        let body = create::body(desired, container, self.facts());
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

    /// Has a container's program read its configuration anew (SIGHUP); one that does not run, or is gone, will do so anyway.
    pub async fn hang_up(&self, name: &str) -> Result<()> {
        let options = KillContainerOptions {
            signal: "SIGHUP".to_owned(),
        };
        let told = async {
            match if_there(self.docker.kill_container(name, Some(options))).await {
                Err(bollard::errors::Error::DockerResponseServerError {
                    status_code: 409, ..
                }) => Ok(None),
                other => other,
            }
        };
        self.act(&format!("telling container {name}"), told).await?;
        Ok(())
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
        let memory = limits
            .memory
            .map_or(NO_MEMORY_LIMIT, |bytes| as_signed(bytes.0));
        let body = ContainerUpdateBody {
            nano_cpus: Some(
                limits
                    .cpus
                    .map_or(processors.saturating_mul(1_000_000_000), |cpus| cpus.nano),
            ),
            memory: Some(memory),
            // With its old limit for both it could not be raised; -1, "without", the engine does not pass on.
            memory_swap: Some(memory),
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

pub(super) fn as_signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn state(container: ContainerInspectResponse, key: &Secret) -> ContainerState {
    let config = container.config.unwrap_or_default();
    let host = container.host_config.unwrap_or_default();
    let state = container.state.unwrap_or_default();
    let mut labels = config.labels.unwrap_or_default();
    ContainerState {
        id: container.id.unwrap_or_default(),
        owner: owner(&mut labels),
        user: labels.remove(label::USER),
        parts: labels
            .remove(label::PARTS)
            .iter()
            .flat_map(|parts| parts.split(','))
            .filter_map(|part| part.split_once('='))
            .map(|(part, hash)| (part.to_owned(), hash.to_owned()))
            .collect(),
        listens: listens(&mut labels),
        image: config.image.unwrap_or_default(),
        image_id: container.image.unwrap_or_default(),
        run: run(state.status),
        started: state
            .started_at
            .as_deref()
            .is_some_and(|at| !at.is_empty() && !at.starts_with("0001-01-01")),
        since: state.started_at,
        exit_code: state.exit_code,
        error: state.error.filter(|error| !error.is_empty()),
        restarts: container.restart_count.unwrap_or(0),
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

fn listens(labels: &mut HashMap<String, String>) -> Vec<SocketAddrV4> {
    labels
        .remove(label::LISTENS)
        .iter()
        .flat_map(|listens| listens.split(','))
        .filter_map(|address| address.parse().ok())
        .collect()
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

fn is_up(state: Option<ContainerSummaryStateEnum>) -> bool {
    match state {
        Some(
            ContainerSummaryStateEnum::RUNNING
            | ContainerSummaryStateEnum::PAUSED
            | ContainerSummaryStateEnum::RESTARTING,
        ) => true,
        Some(
            ContainerSummaryStateEnum::EMPTY
            | ContainerSummaryStateEnum::CREATED
            | ContainerSummaryStateEnum::EXITED
            | ContainerSummaryStateEnum::REMOVING
            | ContainerSummaryStateEnum::DEAD
            | ContainerSummaryStateEnum::STOPPING,
        )
        | None => false,
    }
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
