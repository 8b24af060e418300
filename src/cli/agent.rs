//! `dtaas agent`: what other machines run for whoever works on them.

use clap::Args;

use crate::remote::serve;

/// Do on this machine what is asked for on standard input; started by dtaas on another one.
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
