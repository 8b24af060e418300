//! Whether the machine is as big as what it carries.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Severity};
use crate::platform::desired::Component;

pub const CHECK: Check = Check {
    name: "size",
    run: at_once!(check),
};

/// What the documentation of v0.2 asks for: a machine of workspaces, and one of services (memory in GB, processors).
const OF_WORKSPACES: (u64, u64) = (16, 8);
const OF_SERVICES: (u64, u64) = (6, 3);
/// A machine sold as one of 16 GB shows a little less.
const SHOWN: f64 = 0.9;

fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let machine = &seen.observed.machine;
    let containers = &subject.desired.containers;
    if containers.is_empty() {
        return Vec::new();
    }
    let has = |component| containers.iter().any(|one| one.component == component);
    let (what, (memory, processors)) = match has(Component::Gateway) || subject.workspaces() > 0 {
        true => ("workspaces", OF_WORKSPACES),
        false => ("services", OF_SERVICES),
    };
    let gb = machine.memory as f64 / 1e9;
    let small = gb < memory as f64 * SHOWN || machine.processors < processors;
    if !small {
        return Vec::new();
    }
    vec![
            Finding::new(
                CHECK.name,
                Severity::Note,
                format!("the machine is smaller than what is recommended for {what}: {memory} GB of memory and {processors} processors"),
                "give it more, or set workspace.memory and workspace.cpus in dtaas.yaml so that nobody takes all of it",
            )
            .seen(format!("{gb:.1} GB of memory, {} processors", machine.processors)),
    ]
}
