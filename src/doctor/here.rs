//! The checks that are made where the operator is: names, certificate, passwords, Vagrant.

mod certificate;
mod clocks;
mod names;
mod passwords;
mod vagrant;

pub use clocks::compare as clocks;

use super::Finding;
use crate::deployment::Deployment;

/// The names of these checks, in the order in which they are told.
pub const CHECKS: [&str; 4] = [
    names::NAME,
    certificate::NAME,
    passwords::NAME,
    vagrant::NAME,
];

/// Examines what is looked at from here. Writes nothing.
pub async fn examine(deployment: &Deployment) -> Vec<Finding> {
    let mut found = names::check(deployment).await;
    found.extend(certificate::check(deployment));
    found.extend(passwords::check(deployment));
    found.extend(vagrant::check(deployment).await);
    found
}
