//! The ports that the platform listens on.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Severity};
use crate::machine::ports;

pub const CHECK: Check = Check {
    name: "ports",
    run: at_once!(check),
};

fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let taken = seen.observed.taken.iter();
    taken
        .map(|taken| {
            let found = Finding::new(
                CHECK.name,
                Severity::Error,
                ports::message(taken),
                ports::hint(taken),
            );
            found.seen(format!("{} cannot be listened on", taken.address))
        })
        .collect()
}
