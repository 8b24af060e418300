//! `dtaas down`: takes away what we made.

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::run;
use crate::deployment::Deployment;
use crate::deployment::converge;
use crate::machine::diff::DiffOptions;
use crate::machine::docker::Engine;
use crate::machine::lock::Lock;
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
        let root = deployment.root().to_owned();
        run::require_root("dtaas down")?;
        prompt::confirm(&self.question(&deployment), self.yes)?;
        let engine = Engine::connect(None).await?;
        let lock = Lock::take(&root, "dtaas down")?;
        let nothing = Desired::nothing(deployment.spec.name.clone(), root.clone());
        let difference = converge::difference(&engine, nothing, &DiffOptions::default()).await?;
        let outcome = run::carry_out(&engine, &difference).await?;
        outcome.result()?;
        if self.purge {
            drop(lock);
            purge(&deployment)?;
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

/// Removes what is ours in the directory, and the directory if nothing else is in it. A library elsewhere stays.
fn purge(deployment: &Deployment) -> anyhow::Result<()> {
    let root = deployment.root();
    let library = deployment.library_root();
    let mut ours = [
        "dtaas.yaml",
        "users",
        "secrets",
        "auth",
        "config",
        "data",
        "templates",
        "images.lock",
        ".lock",
    ]
    .map(|name| root.join(name))
    .to_vec();
    if library.starts_with(root) && library != root {
        ours.push(library);
    }
    for path in ours {
        let removed = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => Err(error),
        };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    // Something of the operator's own may be in it; then it stays.
    let _ = std::fs::remove_dir(root);
    Ok(())
}
