//! From a desired state to a machine that has it: observe, difference, apply.

use tokio::sync::watch;

use super::{Deployment, Missing};
use crate::machine::apply::{self, Outcome};
use crate::machine::diff::{self, DiffOptions, Scope};
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::observe;
use crate::machine::observed::Observed;
use crate::machine::plan::Plan;
use crate::platform::desired::Desired;

/// What a machine should have, what it has, and the difference. Holds nothing with which it could change anything.
pub struct Difference {
    /// What it should have.
    pub desired: Desired,
    /// What it has.
    pub observed: Observed,
    /// What is to be done.
    pub plan: Plan,
}

/// Looks at the machine and works out what is to be done.
pub async fn difference(
    engine: &Engine,
    desired: Desired,
    options: &DiffOptions,
) -> anyhow::Result<Difference> {
    let observed = observe::observe(engine, &desired, &options.scope).await?;
    let plan = diff::diff(&desired, &observed, options);
    Ok(Difference {
        desired,
        observed,
        plan,
    })
}

/// Does it, telling `events` what happens. With something in the way, nothing is done.
pub async fn apply(
    engine: &Engine,
    difference: &Difference,
    stop: watch::Receiver<bool>,
    events: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<Outcome> {
    let options = apply::Options::new(stop);
    apply::apply(
        engine,
        &difference.desired,
        &difference.plan,
        &options,
        events,
    )
    .await
}

impl Deployment {
    /// How the rendered configuration on this machine differs from what the spec says; needs no engine.
    pub fn render_plan(&self, missing: Missing) -> anyhow::Result<(Desired, Plan)> {
        let desired = self.desired(missing)?;
        let observed = Observed {
            paths: observe::paths(&desired, &Scope::All)?,
            ..Observed::default()
        };
        let plan = diff::only_paths(&desired, &observed);
        Ok((desired, plan))
    }

    /// Writes the rendered configuration; answers what was done.
    pub fn render(&self) -> anyhow::Result<Plan> {
        let (desired, plan) = self.render_plan(Missing::Keep)?;
        apply::paths(&desired, &plan)?;
        Ok(plan)
    }
}
