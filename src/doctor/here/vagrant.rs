//! Vagrant, where the profile has virtual machines: that it is there, and that they run.

use crate::deployment::Deployment;
use crate::deployment::sites::Reach;
use crate::doctor::{Finding, Severity};
use crate::vagrant::{self, State};

pub(super) const NAME: &str = "vagrant";

pub(super) async fn check(deployment: &Deployment) -> Vec<Finding> {
    let wanted: Vec<&str> = deployment
        .sites
        .iter()
        .filter(|site| matches!(site.reach, Reach::Vagrant { .. }))
        .map(|site| site.name.as_str())
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let directory = deployment.vagrant_directory();
    if !directory.is_dir() {
        return vec![Finding::new(
            NAME,
            Severity::Note,
            "the virtual machines are yet to be made",
            "`dtaas up` makes them",
        )];
    }
    match vagrant::status(&directory).await {
        Err(error) => vec![Finding::of(NAME, &error)],
        Ok(statuses) => wanted
            .iter()
            .filter_map(|name| {
                let state = statuses
                    .iter()
                    .find(|status| status.name == *name)
                    .map(|status| &status.state);
                let (severity, how) = match state {
                    Some(State::Running) => return None,
                    None => (Severity::Note, "is yet to be made".to_owned()),
                    Some(state) => (Severity::Error, format!("does not run ({state:?})")),
                };
                let message = format!("the virtual machine {name} {how}");
                Some(Finding::new(
                    NAME,
                    severity,
                    message,
                    "`dtaas up` starts it",
                ))
            })
            .collect(),
    }
}
