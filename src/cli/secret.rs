//! `dtaas secret`: users' passwords at the services.

use std::path::Path;

use clap::{Args, Subcommand};

use super::patience::Patience;
use super::run;
use super::user::{Entries, Names, Reached, Turn, converge};
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::ui;

/// Users' passwords at the services (RabbitMQ, Mosquitto), which are in their workspaces in /run/dtaas.
#[derive(Debug, Args)]
pub struct Secrets {
    #[command(flatten)]
    patience: Patience,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give users new passwords at the services. Their workspaces have them at once, without a restart; the old ones open nothing any
    /// more, and whoever is connected with them is put out.
    Rotate(Names),
}

impl Secrets {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let turn = Turn {
            directory,
            patience: self.patience,
        };
        match self.command {
            Command::Rotate(names) => rotate(names, turn).await,
        }
    }
}

async fn rotate(names: Names, turn: Turn<'_>) -> anyhow::Result<()> {
    let open = Deployment::open(turn.directory)?;
    names.known(&open)?;
    if !open.has_services() {
        return Err(Failure::usage(format!(
            "the profile {} has no services, and users have no passwords there",
            open.spec.profile
        ))
        .hint("name one that has, such as two-machine; `dtaas user passwd` sets the password of the website")
        .into());
    }
    let engine = run::engine_if_there(&open, "dtaas secret rotate").await?;
    let (deployment, _lock, interrupt) = turn.locked("dtaas secret rotate").await?;
    let names = names.known(&deployment)?;
    for name in &names {
        deployment.rotate_account(name)?;
    }
    let reached = converge(&deployment, engine, &names, Entries::Kept, &interrupt).await?;
    for name in &names {
        ui::say(match reached {
            Reached::Up => format!("{name} has new passwords at the services."),
            Reached::Files => format!(
                "{name} has new passwords at the services, which know of them with the next `dtaas up`."
            ),
        });
    }
    Ok(())
}
