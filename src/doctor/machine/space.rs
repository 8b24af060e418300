//! Room on the disks.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Severity};

pub const CHECK: Check = Check {
    name: "space",
    run: at_once!(check),
};

/// Below this there is a word of warning, in bytes: an image of a workspace takes about as much.
const COMFORT: u64 = 5 * 1024 * 1024 * 1024;

fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let spaces = seen.observed.space.iter();
    spaces
        .filter_map(|space| {
            let path = space.path.display();
            let remedy =
                format!("see what takes it (du -xhd2 {path}; docker system df), and make room");
            if let Some(note) = space.note() {
                let what = note.split(';').next().unwrap_or(&note).to_owned();
                return Some(Finding::new(CHECK.name, Severity::Error, what, remedy));
            }
            let gib = space.free >> 30;
            (space.free < COMFORT).then(|| {
                let message = format!("the disk of {path} has {gib} GiB left");
                Finding::new(CHECK.name, Severity::Warning, message, remedy)
            })
        })
        .collect()
}
