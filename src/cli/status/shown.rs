//! How the platform stands, as text and as JSON.

use std::collections::BTreeMap;

use console::style;
use serde::Serialize;

use crate::fleet::doors::Closed;
use crate::machine::observed::{ContainerState, Owner, Run};
use crate::machine::usage::{self, Taken, Used};
use crate::platform::desired::Container;
use crate::ui::table::table;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) deployment: String,
    pub(super) url: String,
    /// How many steps `up` would do.
    pub(super) steps_due: usize,
    /// How many days the gateway's certificate is good for, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate_days: Option<i64>,
    pub(super) parts: Vec<Part>,
    /// What should be known of machines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// Ports of other machines that are closed to who should reach them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) closed: Vec<Closed>,
}

#[derive(Serialize)]
pub(super) struct Part {
    /// Where there are several, or another than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) machine: Option<String>,
    pub(super) component: String,
    pub(super) user: Option<String>,
    pub(super) container: String,
    pub(super) state: State,
    pub(super) since: Option<String>,
    /// How often the engine started it again by itself.
    pub(super) restarts: i64,
    #[serde(flatten)]
    pub(super) used: Option<Used>,
    /// What the user's files take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<Taken>,
    /// Where it is reached, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    pub(super) image: String,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It runs and answers.
    Ready,
    /// It runs and does not answer.
    Silent,
    /// The engine starts it again and again.
    Restarting,
    /// It is stopped, and should run.
    Stopped,
    /// It does not run, and should not.
    Disabled,
    /// It is not there.
    Missing,
    /// Its machine cannot be looked at.
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Silent => "silent",
            State::Restarting => "restarting",
            State::Stopped => "stopped",
            State::Disabled => "disabled",
            State::Missing => "missing",
            State::Unknown => "unknown",
        }
    }
}

/// A part on a machine that cannot be looked at.
pub(super) fn unknown(machine: Option<&str>, component: &str, container: &Container) -> Part {
    Part {
        machine: machine.map(str::to_owned),
        component: component.to_owned(),
        user: container.user.as_ref().map(ToString::to_string),
        container: container.name.clone(),
        state: State::Unknown,
        since: None,
        restarts: 0,
        used: None,
        files: None,
        address: None,
        image: container.image.clone(),
    }
}

/// How a container of this deployment stands; one of somebody else's that has its name is not it.
pub(super) fn part(
    machine: Option<&str>,
    component: &str,
    owner: &Owner,
    container: &Container,
    observed: &BTreeMap<String, ContainerState>,
    answers: bool,
) -> Part {
    let ours = |found: &&ContainerState| found.owner == *owner;
    let found = observed.get(&container.name).filter(ours);
    let state = match found.map(|found| found.run) {
        None if !container.running => State::Disabled,
        None => State::Missing,
        Some(Run::Running) if answers => State::Ready,
        Some(Run::Running | Run::Paused) => State::Silent,
        Some(Run::Restarting) => State::Restarting,
        Some(Run::Created | Run::Exited | Run::Dead) if container.running => State::Stopped,
        Some(Run::Created | Run::Exited | Run::Dead) => State::Disabled,
    };
    Part {
        machine: machine.map(str::to_owned),
        component: component.to_owned(),
        user: container.user.as_ref().map(ToString::to_string),
        container: container.name.clone(),
        state,
        since: found.and_then(|found| found.since.clone()),
        restarts: found.map_or(0, |found| found.restarts),
        used: None,
        files: None,
        address: None,
        image: found.map_or_else(|| container.image.clone(), |found| found.image.clone()),
    }
}

pub(super) fn text(report: &Report) -> String {
    let several = report.parts.iter().any(|part| part.machine.is_some());
    let rows: Vec<[String; 10]> = report
        .parts
        .iter()
        .map(|part| {
            let state = part.state.as_str();
            let state = match part.state {
                State::Ready => style(state).green(),
                State::Disabled => style(state).dim(),
                State::Silent | State::Restarting => style(state).yellow(),
                State::Stopped | State::Missing | State::Unknown => style(state).red(),
            };
            [
                part.machine.clone().unwrap_or_default(),
                part.component.clone(),
                part.user.clone().unwrap_or_default(),
                state.to_string(),
                // 2026-01-31T12:00:00, without the fraction.
                part.since
                    .as_deref()
                    .map(|since| since.chars().take(19).collect::<String>())
                    .unwrap_or_default(),
                match part.restarts {
                    0 => String::new(),
                    often => often.to_string(),
                },
                part.used
                    .map(|used| format!("{:.0}%", used.cpus * 100.0))
                    .unwrap_or_default(),
                part.used
                    .map(|used| usage::shown(used.memory))
                    .unwrap_or_default(),
                part.files
                    .map(|files| {
                        let more = if files.more { ">" } else { "" };
                        format!("{more}{}", usage::shown(files.bytes))
                    })
                    .unwrap_or_default(),
                part.address.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let closed: String = report
        .closed
        .iter()
        .map(|closed| {
            let from = match &closed.from {
                Some(machine) => format!("from {machine}"),
                None => "from here".to_owned(),
            };
            format!(
                "\n{} {}:{} ({}) is closed {from}: {}",
                style("!").yellow(),
                closed.door.host,
                closed.door.port,
                closed.door.component.as_str(),
                closed.because
            )
        })
        .collect();
    let due = match report.steps_due {
        0 => String::new(),
        1 => "\n`dtaas up` would do 1 step.".to_owned(),
        many => format!("\n`dtaas up` would do {many} steps."),
    };
    let certificate = match report.certificate_days {
        None => String::new(),
        Some(i64::MIN..=-1) => format!(", {}", style("whose certificate has expired").red()),
        Some(1) => ", certificate good for 1 day".to_owned(),
        Some(days) => format!(", certificate good for {days} days"),
    };
    format!(
        "{} at {}{certificate}\n\n{}{closed}{due}",
        report.deployment,
        report.url,
        columns(several, rows),
    )
}

const HEADING: [&str; 10] = [
    "MACHINE",
    "COMPONENT",
    "USER",
    "STATE",
    "SINCE (UTC)",
    "RESTARTS",
    "CPU",
    "MEMORY",
    "FILES",
    "ADDRESS",
];

/// The table, with the machine's column where there are several.
fn columns(several: bool, rows: Vec<[String; 10]>) -> String {
    if several {
        return table(HEADING, &rows);
    }
    let [_, heading @ ..] = HEADING;
    let rows = rows.into_iter().map(|[_, rest @ ..]| rest);
    table(heading, &rows.collect::<Vec<[String; 9]>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::desired::{Attachment, Capabilities, Component, Limits};

    fn state(running: bool, found: Option<(&str, Run)>) -> State {
        let container = Container {
            name: "dtaas-foo-workspace-alice".into(),
            component: Component::Workspace,
            user: "alice".parse().ok(),
            image: "workspace:1".into(),
            command: Vec::new(),
            environment: Default::default(),
            mounts: Vec::new(),
            network: Attachment::Host,
            hosts: Default::default(),
            listens: Vec::new(),
            run_as: None,
            read_only: false,
            capabilities: Capabilities::Only(Vec::new()),
            shm: None,
            limits: Limits::default(),
            config_digest: None,
            precious: true,
            running,
            ready: None,
        };
        let mut observed = BTreeMap::new();
        if let Some((deployment, run)) = found {
            let state = ContainerState {
                owner: owner(deployment),
                run,
                ..ContainerState::default()
            };
            observed.insert(container.name.clone(), state);
        }
        part(
            None,
            "workspace",
            &owner("foo"),
            &container,
            &observed,
            true,
        )
        .state
    }

    fn owner(deployment: &str) -> Owner {
        Owner {
            deployment: Some(deployment.into()),
            instance: Some("1".into()),
        }
    }

    #[test]
    fn a_part_is_what_runs_of_this_deployment() {
        assert_eq!(state(true, Some(("foo", Run::Running))), State::Ready);
        assert_eq!(state(true, Some(("bar", Run::Running))), State::Missing);
        assert_eq!(state(true, None), State::Missing);
    }

    #[test]
    fn who_is_disabled_and_never_ran_is_not_missed() {
        assert_eq!(state(false, None), State::Disabled);
        assert_eq!(state(false, Some(("foo", Run::Exited))), State::Disabled);
        assert_eq!(state(true, Some(("foo", Run::Exited))), State::Stopped);
    }
}
