//! What a command does while another run holds the deployment, or the machine.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::interrupt::Interrupt;
use crate::deployment::Deployment;
use crate::machine::lock::Lock;
use crate::ui;

/// Whether to wait for another run on the same deployment.
#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// Wait while another run holds the deployment: to its end, or for so many seconds. Otherwise that ends this one with 4.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, global = true)]
    wait: Option<Option<u64>>,
}

impl Patience {
    /// Takes the deployment's lock, waiting for it if that is wanted, and reads it with a profile that was given.
    pub async fn locked(
        &self,
        directory: &Path,
        command: &str,
        profile: Option<&str>,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(Deployment, Lock)> {
        let free = interrupt.or(Deployment::locked_when_free(
            directory, command, profile, &say,
        ));
        match self.wait {
            None => {}
            Some(None) => return free.await,
            Some(Some(seconds)) => {
                let limit = Duration::from_secs(seconds);
                if let Ok(done) = tokio::time::timeout(limit, free).await {
                    return done;
                }
            }
        }
        // Whoever still has it is named.
        Deployment::locked(directory, command, profile)
    }
}

fn say(text: &str) {
    ui::say(text);
}
