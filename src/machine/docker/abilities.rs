//! What the engine can do, and what it can get.

use std::os::unix::net::UnixStream;

use anyhow::Result;

use super::{Engine, docker_host, if_there, socket_from, within};
use crate::error::Failure;

/// How long a registry may take to say whether it has an image.
const TO_ASK: std::time::Duration = std::time::Duration::from_secs(20);

/// What an engine can do, as `docker info` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// How it keeps images and containers, such as `overlay2`.
    pub storage: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Whether memory can be limited.
    pub memory: bool,
    /// Whether processors can be limited.
    pub processors: bool,
    /// Whether processes can be limited.
    pub processes: bool,
    /// Whether containers go on while the engine is restarted.
    pub live_restore: bool,
}

impl Engine {
    /// What it can do.
    pub async fn abilities(&self) -> Result<Abilities> {
        let info = self
            .ask("asking what it can do", self.docker.info())
            .await?;
        Ok(Abilities {
            storage: info.driver.unwrap_or_default(),
            cgroup_version: info
                .cgroup_version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            memory: info.memory_limit.unwrap_or(true),
            processors: info.cpu_cfs_quota.unwrap_or(true),
            processes: info.pids_limit.unwrap_or(true),
            live_restore: info.live_restore_enabled.unwrap_or(false),
        })
    }

    /// Whether its registry has an image; the error says why not.
    pub async fn is_offered(&self, reference: &str) -> Result<()> {
        let asked = self.docker.inspect_registry_image(reference, None);
        let doing = format!("asking the registry for image {reference}");
        match within(TO_ASK, &doing, asked).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.context(
                Failure::new(format!("image {reference} is not here, and its registry does not offer it"))
                    .hint("mend its name or images.prefix in dtaas.yaml; or see to it that this machine reaches the registry (a proxy is set for docker itself: docs.docker.com/engine/daemon/proxy)"),
            )),
        }
    }

    /// The first process of a container that runs, as the machine counts processes.
    pub async fn process_of(&self, name: &str) -> Result<Option<i64>> {
        let found = self
            .ask(
                &format!("looking at container {name}"),
                if_there(self.docker.inspect_container(name, None)),
            )
            .await?;
        Ok(found
            .and_then(|found| found.state?.pid)
            .filter(|pid| *pid > 0))
    }

    /// Whether anything takes a connection where the engine should be.
    pub fn answers_at_all() -> bool {
        socket_from(docker_host().as_deref())
            .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
    }
}
