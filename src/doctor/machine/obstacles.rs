//! What is in the way of `up`, besides ports: networks that overlap, names that are taken, limits that the machine is too small for.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Severity};
use crate::machine::ports;

pub const CHECK: Check = Check {
    name: "obstacles",
    run: at_once!(check),
};

fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let ports: Vec<String> = seen.observed.taken.iter().map(ports::message).collect();
    let refused = seen.plan.refused.iter();
    refused
        .filter(|one| !ports.contains(&one.message))
        .map(|one| Finding::new(CHECK.name, Severity::Error, &one.message, &one.hint))
        .collect()
}
