//! `dtaas plan`: what `up` would do.

use std::path::Path;

use clap::Args;

use super::report::Report;
use super::run;
use crate::deployment::converge;
use crate::deployment::{Deployment, Missing};
use crate::error::Exit;
use crate::machine::diff::DiffOptions;
use crate::machine::docker::Engine;
use crate::ui;

/// Show what `up` would do; writes nothing.
#[derive(Debug, Args)]
pub struct Plan {
    /// Give the plan as JSON.
    #[arg(long)]
    json: bool,
    /// Exit with 3 when there is something to do.
    #[arg(long)]
    exit_code: bool,
    /// Show what it would be with another profile than dtaas.yaml names: a built-in one, or a file such as ./mine.yaml in the deployment.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    recreate: super::up::RecreateArgs,
}

impl Plan {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<Exit> {
        let deployment = Deployment::with_profile(directory, self.profile.as_deref())?;
        let options = DiffOptions {
            recreate: self.recreate.checked(&deployment)?,
            ..DiffOptions::default()
        };
        run::require_root("dtaas plan")?;
        let engine = Engine::connect(None).await?;
        let desired = deployment.desired(Missing::Pretend)?;
        let plan = converge::difference(&engine, desired, &options).await?.plan;
        if self.json {
            ui::json(&plan)?;
        } else {
            ui::data(run::text(&plan));
        }
        run::say_notes(&deployment, &plan, &Report::new(false))?;
        if !plan.refused.is_empty() {
            return Ok(Exit::Failed);
        }
        Ok(match self.exit_code && !plan.is_empty() {
            true => Exit::ChangesDue,
            false => Exit::Done,
        })
    }
}
