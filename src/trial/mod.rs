//! The trial: website, library, workspaces and what guards them on loopback, with no docker and nothing to configure.
//!
//! It stands in for the gateway, and for docker with the JupyterLab of this machine. The website, the library and what decides about passwords are the platform's own.

mod gate;
pub mod jupyter;
pub mod keeper;
mod pages;
mod sample;
mod scratch;
pub mod users;
mod workspace;
mod workspaces;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::auth::account::Account;
use crate::auth::asked::Front;
use crate::auth::door::Door;
use crate::auth::endpoint::{Directories, Endpoint, Options as Deciding};
use crate::error::Failure;
use crate::library;
use crate::library::changes::Writing;
use crate::library::config::{Mode, Settings};
use crate::library::http::router as library_router;
use crate::library::log::Level;
use crate::library::serve::{Options, service};
use crate::platform::website::{Links, env_of_trial};
use crate::render::Templates;
use crate::secrets::Secret;
use crate::serve::{self, Ended, Stop};
use crate::spec::names::BasePath;
use crate::website::server::{self as website, Env};

use gate::{LIBRARY, Passage};
use jupyter::Jupyter;
use scratch::Scratch;
use users::Member;
use workspaces::Workspaces;

/// The port where nothing else is said.
const PORT: u16 = 8000;
/// How many ports are tried from there on.
const PORTS: u16 = 20;

/// What is tried.
#[derive(Debug)]
pub struct Trial {
    /// The library to show, as it is; `None` makes a small one of its own.
    pub library: Option<PathBuf>,
    /// Who may sign in.
    pub members: Vec<Member>,
    /// Whether users may change what is in their own folders.
    pub writable: bool,
    /// Whether users have workspaces, and the program for them where there is one.
    pub workspaces: Option<Option<Jupyter>>,
}

/// A free port of 127.0.0.1, and whether another was taken instead of the usual one.
#[derive(Debug)]
pub struct Place {
    listener: TcpListener,
    /// `127.0.0.1` and the port.
    pub address: SocketAddr,
    /// The usual port, where something else listens there.
    pub instead_of: Option<u16>,
}

impl Place {
    /// Takes `port` (0: any free one), or the first free one from 8000 on.
    ///
    /// # Errors
    /// When the port, or all of them, are taken.
    pub async fn take(port: Option<u16>) -> anyhow::Result<Self> {
        let candidates = match port {
            Some(port) => port..=port,
            None => PORT..=PORT + PORTS - 1,
        };
        let mut last = None;
        for candidate in candidates {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)).await {
                Ok(listener) => {
                    return Ok(Self {
                        address: listener.local_addr()?,
                        listener,
                        instead_of: (port.is_none() && candidate != PORT).then_some(PORT),
                    });
                }
                Err(error) => last = Some((candidate, error)),
            }
        }
        let (tried, error) = last.context("no port was tried")?;
        let what = match port {
            Some(port) => format!("the trial cannot listen on 127.0.0.1:{port}"),
            None => format!("the trial finds no free port from {PORT} to {tried}"),
        };
        Err(anyhow::Error::new(error).context(Failure::new(what).hint(format!(
            "choose another with --port (0 takes any that is free), or see who has it: ss -ltnp 'sport = :{tried}'"
        ))))
    }

    /// Where a browser finds it, with the final slash.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Runs the trial until told to stop, and takes away what it made. `ready` is called once it answers.
///
/// # Errors
/// When its directory cannot be made or taken away, or the server breaks down.
pub async fn run(
    trial: Trial,
    place: Place,
    stop: Stop,
    ready: impl FnOnce(),
) -> anyhow::Result<Ended> {
    let scratch = Scratch::new()?;
    let ended = served(&trial, &scratch, place, stop, ready).await;
    scratch.remove()?;
    ended
}

async fn served(
    trial: &Trial,
    scratch: &Scratch,
    place: Place,
    stop: Stop,
    ready: impl FnOnce(),
) -> anyhow::Result<Ended> {
    let library = match &trial.library {
        Some(directory) => directory.clone(),
        None => {
            let directory = scratch.path().join("files");
            sample::write(&directory, trial.members.iter().map(|member| &member.name))
                .with_context(|| {
                    Failure::new(format!(
                        "cannot write the sample library to {}",
                        directory.display()
                    ))
                })?;
            directory
        }
    };
    let directories = Directories {
        htpasswd: scratch.path().join("auth"),
        users: scratch.path().join("users"),
    };
    let sessions = scratch.path().join("sessions");
    users::write(&trial.members, &directories, &sessions)?;
    let secret = Secret::generate(40);
    let links = Links {
        workspaces: matches!(&trial.workspaces, Some(Some(_))),
        notebook: matches!(&trial.workspaces, Some(Some(jupyter)) if jupyter.has_notebook()),
    };
    let env = env_of_trial(&Templates::new(&Default::default())?, links)?;
    let workspaces = trial.workspaces.as_ref().map(|jupyter| {
        let users = trial.members.iter().map(|member| member.name.clone());
        let directory = scratch.path().join("workspaces");
        Arc::new(Workspaces::new(
            jupyter.as_ref(),
            users,
            &library,
            directory,
        ))
    });
    let root: BasePath = "".parse()?;
    let settings = Settings {
        port: place.address.port(),
        mode: Mode::Local(library),
        path: LIBRARY.into(),
        level: Level::Error,
        playground: true,
        warnings: Vec::new(),
    };
    let options = Options {
        writing: trial.writable.then_some(Writing::USUAL),
        ..Options::new(library::gate::Gate::Gateway(secret.clone()))
    };
    let endpoint = Arc::new(Endpoint::new(Deciding {
        directories,
        sessions,
        key: Secret::generate(40),
        platform: format!("trial-{}", place.address.port()),
        base_path: root.clone(),
        realm: "DTaaS trial".to_owned(),
        front: Front::Nobody,
        vis_key: None,
    })?);
    let account = Account {
        credentials: None,
        shares: None,
    };
    let app = gate::router(Passage {
        door: Door::new(Arc::clone(&endpoint), account),
        endpoint,
        workspaces: workspaces.clone(),
        website: website::router(Env::Text(env), &root, Some(secret.clone())),
        library: library_router(service(&settings, &options)?),
        secret,
    })?;
    let stopping = || {
        if let Some(workspaces) = &workspaces {
            workspaces.end();
        }
    };
    let ended = serve::until_stopped(place.listener, app, stop, ready, stopping).await;
    if let Some(workspaces) = &workspaces {
        workspaces.ended().await;
    }
    Ok(ended)
}
