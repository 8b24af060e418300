//! `dtaas exec`: a program in a workspace, or in another part.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use clap::Args;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::interrupt::Interrupt;
use super::parts;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::sites::Site;
use crate::deployment::{Deployment, runs};
use crate::error::{Exit, Failure};
use crate::fleet;
use crate::machine::docker::Engine;
use crate::machine::observed::Owner;
use crate::ui;

/// What runs where nothing is named.
const SHELL: [&str; 2] = ["bash", "-l"];

/// Run a program in a user's workspace, or in another part of the platform, and exit with what it exits with. On this machine with a
/// terminal before it, where there is one.
#[derive(Debug, Args)]
pub struct Exec {
    /// A user, a component or a service.
    #[arg(value_name = "NAME")]
    name: String,
    /// The program with its arguments. [default: bash -l]
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
    #[command(flatten)]
    reaching: Reaching,
}

impl Exec {
    /// Runs the command; never comes back where the program ran.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        let desired = parts::desired(&deployment)?;
        let meant = parts::meant(&deployment, &desired, std::slice::from_ref(&self.name))?;
        let all: Vec<(&str, &str)> = meant
            .iter()
            .flat_map(|(site, all)| all.iter().map(|one| (*site, one.name.as_str())))
            .collect();
        let [(site, container)] = all.as_slice() else {
            return Err(
                Failure::usage(format!("{} is {} containers", self.name, all.len()))
                    .hint("name one: a user, or a component that is not one a user")
                    .into(),
            );
        };
        let command = match self.command.as_slice() {
            [] => SHELL.map(str::to_owned).to_vec(),
            command => command.to_vec(),
        };
        let owner = Owner::of(&desired[*site]);
        let there = deployment
            .sites
            .iter()
            .find(|one| one.name == *site && !one.is_local());
        // What is done in users' workspaces is kept, too.
        runs::begin(deployment.root());
        let ran = match there {
            Some(site) => {
                self.there(&deployment, site, container, owner, command)
                    .await
            }
            None => self.here(container, &owner, &command).await,
        };
        // Whoever reads standard input is not to be waited for, so the process ends here.
        match ran {
            Ok(code) => {
                runs::end(Exit::Done);
                std::process::exit(i32::try_from(code).unwrap_or(1))
            }
            Err(error) => {
                let exit = ui::failure::print(&error);
                runs::end(exit);
                std::process::exit(exit as i32)
            }
        }
    }

    /// On another machine: to its end, with nothing on its standard input.
    async fn there(
        &self,
        deployment: &Deployment,
        site: &Site,
        container: &str,
        owner: Owner,
        command: Vec<String>,
    ) -> anyhow::Result<i64> {
        if self.command.is_empty() {
            return Err(Failure::usage(format!(
                "{} is on another machine, where there is no terminal before it",
                self.name
            ))
            .hint(format!(
                "name a command behind --; or log in to {} and run docker exec -it {container} bash",
                site.hostname
            ))
            .into());
        }
        let interrupt = Interrupt::listen()?;
        let report = Report::new(false);
        let told = Told::by(&report);
        let how = self.reaching.how();
        let mut members = fleet::reach(deployment, [site], how, &told, interrupt.wanted()).await?;
        let mut hand = members.remove(0).hand?;
        let ended = hand
            .run_in(container, owner, command, interrupt.wanted())
            .await?;
        let (out, errors) = ended.wrote();
        // Whoever reads it may have closed the pipe.
        let _ = std::io::stdout().write_all(&out);
        let _ = std::io::stderr().write_all(&errors);
        Ok(ended.code)
    }

    /// On this one, until it ends or we are told to.
    async fn here(
        &self,
        container: &str,
        owner: &Owner,
        command: &[String],
    ) -> anyhow::Result<i64> {
        run::require_root("dtaas exec")?;
        let engine = Engine::connect(None).await?;
        engine.require_own(container, owner).await?;
        let listen = |kind| signal(kind).context("cannot listen to signals");
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hangup = listen(SignalKind::hangup())?;
        tokio::select! {
            code = joined(&engine, container, command) => code,
            _ = terminate.recv() => Ok(128 + 15),
            _ = hangup.recv() => Ok(128 + 1),
        }
    }
}

/// On this machine, joined with our own standard input, output and error.
async fn joined(engine: &Engine, container: &str, command: &[String]) -> anyhow::Result<i64> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let raw = terminal.then(Raw::enter).transpose()?;
    let sizes = match &raw {
        Some(_) => Some(sizes()?),
        None => None,
    };
    let code = engine
        .run_before(
            container,
            command,
            tokio::io::stdin(),
            tokio::io::stdout(),
            tokio::io::stderr(),
            sizes,
        )
        .await;
    drop(raw);
    code
}

/// The terminal hands on what is typed as it is, until dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> anyhow::Result<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).context("cannot ask the terminal how it is set")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).context("cannot set the terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that went away needs nothing.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// The terminal's size, now and whenever it changes.
fn sizes() -> anyhow::Result<mpsc::Receiver<(u16, u16)>> {
    let mut changes = signal(SignalKind::window_change()).context("cannot listen to signals")?;
    let (tell, told) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            if let Ok(size) = tcgetwinsize(std::io::stdout())
                && tell.send((size.ws_row, size.ws_col)).await.is_err()
            {
                return;
            }
            if changes.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(told)
}
