//! The difference of what a machine should have and what it has. Pure: from data to data.

mod accounts;
mod containers;
mod held;
pub mod limits;
mod paths;
mod pools;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::machine::firewall;
use crate::machine::hash;
use crate::machine::image::is_own_reference;
use crate::machine::observed::{Boot, NetworkState, Observed, Owner};
use crate::machine::plan::{Held, Plan, Refusal};
use crate::machine::space::Space;
use crate::machine::step::{Phase, Step};
use crate::platform::desired::{Container, Desired, Image, Network};
use crate::spec::names::UserName;

/// Whose objects are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everybody's and the platform's.
    #[default]
    All,
    /// These users' objects and files, files that are nobody's, and the firewall.
    Users(BTreeSet<UserName>),
}

impl Scope {
    /// Whether something that belongs to a user, or to nobody, is looked at.
    pub fn covers(&self, user: Option<&UserName>) -> bool {
        match self {
            Scope::All => true,
            Scope::Users(these) => user.is_some_and(|user| these.contains(user)),
        }
    }

    /// Whether a file is looked at: everybody's files are.
    pub fn covers_path(&self, user: Option<&UserName>) -> bool {
        user.is_none() || self.covers(user)
    }

    /// Whether something that carries a user's label, or none, is looked at.
    pub fn covers_label(&self, user: Option<&str>) -> bool {
        match self {
            Scope::All => true,
            Scope::Users(these) => user
                .and_then(|user| user.parse().ok())
                .is_some_and(|user: UserName| these.contains(&user)),
        }
    }
}

/// Whose workspaces may be made anew, with what was installed in them lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recreate {
    /// Nobody's.
    #[default]
    No,
    /// Everybody's.
    All,
    /// These users'.
    Users(BTreeSet<UserName>),
}

impl Recreate {
    fn allows(&self, user: Option<&UserName>) -> bool {
        match self {
            Recreate::No => false,
            Recreate::All => true,
            Recreate::Users(users) => user.is_some_and(|user| users.contains(user)),
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffOptions {
    /// Whose workspaces may be made anew.
    pub recreate: Recreate,
    /// Whose objects are looked at; the same as was observed.
    pub scope: Scope,
    /// Whether workspaces that nobody desires are removed without more ado: that was asked for, by removing their user or all.
    pub remove_workspaces: bool,
    /// Whether the packet filter stays as it is: it is not for some users to set.
    pub leave_rules: bool,
}

/// The difference, in the order in which it is to be done.
pub fn diff(desired: &Desired, observed: &Observed, options: &DiffOptions) -> Plan {
    let mut plan = Plan::default();
    let no_pool = pools::diff(desired, observed, options, &mut plan);
    let remade = networks(desired, observed, options, no_pool, &mut plan);
    paths::diff(desired, observed, &options.scope, &mut plan);
    images(desired, observed, options, &mut plan);
    if !options.leave_rules {
        rules(desired, observed, &mut plan);
    }
    healing(desired, observed, options, &mut plan);
    containers::diff(desired, observed, options, &remade, &mut plan);
    limits::diff(desired, observed, options, &mut plan);
    accounts::diff(desired, observed, options, &mut plan);
    plan.space = observed.space.iter().filter_map(Space::note).collect();
    unused_images(desired, observed, options, &mut plan);
    held::keep_reachable(desired, observed, &mut plan);
    held::refuse_another_pool(desired, observed, &mut plan);
    // A stable sort: within a phase the order is that of the desired state.
    plan.steps.sort_by_key(Step::phase);
    plan
}

/// The difference of directories and files alone.
pub fn only_paths(desired: &Desired, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    paths::diff(desired, observed, &Scope::All, &mut plan);
    plan.steps.retain(|step| step.phase() != Phase::Tell);
    plan.steps.sort_by_key(Step::phase);
    plan
}

/// The timer by which the machine looks after its workspaces.
fn healing(desired: &Desired, observed: &Observed, options: &DiffOptions, plan: &mut Plan) {
    if options.scope != Scope::All {
        return;
    }
    match (&desired.healing, observed.healing) {
        (Some(_), Boot::Missing) => plan.steps.push(Step::SetHealing {
            why: "it does not yet".to_owned(),
        }),
        (Some(_), Boot::Differs) => plan.steps.push(Step::SetHealing {
            why: "its units differ".to_owned(),
        }),
        (Some(_), Boot::NoSystemd) => plan.notes.push(
            "systemd does not run here: workspaces are healed when `dtaas heal` is run, such as by cron every five minutes"
                .to_owned(),
        ),
        (Some(_), Boot::Installed) | (None, Boot::NoSystemd | Boot::Missing) => {}
        (None, Boot::Differs | Boot::Installed) => plan.steps.push(Step::RemoveHealing),
    }
}

/// Whether an object's labels are this deployment's.
fn ours(desired: &Desired, owner: &Owner) -> bool {
    *owner == Owner::of(desired)
}

/// A deployment in another directory that has this one's name: whatever is done to either would be done to both.
fn namesakes(what: &str, name: &str, desired: &Desired) -> Refusal {
    Refusal {
        message: format!(
            "the {what} {name} belongs to a deployment named {} in another directory; it is left alone",
            desired.deployment
        ),
        hint: format!(
            "give the one in {} another `name:` in dtaas.yaml; or, if it was moved there, move it back, \
             take it down (dtaas down), move it again and bring it up",
            desired.root.display()
        ),
    }
}

fn not_ours(what: &str, name: &str, deployment: &Desired, owner: &Owner) -> Refusal {
    if owner.is_namesake(deployment) {
        return namesakes(what, name, deployment);
    }
    let whose = match &owner.deployment {
        Some(other) => format!("belongs to the deployment {other}"),
        None => "was not made by this program".to_owned(),
    };
    Refusal {
        message: format!(
            "there is a {what} named {name} that {whose}; it is left alone, and the one of {} cannot be made",
            deployment.deployment
        ),
        hint: format!(
            "see what it is with: docker {what} inspect {name}; rename or remove it, then run this again"
        ),
    }
}

/// Networks; where the pool as a whole is refused (`no_pool`), what overlaps need not be said again. Answers with the names of those that are made anew, for the containers on them must be as well.
fn networks(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    no_pool: bool,
    plan: &mut Plan,
) -> BTreeSet<String> {
    let mut remade = BTreeSet::new();
    let mut going = BTreeSet::new();
    for (name, state) in &observed.networks {
        let wanted = desired.networks.iter().any(|network| network.name == *name)
            || held::carries_nobodys(desired, observed, options, name);
        if wanted || !options.scope.covers_label(state.user.as_deref()) {
            continue;
        }
        if state.owner.is_namesake(desired) {
            plan.refused.push(namesakes("network", name, desired));
            // That it overlaps need not be said as well.
            going.insert(name.as_str());
        } else if ours(desired, &state.owner) {
            going.insert(name.as_str());
            plan.steps.push(Step::RemoveNetwork {
                name: name.clone(),
                user: state.user.clone(),
                why: None,
            });
        }
    }
    for network in &desired.networks {
        if !options.scope.covers(Some(&network.user)) {
            continue;
        }
        match observed.networks.get(&network.name) {
            None if no_pool => {}
            None => create_network(desired, network, observed, &going, plan),
            Some(state) if !ours(desired, &state.owner) => {
                plan.refused
                    .push(not_ours("network", &network.name, desired, &state.owner));
            }
            Some(state)
                if state.hash.as_deref()
                    == Some(hash::network(&desired.hash_key, network).as_str()) => {}
            Some(state) => {
                if let Some(held) = held_network(desired, observed, options, network, state) {
                    plan.held.push(held);
                    continue;
                }
                remade.insert(network.name.clone());
                going.insert(network.name.as_str());
                plan.steps.push(Step::RemoveNetwork {
                    name: network.name.clone(),
                    user: Some(network.user.to_string()),
                    why: Some("it is made anew".to_owned()),
                });
                create_network(desired, network, observed, &going, plan);
            }
        }
    }
    remade
}

fn create_network(
    desired: &Desired,
    network: &Network,
    observed: &Observed,
    going: &BTreeSet<&str>,
    plan: &mut Plan,
) {
    let overlap = observed.networks.iter().find(|(name, state)| {
        !going.contains(name.as_str())
            && **name != network.name
            && state
                .subnets
                .iter()
                .any(|subnet| pools::overlap(*subnet, network.subnet))
    });
    if let Some((name, state)) = overlap {
        let ours = ours(desired, &state.owner);
        let hint = match state.user.as_deref().filter(|_| ours) {
            Some(user) => format!(
                "give {} another slot, or let go of what {user} has: dtaas up --recreate {user}",
                network.user
            ),
            None => format!(
                "set network.pool in dtaas.yaml to addresses that nothing uses, or remove it: docker network rm {name}"
            ),
        };
        plan.refused.push(Refusal {
            message: format!(
                "the network {name} has addresses that {} needs ({})",
                network.name, network.subnet
            ),
            hint,
        });
        return;
    }
    if let Some(route) = pools::route_in_the_way(desired, observed, network) {
        plan.refused.push(Refusal {
            message: format!(
                "{} needs the addresses {}, and {} has them",
                network.user,
                network.subnet,
                pools::name(route)
            ),
            hint: format!(
                "give {} another slot, in users/{}.yaml, then run this again",
                network.user, network.user
            ),
        });
        return;
    }
    plan.steps.push(Step::CreateNetwork {
        name: network.name.clone(),
        subnet: network.subnet.to_string(),
    });
}

/// A network that differs is held while someone's work is attached to it.
fn held_network(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    network: &Network,
    state: &NetworkState,
) -> Option<Held> {
    let attached = |container: &&Container| {
        observed
            .containers
            .get(&container.name)
            .is_some_and(|found| held::loses(found) && found.networks.contains(&network.name))
    };
    let precious = desired
        .containers
        .iter()
        .filter(|container| container.precious)
        .find(attached)?;
    if options.recreate.allows(precious.user.as_ref()) {
        return None;
    }
    let had: Vec<String> = state.subnets.iter().map(ToString::to_string).collect();
    Some(Held {
        name: network.name.clone(),
        user: Some(network.user.clone()),
        nobodys: false,
        differs: vec![format!("network {} → {}", had.join(" "), network.subnet)],
    })
}

fn images(desired: &Desired, observed: &Observed, options: &DiffOptions, plan: &mut Plan) {
    let wanted: BTreeSet<&str> = desired
        .containers
        .iter()
        .filter(|container| options.scope.covers(container.user.as_ref()) && container.running)
        .map(|container| container.image.as_str())
        .collect();
    for image in &desired.images {
        let reference = image.reference();
        match (observed.images.get(reference), image) {
            (None, _) if !wanted.contains(reference) => {}
            (None, Image::Pull { .. }) => plan.steps.push(Step::PullImage {
                reference: reference.to_owned(),
            }),
            (None, Image::Own { .. }) => plan.steps.push(Step::MakeImage {
                reference: reference.to_owned(),
            }),
            (Some(_), Image::Pull { .. }) => {}
            (Some(state), Image::Own { .. }) => {
                if !ours(desired, &state.owner) {
                    plan.refused
                        .push(not_ours("image", reference, desired, &state.owner));
                }
            }
        }
    }
}

/// Own images that are not desired any more go, once no container that stays was made of them.
fn unused_images(desired: &Desired, observed: &Observed, options: &DiffOptions, plan: &mut Plan) {
    if options.scope != Scope::All {
        return;
    }
    let going: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| {
            let (Step::RemoveContainer { name, .. } | Step::RecreateContainer { name, .. }) = step
            else {
                return None;
            };
            Some(name.as_str())
        })
        .collect();
    let used: BTreeSet<&str> = observed
        .containers
        .iter()
        .filter(|(name, _)| !going.contains(name.as_str()))
        .map(|(_, state)| state.image_id.as_str())
        .collect();
    let unused = observed.images.iter().filter(|(reference, state)| {
        // Copies of it under other names, and images built from it, carry its labels and are not ours to remove.
        is_own_reference(&desired.deployment, reference)
            && ours(desired, &state.owner)
            && !used.contains(state.id.as_str())
            && desired
                .images
                .iter()
                .all(|image| image.reference() != *reference)
    });
    let removals: Vec<Step> = unused
        .map(|(reference, _)| Step::RemoveImage {
            reference: reference.clone(),
        })
        .collect();
    plan.steps.extend(removals);
}

fn rules(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    match &desired.firewall {
        Some(_) | None if firewall::is_namesakes(&observed.firewall, desired) => plan.refused.push(
            namesakes("firewall chain", &observed.firewall.chain, desired),
        ),
        Some(wanted) if firewall::foreign(&observed.firewall) => plan.refused.push(Refusal {
            message: format!(
                "the packet filter has a chain named {} that was not made by this program",
                wanted.chain
            ),
            hint: format!(
                "see what it is with: iptables -t mangle -S {}; rename or remove it, then run this again",
                wanted.chain
            ),
        }),
        Some(wanted) => {
            if let Some(why) = firewall::differs(wanted, &observed.firewall) {
                plan.steps.push(Step::SetFirewall {
                    chain: wanted.chain.clone(),
                    why,
                });
            }
            if observed.firewall.boot == Boot::NoSystemd {
                plan.notes.push(
                    "systemd does not run here: after a reboot the firewall rules are put back by `dtaas up`"
                        .to_owned(),
                );
            }
        }
        None => {
            if firewall::anything_left(&observed.firewall) {
                plan.steps.push(Step::RemoveFirewall {
                    chain: observed.firewall.chain.clone(),
                });
            }
        }
    }
}
