//! `dtaas plan`: what `up` would do.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use console::style;

use super::interrupt::Interrupt;
use super::reaching::Reaching;
use super::report::Report;
use super::run::{self, Told};
use crate::deployment::sites::Site;
use crate::deployment::{Deployment, Missing};
use crate::error::Exit;
use crate::fleet::{self, How, Wish};
use crate::machine;
use crate::machine::diff::DiffOptions;
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
    reaching: Reaching,
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
        let interrupt = Interrupt::listen()?;
        let engine = run::engine_of_here(&deployment, "dtaas plan", None).await?;
        let report = Report::new(false);
        let told = Told::by(&report);
        let how = How {
            engine,
            ..self.reaching.how()
        };
        let mut members = fleet::reach(
            &deployment,
            &deployment.sites,
            how,
            &told,
            interrupt.wanted(),
        )
        .await?;
        let wish = |site: &Site| {
            Ok(Wish {
                desired: deployment.desired_on(site, Missing::Pretend)?,
                options: options.clone(),
                holder: None,
                answers: false,
            })
        };
        let looks = fleet::look(&mut members, wish, &told, interrupt.wanted()).await;
        let plans: Vec<(Option<&str>, &machine::plan::Plan)> = members
            .iter()
            .zip(&looks)
            .filter_map(|(member, seen)| Some((member.called, &seen.as_ref()?.plan)))
            .collect();
        if plans.is_empty() {
            fleet::result(members, Vec::new(), "dtaas plan")?;
            return Ok(Exit::Done);
        }
        match (self.json, plans.as_slice()) {
            (true, [(None, plan)]) => ui::json(plan)?,
            (true, plans) => ui::json(&plans.iter().copied().collect::<BTreeMap<_, _>>())?,
            (false, plans) => {
                for (machine, plan) in plans {
                    if let Some(machine) = machine {
                        ui::data(style(format!("machine {machine}")).bold());
                    }
                    ui::data(run::text(plan));
                }
            }
        }
        deployment.note_website()?;
        run::say_notes(&deployment, plans.iter().copied(), &report)?;
        let refused = plans.iter().any(|(_, plan)| !plan.refused.is_empty());
        let due = plans.iter().any(|(_, plan)| !plan.is_empty());
        fleet::result(members, Vec::new(), "dtaas plan")?;
        if refused {
            return Ok(Exit::Failed);
        }
        Ok(match self.exit_code && due {
            true => Exit::ChangesDue,
            false => Exit::Done,
        })
    }
}
