//! `dtaas auth serve`: the endpoint that the gateway asks.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use ipnet::IpNet;

use crate::auth::account::Account;
use crate::auth::asked::Front;
use crate::auth::door::{self, Settings};
use crate::auth::endpoint::{Directories, Options};
use crate::gate;
use crate::spec::names::{BasePath, DeploymentName};

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
    /// Another one, where the gateway asks over TLS, by HTTP/2.
    #[arg(long, value_name = "ADDRESS")]
    listen_tls: Option<SocketAddr>,
    /// Directory of htpasswd entries, one file a user.
    #[arg(long, value_name = "DIR")]
    htpasswd: PathBuf,
    /// Directory of <user>.json files, one for each enabled user.
    #[arg(long, value_name = "DIR")]
    users: PathBuf,
    /// Directory in which it is written down that a user signed out everywhere, a file a user.
    #[arg(long, value_name = "DIR")]
    sessions: PathBuf,
    /// A file with what sessions are signed with.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// A file with what only the gateway knows; requests that do not bring it are refused.
    #[arg(long, value_name = "FILE")]
    gateway_secret_file: Option<PathBuf>,
    /// The platform's name, which stands in the cookie's.
    #[arg(long, value_name = "NAME", default_value = "dtaas")]
    platform: DeploymentName,
    /// Where the platform begins below its domain.
    #[arg(long, value_name = "PATH", default_value = "")]
    base_path: BasePath,
    /// A proxy in front of the gateway that is believed: a range, such as 192.0.2.10/32.
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    trusted_proxies: Vec<IpNet>,
    /// Directory of users' credentials at the services, a folder a user.
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// Directory of what users share, a file a user.
    #[arg(long, value_name = "DIR")]
    shares: Option<PathBuf>,
    /// What the password window of programs is headed with.
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
    /// Those of [`door::run`].
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => {
                door::run(Settings {
                    listen: serve.listen,
                    listen_tls: serve.listen_tls,
                    options: Options {
                        directories: Directories {
                            htpasswd: serve.htpasswd,
                            users: serve.users,
                        },
                        sessions: serve.sessions,
                        key: gate::read_secret(&serve.key_file)?,
                        platform: serve.platform.to_string(),
                        base_path: serve.base_path,
                        realm: serve.realm,
                        front: Front::Gateway(serve.trusted_proxies),
                        vis_key: serve.vis_key,
                    },
                    gateway: match &serve.gateway_secret_file {
                        Some(file) => Some(gate::read_secret(file)?),
                        None => None,
                    },
                    account: Account {
                        credentials: serve.credentials,
                        shares: serve.shares,
                    },
                })
                .await
            }
        }
    }
}
