//! `dtaas exec`: a program in a workspace, or in another part.

use std::io::IsTerminal;
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
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::error::Failure;
use crate::fleet::{self, How};
use crate::machine::docker::Engine;
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
        let site = deployment.sites.iter().find(|one| one.name == *site);
        let code = match site {
            Some(site) if !site.is_local() => {
                self.there(&deployment, site, container, command).await?
            }
            Some(_) | None => {
                run::require_root("dtaas exec")?;
                here(&Engine::connect(None).await?, container, &command).await?
            }
        };
        // Whoever reads standard input is not to be waited for.
        std::process::exit(i32::try_from(code).unwrap_or(1));
    }

    /// On another machine: to its end, with nothing on its standard input.
    async fn there(
        &self,
        deployment: &Deployment,
        site: &Site,
        container: &str,
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
        let how = How {
            ..self.reaching.how()
        };
        let mut members = fleet::reach(deployment, [site], how, &told, interrupt.wanted()).await?;
        let hand = match members.remove(0).hand {
            Ok(hand) => hand,
            Err(error) => return Err(error),
        };
        let mut hand = hand;
        let ended = hand
            .run_in(
                container,
                command,
                &|note| ui::say(note),
                interrupt.wanted(),
            )
            .await?;
        use std::io::Write;
        // Whoever reads it may have closed the pipe.
        let _ = std::io::stdout().write_all(ended.out.as_bytes());
        let _ = std::io::stderr().write_all(ended.err.as_bytes());
        Ok(ended.code.unwrap_or(1))
    }
}

/// On this machine, joined with our own standard input, output and error.
async fn here(engine: &Engine, container: &str, command: &[String]) -> anyhow::Result<i64> {
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
