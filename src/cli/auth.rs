//! `dtaas auth serve`: the endpoint that the gateway asks.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::auth::endpoint::{self, Directories, Settings};

/// The auth endpoint.
#[derive(Debug, Args)]
pub struct Auth {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the gateway's question whether a request may pass; runs inside the platform.
    Serve(Serve),
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4002")]
    listen: SocketAddr,
    /// Directory of htpasswd entries, one file a user.
    #[arg(long, value_name = "DIR")]
    htpasswd: PathBuf,
    /// Directory of <user>.json files, one for each enabled user.
    #[arg(long, value_name = "DIR")]
    users: PathBuf,
    /// What the browser's password window is headed with.
    #[arg(long, value_name = "TEXT", default_value = "DTaaS")]
    realm: String,
    /// A file with the key (PEM) by which it says to Grafana who somebody is.
    #[arg(long, value_name = "FILE")]
    vis_key: Option<PathBuf>,
}

impl Auth {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of [`endpoint::run`].
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => {
                endpoint::run(Settings {
                    listen: serve.listen,
                    directories: Directories {
                        htpasswd: serve.htpasswd,
                        users: serve.users,
                    },
                    realm: serve.realm,
                    vis_key: serve.vis_key,
                })
                .await
            }
        }
    }
}
