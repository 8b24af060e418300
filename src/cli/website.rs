//! `dtaas website serve`: the website.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::spec::names::BasePath;
use crate::website::server::{self, Env, Settings};

/// The website.
#[derive(Debug, Args)]
pub struct Website {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the website; runs inside the platform.
    Serve(Serve),
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// The env.js that pages load; read anew at each request.
    #[arg(long, value_name = "FILE")]
    env: PathBuf,
    /// The zip of another website, to be served in place of ours.
    #[arg(long, value_name = "FILE")]
    build: Option<PathBuf>,
    /// Where the platform begins below its domain.
    #[arg(long, value_name = "PATH", default_value = "")]
    base_path: BasePath,
    /// File with the secret that the gateway sends along; requests without it are refused.
    #[arg(long, value_name = "FILE")]
    gateway_secret_file: Option<PathBuf>,
}

impl Website {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of [`server::run`].
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(serve) => {
                server::run(Settings {
                    listen: serve.listen,
                    env: Env::File(serve.env),
                    build: serve.build,
                    base_path: serve.base_path,
                    gateway_secret_file: serve.gateway_secret_file,
                })
                .await
            }
        }
    }
}
