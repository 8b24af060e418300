//! `dtaas cert`: the gateway's certificate, looked at and renewed.

mod renew;
mod show;

use std::net::SocketAddrV4;
use std::path::Path;

use clap::{Args, Subcommand};

use crate::certificate::shown::{self, Shown};
use crate::deployment::Deployment;
use crate::platform::gateway;

/// Show the gateway's certificate, and renew it without a restart.
#[derive(Debug, Args)]
pub struct Cert {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Show),
    Renew(renew::Renew),
}

impl Cert {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self.command {
            Command::Show(command) => command.run(directory),
            Command::Renew(command) => command.run(directory).await,
        }
    }
}

/// Where this machine reaches its own gateway by TLS.
fn address(deployment: &Deployment) -> SocketAddrV4 {
    let spec = &deployment.spec;
    SocketAddrV4::new(gateway::reached_at(spec), spec.ports.https)
}

/// What the gateway shows just now.
fn shown_now(deployment: &Deployment) -> Shown {
    shown::ask(address(deployment), &deployment.spec.domain)
}
