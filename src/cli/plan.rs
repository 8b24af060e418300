//! `dtaas plan`: what `up` would do.

use std::path::Path;

use clap::Args;

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
    #[command(flatten)]
    recreate: super::up::RecreateArgs,
}

impl Plan {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<Exit> {
        let deployment = Deployment::open(directory)?;
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
        run::say_notes(&deployment, &plan)?;
        if !plan.refused.is_empty() {
            return Ok(Exit::Failed);
        }
        Ok(match self.exit_code && !plan.is_empty() {
            true => Exit::ChangesDue,
            false => Exit::Done,
        })
    }
}
