//! From a desired state to a machine that has it: observe, difference, apply.

use std::collections::BTreeSet;
use std::path::Path;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::sites::Site;
use super::{Deployment, Missing, private};
use crate::machine::apply::{self, Outcome};
use crate::machine::diff::{self, DiffOptions, Scope};
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::observe;
use crate::machine::observed::Observed;
use crate::machine::plan::Plan;
use crate::platform::auth;
use crate::platform::desired::{Desired, File};
use crate::platform::services::users::FILES;
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
        paths_plan(&self.rendered(missing)?, &Scope::All)
    }

    /// Writes the rendered configuration; answers what was done.
    pub fn render(&self) -> anyhow::Result<Plan> {
        self.apply_paths(&self.rendered(Missing::Keep)?, &Scope::All)
    }

    /// The same without a look at the library: the files and directories of users are left as they are.
    pub(super) fn render_beside_the_library(&self) -> anyhow::Result<Plan> {
        let mut desired = self.rendered(Missing::Keep)?;
        self.without_users_own(&mut desired);
        self.apply_paths(&desired, &Scope::All)
    }

    /// What is rendered for all machines, as it lies here.
    fn rendered(&self, missing: Missing) -> anyhow::Result<Desired> {
        let mut desired = self.desired(missing)?;
        if !self.has_users_here() {
            self.without_users_own(&mut desired);
        }
        Ok(desired)
    }

    /// Writes the directories and files of a state, as far as they are in scope; answers what was done.
    pub(super) fn apply_paths(&self, desired: &Desired, scope: &Scope) -> anyhow::Result<Plan> {
        let plan = paths_plan(desired, scope)?;
        apply::paths(desired, &plan)?;
        Ok(plan)
    }

    /// Writes what is rendered of some users, and nothing of anyone else. On a platform that is up here the routes are left to
    /// [`Self::users_wish`], which knows whether the workspaces are where they lead.
    pub fn render_users(&self, names: &BTreeSet<UserName>, is_up: bool) -> anyhow::Result<()> {
        let mut desired = self.desired_of(&self.all_here(), names, Missing::Keep)?;
        if is_up {
            desired.files.retain(|file| file.leads_to.is_none());
        }
        if !self.has_users_here() {
            self.without_users_own(&mut desired);
        }
        self.apply_paths(&desired, &Scope::Users(names.clone()))?;
        self.keep_certificate(OffsetDateTime::now_utc());
        Ok(())
    }

    /// What a machine should have of some users, all of them in the spec or none, and how far it is looked at for that. Nobody else is
    /// looked at.
    pub fn users_wish(
        &self,
        site: &Site,
        names: &BTreeSet<UserName>,
    ) -> anyhow::Result<(Desired, DiffOptions)> {
        let gone = !names.iter().any(|name| self.spec.users.contains_key(name));
        let options = DiffOptions {
            scope: Scope::Users(names.clone()),
            remove_workspaces: gone,
            // Whether the platform is up or not.
            leave_rules: gone || !site.is_users(),
            ..DiffOptions::default()
        };
        let mut desired = self.desired_of(site, names, Missing::Keep)?;
        if gone && site.is_users() && !site.is_local() {
            let now = OffsetDateTime::now_utc();
            desired.aside = names
                .iter()
                .map(|name| self.aside(name, now))
                .collect::<anyhow::Result<_>>()?;
        }
        Ok((desired, options))
    }

    /// Users' htpasswd entries alone, for a gateway on another machine: they replace what is there.
    pub fn entries_wish(
        &self,
        site: &Site,
        names: &BTreeSet<UserName>,
    ) -> anyhow::Result<(Desired, DiffOptions)> {
        let options = DiffOptions {
            scope: Scope::Users(BTreeSet::new()),
            leave_rules: true,
            ..DiffOptions::default()
        };
        let entries = self.entries()?.good;
        let mut desired = Desired::nothing(self.spec.name.clone(), site.root.clone());
        desired.directories.push(private(auth::ENTRIES));
        desired.files = names
            .iter()
            .filter_map(|name| Some((name, entries.get(name)?)))
            .map(|(name, entry)| File {
                kept: false,
                user: None,
                ..auth::entry(name, entry)
            })
            .collect();
        Ok((desired, options))
    }

    fn has_users_here(&self) -> bool {
        self.users_site().is_none_or(Site::is_local)
    }

    /// What is users' own is where their workspaces are, and nowhere else: here it would take root to make it theirs.
    fn without_users_own(&self, desired: &mut Desired) {
        let library = &self.spec.library.root;
        let is_own = |path: &Path| path.starts_with(library) || path.starts_with(FILES);
        desired
            .directories
            .retain(|directory| !is_own(&directory.path));
        desired.files.retain(|file| !is_own(&file.path));
    }

    /// Whether the platform is up on this machine: whether its gateway is there.
    pub async fn is_up(&self, engine: &Engine) -> anyhow::Result<bool> {
        let desired = Desired {
            hash_key: self.secrets(Missing::Pretend)?.hash_key,
            ..Desired::nothing(self.spec.name.clone(), self.root().to_owned())
        };
        observe::is_up(engine, &desired).await
    }
}
