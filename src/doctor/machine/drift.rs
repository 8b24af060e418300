//! What `up` would change: what is missing, unexpected or drifted.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::step::{FileChange, Step};

pub const CHECK: Check = Check {
    name: "drift",
    run: at_once!(check),
};

fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    if !seen.is_up {
        return match subject.desired.containers.is_empty() {
            true => Vec::new(),
            false => vec![Finding::new(
                CHECK.name,
                Severity::Note,
                "the platform is not up here",
                "`dtaas up` brings it up",
            )],
        };
    }
    let plan = &seen.plan;
    let due = plan.steps.iter().map(|step| {
        let finding = Finding::new(
            CHECK.name,
            Severity::Warning,
            format!("{}: {}", word(step), object(step)),
            "`dtaas up` puts it right",
        );
        finding
            .seen(format!("up would: {}", step.describe()))
            .fixed_by(Fix::Up)
    });
    let held = plan.held.iter().map(|held| {
        let users = held.user.as_ref().map(ToString::to_string);
        Finding::new(
            CHECK.name,
            Severity::Note,
            format!("drifted: {held}"),
            format!(
                "when its user agrees: `dtaas up --recreate {}`",
                users.unwrap_or_default()
            ),
        )
    });
    let notes = plan
        .notes
        .iter()
        .map(|note| Finding::new(CHECK.name, Severity::Note, note, "see `dtaas plan`"));
    due.chain(held).chain(notes).collect()
}

/// Whether what a step is about is not there, should not be there, or is another than it should be.
fn word(step: &Step) -> &'static str {
    match step {
        Step::MakeDirectory { .. }
        | Step::WriteFile {
            change: FileChange::New,
            ..
        }
        | Step::PullImage { .. }
        | Step::MakeImage { .. }
        | Step::CreateNetwork { .. }
        | Step::CreateContainer { .. } => "missing",
        Step::RemoveFile { .. }
        | Step::SetAside { .. }
        | Step::RemoveImage { .. }
        | Step::RemoveNetwork { .. }
        | Step::RemoveFirewall { .. }
        | Step::RemoveHealing
        | Step::RemoveContainer { .. } => "unexpected",
        Step::SetMode { .. }
        | Step::SetOwner { .. }
        | Step::WriteFile { .. }
        | Step::SetFirewall { .. }
        | Step::SetHealing { .. }
        | Step::RecreateContainer { .. }
        | Step::StartContainer { .. }
        | Step::RestartContainer { .. }
        | Step::AttachNetwork { .. }
        | Step::StopContainer { .. }
        | Step::UpdateLimits { .. }
        | Step::Reload { .. }
        | Step::SetAccounts { .. } => "drifted",
    }
}

/// What a step is about, by its name.
fn object(step: &Step) -> String {
    match step {
        Step::MakeDirectory { path, .. }
        | Step::SetMode { path, .. }
        | Step::SetOwner { path, .. }
        | Step::WriteFile { path, .. }
        | Step::RemoveFile { path } => path.display().to_string(),
        Step::SetAside { from, .. } => from.display().to_string(),
        Step::PullImage { reference }
        | Step::MakeImage { reference }
        | Step::RemoveImage { reference } => format!("image {reference}"),
        Step::CreateNetwork { name, .. } | Step::RemoveNetwork { name, .. } => {
            format!("network {name}")
        }
        Step::SetFirewall { chain, .. } | Step::RemoveFirewall { chain } => {
            format!("firewall rules {chain}")
        }
        Step::SetHealing { .. } | Step::RemoveHealing => "the timer of dtaas heal".to_owned(),
        Step::CreateContainer { name }
        | Step::RecreateContainer { name, .. }
        | Step::StartContainer { name, .. }
        | Step::RestartContainer { name, .. }
        | Step::AttachNetwork { name, .. }
        | Step::StopContainer { name }
        | Step::UpdateLimits { name, .. }
        | Step::RemoveContainer { name, .. } => format!("container {name}"),
        Step::Reload { name, .. } => format!("configuration of {name}"),
        Step::SetAccounts { name, .. } => format!("accounts at {name}"),
    }
}
