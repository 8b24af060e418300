//! `dtaas lib serve`: the library server by itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Failure;
use crate::gate::read_secret;
use crate::library::changes::Writing;
use crate::library::gate::Gate;
use crate::library::origins::Origin;
use crate::library::serve::{self, Options};
use crate::library::start::{Ready, prepare};
use crate::spec::quantity::Bytes;

/// Serve a directory of assets over GraphQL
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The settings: PORT, MODE, LOCAL_PATH or GITLAB_URL, GITLAB_GROUP and TOKEN, APOLLO_PATH, LOG_LEVEL; variables of the
    /// environment win [default: .env]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,

    /// Where to listen [default: 127.0.0.1 and the port of the settings]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Answer the gateway alone, which proves itself with what this file holds, and show each user their own folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    gateway_secret_file: Option<PathBuf>,

    /// Show the whole library to anyone who reaches the address
    #[arg(long)]
    no_auth: bool,

    /// Another name that is asked for, as of a proxy in front: with --no-auth on this machine alone only its own names count
    #[arg(long, value_name = "NAME", requires = "no_auth")]
    host: Vec<String>,

    /// An origin whose pages may read the library in a browser, such as https://lab.foo.com; * for any, as in v0.2
    #[arg(long, value_name = "ORIGIN", requires = "no_auth")]
    allow_origin: Vec<Origin>,

    /// The largest request
    #[arg(long, value_name = "BYTES", default_value_t = Bytes(serve::MAX_BODY))]
    max_body: Bytes,

    /// The largest file that is read as text
    #[arg(long, value_name = "BYTES", default_value_t = Bytes(serve::MAX_FILE))]
    max_file: Bytes,

    /// What one request may bring together
    #[arg(long, value_name = "BYTES", default_value_t = Bytes(serve::MAX_ANSWER))]
    max_answer: Bytes,

    /// Take files, and let them be removed and moved: by each user in their own folder, by publishers in common
    #[arg(long)]
    writable: bool,

    /// The largest file that is taken
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = Bytes(Writing::USUAL.max_upload),
        requires = "writable"
    )]
    max_upload: Bytes,

    /// What each top folder may hold [default: no limit]
    #[arg(long, value_name = "BYTES", requires = "writable")]
    quota: Option<Bytes>,

    /// How long a client that is sending a file may send nothing
    #[arg(long, value_name = "SECONDS", default_value_t = Writing::USUAL.patience.as_secs(), requires = "writable",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,
}

impl Serve {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    ///
    /// A usage failure that names all that is wrong with the settings, or that the address cannot be listened on.
    pub async fn run(self) -> anyhow::Result<()> {
        let Ready {
            settings,
            gate,
            listener,
        } = prepare(self.env_file.as_deref(), self.listen, self.gate()).await?;
        let options = Options {
            gate,
            hosts: self.host,
            origins: self.allow_origin,
            max_body: self.max_body.0,
            max_file: self.max_file.0,
            max_answer: self.max_answer.0,
            writing: self.writable.then(|| Writing {
                max_upload: self.max_upload.0,
                quota: self.quota.map(|quota| quota.0),
                patience: Duration::from_secs(self.patience),
            }),
        };
        serve::serve(settings, options, listener).await
    }

    fn gate(&self) -> anyhow::Result<Gate> {
        match &self.gateway_secret_file {
            Some(file) => Ok(Gate::Gateway(read_secret(file)?)),
            None if self.no_auth => Ok(Gate::Open),
            None => Err(
                Failure::usage("nothing says who may see the library")
                    .hint("use --gateway-secret-file FILE behind the gateway, or --no-auth to show all of it to anyone")
                    .into(),
            ),
        }
    }
}
