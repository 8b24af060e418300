//! `dtaas agent`: what runs on a machine that is reached by SSH.

use clap::Args;

use crate::remote::serve;

/// Do on this machine what is told on standard input; started by other commands on machines elsewhere.
#[derive(Debug, Args)]
pub struct Agent {}

impl Agent {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of [`serve::run`].
    pub async fn run(self) -> anyhow::Result<()> {
        serve::run().await
    }
}
