//! `dtaas render`: writes the rendered configuration.

use std::path::Path;

use clap::Args;

use super::report::Report;
use super::run;
use crate::deployment::{Deployment, Missing};
use crate::error::{Exit, Failure};
use crate::ui;

/// Write the rendered configuration, and nothing else; no docker is needed.
#[derive(Debug, Args)]
pub struct Render {
    /// Say what differs and write nothing; exits with 1 when something does.
    #[arg(long)]
    check: bool,
}

impl Render {
    /// Runs the command.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        if self.check {
            let deployment = Deployment::open(directory)?;
            let plan = deployment.render_plan(Missing::Pretend)?;
            ui::data(run::text(&plan));
            run::say_notes(&deployment, [(None, &plan)], &Report::new(false))?;
            if plan.is_empty() {
                return Ok(());
            }
            return Err(
                Failure::new("the rendered configuration differs from the spec")
                    .hint("`dtaas render` writes it, `dtaas up` applies it as well")
                    .exit(Exit::Failed)
                    .into(),
            );
        }
        let (deployment, _lock) = Deployment::locked(directory, "dtaas render", None)?;
        let plan = deployment.render()?;
        ui::data(run::text(&plan));
        run::say_notes(&deployment, [(None, &plan)], &Report::new(false))
    }
}
