//! `dtaas down`: takes away what we made.

use std::path::Path;

use clap::Args;

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
}

impl Down {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        run::require_root("dtaas down")?;
        let question = self.question(&deployment);
        // A script that forgot --yes is told so whatever else is wrong; a person is not asked in vain.
        prompt::require_answer(&question, self.yes)?;
        let engine = Engine::connect(None).await?;
        prompt::confirm(&question, self.yes)?;
        let (deployment, lock) = Deployment::locked(directory, "dtaas down")?;
        if self.purge {
            deployment.check_purge()?;
        }
        let root = deployment.root().to_owned();
        let nothing = Desired::nothing(deployment.spec.name.clone(), root.clone());
        let options = DiffOptions {
            remove_workspaces: true,
            ..DiffOptions::default()
        };
        let difference = converge::difference(&engine, nothing, &options).await?;
        let outcome = run::carry_out(&engine, &difference).await?;
        outcome.result()?;
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
