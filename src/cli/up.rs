//! `dtaas up`: makes it so.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::run;
use crate::deployment::converge;
use crate::deployment::{Deployment, Missing};
use crate::machine::diff::{DiffOptions, Recreate};
use crate::machine::docker::{Engine, TO_PULL};
use crate::spec::names::UserName;
use crate::ui;

/// Bring the platform up, or to what the spec says now, and wait until every part of it answers.
#[derive(Debug, Args)]
pub struct Up {
    /// How many seconds an image's pull may stand still before it counts as failed.
    #[arg(long, value_name = "SECONDS", default_value_t = TO_PULL.as_secs(), value_parser = clap::value_parser!(u64).range(1..))]
    pull_timeout: u64,
    #[command(flatten)]
    recreate: RecreateArgs,
}

/// Whose workspaces may be made anew.
#[derive(Debug, Args)]
pub struct RecreateArgs {
    /// Make workspaces anew where that is due, which loses what was installed in them: of these users, or of all. Those of
    /// users who are gone are removed.
    #[arg(long, value_name = "USERS", value_delimiter = ',', num_args = 0.., require_equals = false)]
    recreate: Option<Vec<UserName>>,
}

impl RecreateArgs {
    /// The same for the engine; every user named must exist, or have left files behind: then there may be a workspace as well,
    /// which `up` keeps until it is told to let go of it.
    pub fn checked(&self, deployment: &Deployment) -> anyhow::Result<Recreate> {
        match &self.recreate {
            None => Ok(Recreate::No),
            Some(users) if users.is_empty() => Ok(Recreate::All),
            Some(users) => {
                for user in users {
                    if !deployment.library_root().join(user.as_str()).is_dir() {
                        deployment.require_user(user)?;
                    }
                }
                Ok(Recreate::Users(users.iter().cloned().collect()))
            }
        }
    }
}

impl Up {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        // What is wrong with the spec is said first; it is read again when nobody else can change it.
        self.recreate.checked(&Deployment::open(directory)?)?;
        run::require_root("dtaas up")?;
        let engine = Engine::connect(None).await?;
        let engine = engine.pulling_within(Duration::from_secs(self.pull_timeout));
        let (deployment, _lock) = Deployment::locked(directory, "dtaas up")?;
        let options = DiffOptions {
            recreate: self.recreate.checked(&deployment)?,
            ..DiffOptions::default()
        };
        deployment.require_roots_own()?;
        let desired = deployment.desired(Missing::Keep)?;
        let difference = converge::difference(&engine, desired, &options).await?;
        let outcome = run::carry_out(&engine, &difference).await?;
        run::say_held(&difference.plan);
        run::say_notes(&deployment, &difference.plan)?;
        outcome.result()?;
        match (outcome.done, difference.plan.held.as_slice()) {
            (0, []) => ui::say("Nothing to do: everything is as it should be, and answers."),
            (0, [_, ..]) => ui::say("Nothing else to do: everything else is as it should be."),
            (1.., _) => {}
        }
        ui::say(format!("The platform is at {}", deployment.page()));
        Ok(())
    }
}
