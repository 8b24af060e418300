//! Users' passwords: that everybody has one.

use crate::deployment::Deployment;
use crate::doctor::{Finding, Severity};

pub(super) const NAME: &str = "passwords";

pub(super) fn check(deployment: &Deployment) -> Vec<Finding> {
    let entries = match deployment.entries() {
        Ok(entries) => entries,
        Err(error) => return vec![Finding::of(NAME, &error)],
    };
    let damaged = entries.damaged.iter().map(|damaged| {
        Finding::new(
            NAME,
            Severity::Error,
            format!("{damaged}; it counts as no password"),
            "`dtaas user passwd NAME` writes it anew",
        )
    });
    let without = deployment.without_password(&entries);
    let without = without.iter().map(|user| {
        Finding::new(
            NAME,
            Severity::Warning,
            format!("{user} has no password, and cannot sign in"),
            format!("`dtaas user passwd {user}`"),
        )
    });
    damaged.chain(without).collect()
}
