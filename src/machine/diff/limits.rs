//! Limits beside what the machine has. One that is greater than the machine limits nothing, and was meant for another machine.

use std::collections::BTreeSet;

use crate::machine::diff::{DiffOptions, Scope};
use crate::machine::observed::{Facts, Observed};
use crate::machine::plan::{Plan, Refusal};
use crate::machine::step::Step;
use crate::platform::desired::{Component, Container, Desired, LimitKey, Limits};
use crate::spec::quantity::{Bytes, Cpus};

/// Looks at the workspaces that are made or changed by the plan: those that run as they should go on running.
pub(super) fn diff(desired: &Desired, observed: &Observed, options: &DiffOptions, plan: &mut Plan) {
    let concerned: BTreeSet<&str> = plan.steps.iter().filter_map(about).collect();
    let concerned: Vec<&Container> = desired
        .containers
        .iter()
        .filter(|container| concerned.contains(container.name.as_str()))
        .collect();
    let mut refused: Vec<Refusal> = Vec::new();
    for container in &concerned {
        for (key, value, has) in beyond(&container.limits, &observed.machine) {
            let own = container.user.as_ref().filter(|user| {
                desired
                    .own_limits
                    .get(*user)
                    .is_some_and(|keys| keys.contains(&key))
            });
            let (path, file) = match own {
                Some(user) => ("limits", format!("users/{user}.yaml")),
                None => ("workspace.limits", "dtaas.yaml".to_owned()),
            };
            let refusal = Refusal {
                message: format!("{path}.{key} is {value} ({file}), and this machine has {has}"),
                hint: format!(
                    "write {path}.{key} in {file}: what the machine has, or less, or none for no limit; then run this again"
                ),
            };
            if !refused.contains(&refusal) {
                refused.push(refusal);
            }
        }
    }
    if refused.is_empty() && options.scope == Scope::All && makes_workspaces(&concerned, plan) {
        let memory = Some(Bytes(observed.machine.memory)).filter(|bytes| bytes.0 > 0);
        plan.notes
            .extend(memory.and_then(|memory| together(desired, memory)));
    }
    for container in concerned {
        plan.notes.extend(shared_memory(container));
    }
    plan.refused.extend(refused);
}

/// Limits that are greater than what a machine has, where the engine said what that is: each with its key, its value and what the
/// machine has.
pub fn beyond(limits: &Limits, machine: &Facts) -> Vec<(LimitKey, String, String)> {
    let processors = i64::try_from(machine.processors)
        .ok()
        .filter(|processors| *processors > 0)
        .map(|processors| Cpus {
            nano: processors.saturating_mul(1_000_000_000),
        });
    let memory = Some(Bytes(machine.memory)).filter(|bytes| bytes.0 > 0);
    let cpus = limits.cpus.zip(processors).filter(|(cpus, has)| cpus > has);
    let cpus = cpus.map(|(cpus, has)| {
        let has = match has.to_string().as_str() {
            "1" => "1 processor".to_owned(),
            many => format!("{many} processors"),
        };
        (LimitKey::Cpus, cpus.to_string(), has)
    });
    let bytes = limits.memory.zip(memory).filter(|(bytes, has)| bytes > has);
    let bytes = bytes.map(|(bytes, has)| {
        let has = format!("{} of memory", whole(has));
        (LimitKey::Memory, bytes.to_string(), has)
    });
    cpus.into_iter().chain(bytes).collect()
}

/// The container that a step gives its limits.
fn about(step: &Step) -> Option<&str> {
    match step {
        Step::CreateContainer { name }
        | Step::RecreateContainer { name, .. }
        | Step::UpdateLimits { name, .. } => Some(name),
        Step::MakeDirectory { .. }
        | Step::SetMode { .. }
        | Step::SetOwner { .. }
        | Step::WriteFile { .. }
        | Step::RemoveFile { .. }
        | Step::SetAside { .. }
        | Step::PullImage { .. }
        | Step::MakeImage { .. }
        | Step::RemoveImage { .. }
        | Step::CreateNetwork { .. }
        | Step::RemoveNetwork { .. }
        | Step::SetFirewall { .. }
        | Step::RemoveFirewall { .. }
        | Step::SetHealing { .. }
        | Step::RemoveHealing
        | Step::StartContainer { .. }
        | Step::RestartContainer { .. }
        | Step::AttachNetwork { .. }
        | Step::StopContainer { .. }
        | Step::Reload { .. }
        | Step::SetAccounts { .. }
        | Step::RemoveContainer { .. } => None,
    }
}

fn makes_workspaces(concerned: &[&Container], plan: &Plan) -> bool {
    concerned.iter().any(|container| {
        container.component == Component::Workspace
            && plan.steps.contains(&Step::CreateContainer {
                name: container.name.clone(),
            })
    })
}

/// A note where all workspaces together may use more memory than there is. That is as usual as it is good to know.
fn together(desired: &Desired, memory: Bytes) -> Option<String> {
    let limits: Vec<u64> = desired
        .containers
        .iter()
        .filter(|container| container.component == Component::Workspace && container.running)
        .filter_map(|container| container.limits.memory)
        .map(|bytes| bytes.0)
        .collect();
    let sum = limits
        .iter()
        .fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    (limits.len() > 1 && sum > memory.0).then(|| {
        format!(
            "{} workspaces may use {} of memory together, and this machine has {}",
            limits.len(),
            whole(Bytes(sum)),
            whole(memory)
        )
    })
}

/// What is kept in /dev/shm counts as memory of the workspace (cgroups(7)).
fn shared_memory(container: &Container) -> Option<String> {
    let (shm, memory) = (container.shm?, container.limits.memory?);
    (shm > memory).then(|| {
        format!(
            "/dev/shm of {} is {shm}, and its memory {memory}: whoever fills the one ends what runs there",
            container.name
        )
    })
}

/// In whole megabytes, as an operator would write it.
fn whole(bytes: Bytes) -> Bytes {
    Bytes(bytes.0 >> 20 << 20)
}
