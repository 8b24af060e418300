//! `dtaas cert`: the gateway's certificate, looked at and renewed.

pub(super) mod renew;
mod show;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use clap::{Args, Subcommand};

use crate::certificate::shown::{self, Shown};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
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

/// Where the gateway is reached by TLS from here: host and port.
fn address(deployment: &Deployment) -> String {
    let spec = &deployment.spec;
    match elsewhere(deployment) {
        Some(site) => format!("{}:{}", site.hostname, spec.ports.https),
        None => format!("{}:{}", gateway::reached_at(spec), spec.ports.https),
    }
}

/// The gateway's machine, when it is another.
fn elsewhere(deployment: &Deployment) -> Option<&Site> {
    deployment.users_site().filter(|site| !site.is_local())
}

/// What the gateway shows just now.
fn shown_now(deployment: &Deployment) -> Shown {
    let found = address(deployment).to_socket_addrs().map(|mut all| {
        all.find_map(|address| match address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        })
    });
    match found {
        Ok(Some(address)) => shown::ask(address, &deployment.spec.domain),
        Ok(None) => Shown::Nothing("it has no IPv4 address".to_owned()),
        Err(error) => Shown::Nothing(format!("its name leads nowhere: {error}")),
    }
}
