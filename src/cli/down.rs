//! `dtaas down`: takes away what we made.

use std::path::Path;

use clap::Args;

use super::interrupt::Interrupt;
use super::patience::{self, Patience};
use super::report::Report;
use super::run;
use crate::deployment::Deployment;
use crate::deployment::converge;
use crate::machine::diff::DiffOptions;
use crate::machine::docker::Engine;
use crate::platform::desired::Desired;
use crate::ui;
use crate::ui::prompt;

/// Take the platform away: containers, networks, firewall rules, our image. Files and data stay, unless purged.
#[derive(Debug, Args)]
pub struct Down {
    /// Remove the deployment's directory as well: users' files, data, secrets, everything.
    #[arg(long)]
    purge: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Tell what happens as JSON, one object a line; `dtaas up --help` says which.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Down {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let report = Report::new(self.json);
        let done = self.take_away(directory, &report).await.map(|()| None);
        report.end(&done);
        done.map(|_| ())
    }

    async fn take_away(&self, directory: &Path, report: &Report) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        run::require_root("dtaas down")?;
        let question = self.question(&deployment);
        // A script that forgot --yes is told so whatever else is wrong; a person is not asked in vain.
        prompt::require_answer(&question, self.yes)?;
        // While there is a question, Ctrl-C is its answer.
        let early = match self.yes {
            true => Some(Interrupt::listen()?),
            false => None,
        };
        let engine = match &early {
            Some(interrupt) => interrupt.or(Engine::connect(None)).await?,
            None => Engine::connect(None).await?,
        };
        prompt::confirm(&question, self.yes)?;
        let interrupt = match early {
            Some(interrupt) => interrupt,
            None => Interrupt::listen()?,
        };
        let (deployment, lock) = self
            .patience
            .locked(directory, "dtaas down", None, &interrupt)
            .await?;
        let machine = patience::machine(&deployment, "dtaas down", &interrupt, report).await?;
        if self.purge {
            deployment.check_purge()?;
        }
        let root = deployment.root().to_owned();
        let nothing = Desired::nothing(deployment.spec.name.clone(), root.clone());
        let options = DiffOptions {
            remove_workspaces: true,
            ..DiffOptions::default()
        };
        let difference = interrupt
            .or(converge::difference(&engine, nothing, &options))
            .await?;
        let outcome =
            run::carry_out(&engine, &difference, &interrupt, report, Some(machine)).await?;
        outcome.result_of(&run::typed(directory, self.typed()))?;
        if self.purge {
            deployment.purge(lock)?;
            ui::say(format!("Nothing is left of {}.", deployment.spec.name));
            return Ok(());
        }
        match outcome.done {
            0 => ui::say("Nothing to do: nothing of this deployment is on the machine."),
            _ => ui::say(format!(
                "The platform is down; every file is still in {}.",
                root.display()
            )),
        }
        Ok(())
    }

    fn typed(&self) -> &'static str {
        match self.purge {
            true => "down --purge",
            false => "down",
        }
    }

    fn question(&self, deployment: &Deployment) -> String {
        let workspaces = match deployment.spec.users.len() {
            1 => "the workspace of 1 user with what was installed in it".to_owned(),
            users => {
                format!("the workspaces of {users} users with what was installed in them")
            }
        };
        let files = match self.purge {
            true => format!(
                " and remove {} with every user's files{}",
                deployment.root().display(),
                match deployment.library_root().starts_with(deployment.root()) {
                    true => "",
                    false => " but those in library.root",
                }
            ),
            false => String::new(),
        };
        format!("Stop {}, remove {workspaces}{files}?", deployment.spec.name)
    }
}
