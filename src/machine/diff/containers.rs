//! Containers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use crate::machine::diff::{DiffOptions, held, namesakes, not_ours, ours};
use crate::machine::hash;
use crate::machine::observed::{ContainerState, Facts, Observed, Run};
use crate::machine::plan::{Held, Plan, Refusal};
use crate::machine::ports;
use crate::machine::routes::Route;
use crate::machine::step::Step;
use crate::platform::desired::{Container, Desired, Limits};

/// `remade` are the networks that are made anew.
pub(super) fn diff(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    remade: &BTreeSet<String>,
    plan: &mut Plan,
) {
    let wanted: BTreeSet<&str> = desired
        .containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    for (name, state) in &observed.containers {
        if wanted.contains(name.as_str()) || !options.scope.covers_label(state.user.as_deref()) {
            continue;
        }
        if state.owner.is_namesake(desired) {
            plan.refused.push(namesakes("container", name, desired));
        } else if ours(desired, &state.owner) {
            if let Some(user) = held::nobodys(desired, options, name, state) {
                plan.held.push(Held {
                    name: name.clone(),
                    user: Some(user),
                    nobodys: true,
                    differs: Vec::new(),
                });
                continue;
            }
            plan.steps.push(Step::RemoveContainer {
                name: name.clone(),
                user: state.user.clone(),
                why: None,
            });
        }
    }
    for container in &desired.containers {
        if !options.scope.covers(container.user.as_ref()) {
            continue;
        }
        if container.running && container.ready.is_some() {
            plan.ready.push(container.name.clone());
        }
        match observed.containers.get(&container.name) {
            None => absent(container, observed, plan),
            Some(state) if !ours(desired, &state.owner) => {
                plan.refused.push(not_ours(
                    "container",
                    &container.name,
                    desired,
                    &state.owner,
                ));
            }
            Some(state) => present(desired, observed, options, remade, container, state, plan),
        }
    }
}

fn absent(container: &Container, observed: &Observed, plan: &mut Plan) {
    if !container.running {
        return;
    }
    needs(container, observed, plan);
    plan.steps.push(Step::CreateContainer {
        name: container.name.clone(),
    });
}

/// Refuses what a container cannot be made without: its addresses, and what it mounts.
fn needs(container: &Container, observed: &Observed, plan: &mut Plan) {
    let of_machine = container
        .listens
        .iter()
        .find(|address| observed.not_here.contains(address.ip()))
        .map(|address| not_here(*address.ip(), observed));
    let mounted = container
        .mounts
        .iter()
        .filter(|mount| observed.missing.contains(&mount.source))
        .map(|mount| missing(&mount.source));
    for refusal in of_machine.into_iter().chain(mounted) {
        // Many workspaces mount the same.
        if !plan.refused.contains(&refusal) {
            plan.refused.push(refusal);
        }
    }
    for taken in &observed.taken {
        if taken.container == container.name {
            plan.refused.push(Refusal {
                message: ports::message(taken),
                hint: ports::hint(taken),
            });
        }
    }
}

/// The gateway's `bind` is the only address that an operator chooses.
fn not_here(address: Ipv4Addr, observed: &Observed) -> Refusal {
    let of_engine = |one: &Route| {
        let mut subnets = observed.networks.values().flat_map(|state| &state.subnets);
        subnets.any(|subnet| subnet.contains(&one.subnet))
    };
    let own: Vec<String> = observed
        .routes
        .iter()
        .filter(|route| route.local && route.subnet.prefix_len() == 32 && !of_engine(route))
        .map(|route| match &route.device {
            Some(device) => format!("{} of {device}", route.subnet.addr()),
            None => route.subnet.addr().to_string(),
        })
        .collect();
    let such_as = match own.is_empty() {
        true => "see: ip -4 address".to_owned(),
        false => own.join(", "),
    };
    Refusal {
        message: format!("bind is {address}, and this machine has no such address"),
        hint: format!(
            "set bind in dtaas.yaml to one that it has ({such_as}), or to 0.0.0.0 for all of them, then run this again"
        ),
    }
}

fn missing(source: &Path) -> Refusal {
    Refusal {
        message: format!(
            "workspaces are to mount {}, and there is no such directory on this machine",
            source.display()
        ),
        hint: "make it, or take it out of workspace.mounts in dtaas.yaml, then run this again"
            .to_owned(),
    }
}

fn present(
    desired: &Desired,
    observed: &Observed,
    options: &DiffOptions,
    remade: &BTreeSet<String>,
    container: &Container,
    state: &ContainerState,
    plan: &mut Plan,
) {
    let name = container.name.clone();
    if container
        .network
        .network()
        .is_some_and(|network| remade.contains(network))
    {
        plan.steps.push(Step::RemoveContainer {
            name,
            user: container.user.as_ref().map(ToString::to_string),
            why: Some("its network is made anew".to_owned()),
        });
        return absent(container, observed, plan);
    }
    let parts = hash::differing(&desired.hash_key, container, &state.parts);
    let same = parts.is_empty();
    let loses = container.precious && held::loses(state);
    if !same || state.run == Run::Dead {
        let differs = match state.run {
            Run::Dead if same => vec!["the engine gave it up".to_owned()],
            Run::Dead
            | Run::Created
            | Run::Running
            | Run::Paused
            | Run::Restarting
            | Run::Exited => differences(desired, container, state, &parts),
        };
        if !loses || options.recreate.allows(container.user.as_ref()) {
            if exchanges(desired, observed, container, state) {
                plan.steps.push(Step::RemoveContainer {
                    name,
                    user: state.user.clone(),
                    why: Some("an address goes from one part to another".to_owned()),
                });
                return absent(container, observed, plan);
            }
            if container.running {
                needs(container, observed, plan);
            }
            plan.steps.push(Step::RecreateContainer {
                name,
                differs,
                loses,
                start: container.running,
            });
            return;
        }
        plan.held.push(Held {
            name: name.clone(),
            user: container.user.clone(),
            nobodys: false,
            differs,
        });
    }
    limits(container, state, &observed.machine, plan);
    // Somebody detached it, or the engine lost it; what runs in it goes on.
    // One that does not run is attached when it is started.
    let is_up = match state.run {
        Run::Running | Run::Paused | Run::Restarting => true,
        Run::Created | Run::Exited | Run::Dead => false,
    };
    if let Some(network) = container.network.network()
        && is_up
        && !state.networks.contains(network)
    {
        plan.steps.push(Step::AttachNetwork {
            name: container.name.clone(),
            network: network.to_owned(),
        });
    }
    run(container, state, observed, plan);
}

/// Whether a container is to have an address that another one of ours holds, or the other way round: then all of them go
/// before any is made.
fn exchanges(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    state: &ContainerState,
) -> bool {
    let meets = |held: &[SocketAddrV4], wanted: &Container| {
        let meets_one = |address| held.iter().any(|held| ports::meet(*held, address));
        wanted.running && wanted.listens.iter().copied().any(meets_one)
    };
    let takes = observed.containers.iter().any(|(name, other)| {
        *name != container.name && ours(desired, &other.owner) && meets(other.holds(), container)
    });
    let gives = desired
        .containers
        .iter()
        .any(|other| other.name != container.name && meets(state.holds(), other));
    takes || gives
}

fn limits(container: &Container, state: &ContainerState, machine: &Facts, plan: &mut Plan) {
    let changes = limit_changes(
        state.limits.on(machine),
        container.limits.effective(machine),
    );
    if !changes.is_empty() {
        plan.steps.push(Step::UpdateLimits {
            name: container.name.clone(),
            changes,
            limits: container.limits,
        });
    }
}

fn limit_changes(had: Limits, wanted: Limits) -> Vec<String> {
    fn change<T: PartialEq + ToString>(
        what: &str,
        had: Option<T>,
        wanted: Option<T>,
    ) -> Option<String> {
        let shown = |limit: &Option<T>| {
            limit
                .as_ref()
                .map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        (had != wanted).then(|| format!("{what} {} → {}", shown(&had), shown(&wanted)))
    }
    [
        change("cpus", had.cpus, wanted.cpus),
        change("memory", had.memory, wanted.memory),
        change("pids", had.pids, wanted.pids),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn run(container: &Container, state: &ContainerState, observed: &Observed, plan: &mut Plan) {
    let name = container.name.clone();
    if !container.running {
        match state.run {
            Run::Running | Run::Paused | Run::Restarting => {
                plan.steps.push(Step::StopContainer { name });
            }
            Run::Created | Run::Exited | Run::Dead => {}
        }
        return;
    }
    let start = |why: String| Step::StartContainer {
        name: container.name.clone(),
        why,
    };
    let ended = |how: &str| match (state.exit_code, state.error.as_deref()) {
        (_, Some(error)) => format!("it {how}: {error}"),
        (Some(code), None) => format!("it {how} with exit code {code}"),
        (None, None) => format!("it {how}"),
    };
    match state.run {
        Run::Running | Run::Dead => {}
        Run::Created => {
            needs(container, observed, plan);
            plan.steps
                .push(start("it was made and never started".to_owned()));
        }
        Run::Exited => {
            needs(container, observed, plan);
            plan.steps.push(start(ended("stopped")));
        }
        Run::Paused => plan.steps.push(start("it is paused".to_owned())),
        Run::Restarting => plan.steps.push(Step::RestartContainer {
            name,
            why: ended("keeps crashing,"),
        }),
    }
}

/// What differs, part by part, with both values where they may be shown.
fn differences(
    desired: &Desired,
    container: &Container,
    state: &ContainerState,
    parts: &[String],
) -> Vec<String> {
    if state.parts.is_empty() {
        return vec!["it was made by another version of this program".to_owned()];
    }
    parts
        .iter()
        .map(|part| match part.as_str() {
            "image" => format!("image {} → {}", state.image, container.image),
            "environment" => environment(desired, container, state),
            "mounts" => mounts(container, state),
            other => other.to_owned(),
        })
        .collect()
}

fn environment(desired: &Desired, container: &Container, state: &ContainerState) -> String {
    let names: Vec<&str> = container
        .environment
        .iter()
        .filter(|(name, value)| {
            state.environment.get(*name)
                != Some(&hash::variable(&desired.hash_key, name, value.expose()))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if names.is_empty() {
        "environment: a variable is taken away".to_owned()
    } else {
        format!("environment: {}", names.join(" "))
    }
}

fn mounts(container: &Container, state: &ContainerState) -> String {
    let changed: Vec<String> = container
        .mounts
        .iter()
        .filter(|mount| !state.mounts.contains(mount))
        .map(|mount| format!("+{}", mount.target.display()))
        .chain(
            state
                .mounts
                .iter()
                .filter(|mount| !container.mounts.contains(mount))
                .map(|mount| format!("-{}", mount.target.display())),
        )
        .collect();
    format!("mounts: {}", changed.join(" "))
}
