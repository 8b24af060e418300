//! From a desired state to a machine that has it: observe, difference, apply.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Deployment, Missing};
use crate::machine::apply::{self, Outcome};
use crate::machine::diff::{self, DiffOptions, Scope};
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::observe;
use crate::machine::observed::{Observed, Owner};
use crate::machine::plan::Plan;
use crate::machine::step::Phase;
use crate::platform::desired::{Component, Desired};
use crate::platform::naming;
use crate::spec::names::UserName;

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

/// What is to be done about directories and files alone.
pub(super) fn paths_plan(desired: &Desired, scope: &Scope) -> anyhow::Result<Plan> {
    let observed = Observed {
        paths: observe::paths(desired, scope)?,
        ..Observed::default()
    };
    Ok(diff::only_paths(desired, &observed))
}

impl Deployment {
    /// How the rendered configuration on this machine differs from what the spec says; needs no engine.
    pub fn render_plan(&self, missing: Missing) -> anyhow::Result<Plan> {
        paths_plan(&self.desired(missing)?, &Scope::All)
    }

    /// Writes the rendered configuration; answers what was done.
    pub fn render(&self) -> anyhow::Result<Plan> {
        self.apply_paths(&self.desired(Missing::Keep)?, &Scope::All)
    }

    /// Writes the directories and files of a state, as far as they are in scope; answers what was done.
    pub(super) fn apply_paths(&self, desired: &Desired, scope: &Scope) -> anyhow::Result<Plan> {
        let plan = paths_plan(desired, scope)?;
        apply::paths(desired, &plan)?;
        Ok(plan)
    }

    /// Writes what is rendered of some users, and nothing of anyone else. On a platform that is up the routes are left to
    /// [`Self::users_difference`], which knows whether the workspaces are where they lead.
    pub fn render_users(&self, names: &BTreeSet<UserName>, is_up: bool) -> anyhow::Result<()> {
        let mut desired = self.desired_of(names, Missing::Keep)?;
        if is_up {
            desired.files.retain(|file| file.leads_to.is_none());
        }
        self.apply_paths(&desired, &Scope::Users(names.clone()))?;
        self.keep_certificate(OffsetDateTime::now_utc());
        Ok(())
    }

    /// What is to be done on the machine for some users, all of them in the spec or none. Nobody else is looked at.
    pub async fn users_difference(
        &self,
        engine: &Engine,
        names: &BTreeSet<UserName>,
    ) -> anyhow::Result<Difference> {
        let gone = !names.iter().any(|name| self.spec.users.contains_key(name));
        let options = DiffOptions {
            scope: Scope::Users(names.clone()),
            remove_workspaces: gone,
            ..DiffOptions::default()
        };
        let desired = self.desired_of(names, Missing::Keep)?;
        let mut found = difference(engine, desired, &options).await?;
        if gone {
            // Whether the platform is up or not, the rules are not for these users to set.
            found
                .plan
                .steps
                .retain(|step| step.phase() != Phase::Firewall);
        }
        Ok(found)
    }

    /// Whether the platform is up on this machine: whether its gateway is there.
    pub async fn is_up(&self, engine: &Engine) -> anyhow::Result<bool> {
        let key = self.secrets(Missing::Pretend)?.hash_key;
        let gateway = naming::container(&self.spec.name, Component::Gateway, None);
        let own = Owner::of(&Desired::nothing(
            self.spec.name.clone(),
            self.root().to_owned(),
        ));
        let found = engine.container(&gateway, &key).await?;
        Ok(found.is_some_and(|found| found.owner == own))
    }
}
