//! Containers that stand still for a moment, and signals to them.

use anyhow::Result;
use bollard::query_parameters::KillContainerOptions;

use super::{Engine, if_there};

impl Engine {
    /// Freezes all that runs in a container, so that its files stay as they are.
    pub async fn pause_container(&self, name: &str) -> Result<()> {
        let doing = format!("pausing container {name}");
        self.act(&doing, self.docker.pause_container(name)).await
    }

    /// Lets it go on; one that is gone needs nothing.
    pub async fn unpause_container(&self, name: &str) -> Result<()> {
        let doing = format!("letting container {name} go on");
        let thawed = if_there(self.docker.unpause_container(name));
        self.act(&doing, thawed).await.map(|_| ())
    }

    /// Sends a container's first process a signal, such as `SIGUSR1`.
    pub async fn signal_container(&self, name: &str, signal: &str) -> Result<()> {
        let options = KillContainerOptions {
            signal: signal.to_owned(),
        };
        let doing = format!("telling container {name}");
        self.act(&doing, self.docker.kill_container(name, Some(options)))
            .await
    }
}
