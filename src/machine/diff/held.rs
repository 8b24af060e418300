//! What is held stays as it is, and so does the way to it.

use std::collections::BTreeSet;

use crate::machine::diff::{DiffOptions, ours};
use crate::machine::hash;
use crate::machine::observed::{ContainerState, Observed, Run};
use crate::machine::plan::{Plan, Refusal};
use crate::machine::step::{FileChange, Step};
use crate::platform::desired::{Container, Desired};
use crate::spec::names::UserName;

/// The parts of a container that decide where it is reached.
const WHERE: [&str; 3] = ["network", "environment", "name"];

/// Whether something is lost with a container: nothing is with one that never ran, or whose files the engine has given up
/// already.
pub(super) fn loses(state: &ContainerState) -> bool {
    state.started && state.run != Run::Dead
}

/// Whose a workspace was that nobody desires and nobody asked to remove: its user is not in the spec any more, by mistake
/// perhaps.
pub(super) fn nobodys(
    desired: &Desired,
    options: &DiffOptions,
    name: &str,
    state: &ContainerState,
) -> Option<UserName> {
    // The parts of the platform are no one's, and hold nothing.
    let user: UserName = state.user.as_deref()?.parse().ok()?;
    let stays = ours(desired, &state.owner)
        && loses(state)
        && !options.remove_workspaces
        && !options.recreate.allows(Some(&user))
        && desired
            .containers
            .iter()
            .all(|container| container.name != name);
    stays.then_some(user)
}

/// Whether such a workspace is attached to a network.
pub(super) fn carries_nobodys(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    network: &str,
) -> bool {
    observed.containers.iter().any(|(name, state)| {
        state.networks.contains(network) && nobodys(desired, options, name, state).is_some()
    })
}

/// A workspace that is held is reached as before: its route is left as it is, and it is not probed where it is not.
pub(super) fn keep_reachable(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    let held: BTreeSet<&str> = plan.held.iter().map(|held| held.name.as_str()).collect();
    let elsewhere: BTreeSet<&str> = desired
        .containers
        .iter()
        .filter(|container| is_elsewhere(desired, observed, &held, container))
        .map(|container| container.name.as_str())
        .collect();
    if elsewhere.is_empty() {
        return;
    }
    plan.ready.retain(|name| !elsewhere.contains(name.as_str()));
    let notes = &mut plan.notes;
    plan.steps.retain(|step| {
        let Step::WriteFile { path, change } = step else {
            return true;
        };
        let leads_to = desired
            .file(path)
            .and_then(|file| file.leads_to.as_deref())
            .filter(|name| elsewhere.contains(name));
        let Some(name) = leads_to else {
            return true;
        };
        match change {
            FileChange::Mode { .. } | FileChange::Owner => true,
            FileChange::Content(_) | FileChange::Secret => false,
            FileChange::New | FileChange::Kind(_) => {
                notes.push(format!(
                    "{} is missing, and is not written while {name} is not what it would lead to",
                    path.display()
                ));
                false
            }
        }
    });
}

/// Whether a container is held where it is now, and should be reached at another address or path.
fn is_elsewhere(
    desired: &Desired,
    observed: &Observed,
    held: &BTreeSet<&str>,
    container: &Container,
) -> bool {
    let of_network = container.network.network();
    if of_network.is_some_and(|network| held.contains(network)) {
        return true;
    }
    let Some(state) = observed.containers.get(&container.name) else {
        return false;
    };
    let wanted = hash::parts(&desired.hash_key, container);
    held.contains(container.name.as_str())
        && WHERE
            .iter()
            .any(|part| state.parts.get(*part) != wanted.get(*part))
}

/// The rules part workspaces by one pool that all of them lie in: it cannot change below those that keep their networks.
pub(super) fn refuse_another_pool(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    let Some(firewall) = &desired.firewall else {
        return;
    };
    let goes = |name: &str| {
        plan.steps
            .iter()
            .any(|step| matches!(step, Step::RemoveNetwork { name: going, .. } if going == name))
    };
    let outside: Vec<&str> = observed
        .networks
        .iter()
        .filter(|(name, state)| {
            ours(desired, &state.owner)
                && !goes(name)
                && state
                    .subnets
                    .iter()
                    .any(|subnet| !firewall.pool.contains(subnet))
        })
        .map(|(name, state)| state.user.as_deref().unwrap_or(name))
        .collect();
    if outside.is_empty() {
        return;
    }
    plan.refused.push(Refusal {
        message: format!(
            "network.pool is {} now, while these workspaces keep their old networks: {}",
            firewall.pool,
            outside.join(", ")
        ),
        hint: "set network.pool back, or make them anew, which loses what was installed in them: \
               dtaas up --recreate"
            .to_owned(),
    });
}
