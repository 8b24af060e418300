//! `dtaas status`: what runs.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use console::style;
use serde::Serialize;

use super::interrupt::Interrupt;
use super::reaching::Reaching;
use super::report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::fleet::doors::Closed;
use crate::fleet::{self, How, Wish};
use crate::machine::diff::DiffOptions;
use crate::machine::observed::{ContainerState, Owner, Run};
use crate::platform::desired::{Container, Desired};
use crate::platform::naming;
use crate::ui;
use crate::ui::table::table;

/// Show each part of the platform and whether it answers.
#[derive(Debug, Args)]
pub struct Status {
    /// Give it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reaching: Reaching,
}

#[derive(Serialize)]
struct Report {
    deployment: String,
    url: String,
    /// How many steps `up` would do.
    steps_due: usize,
    parts: Vec<Part>,
    /// What should be known of machines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Ports of other machines that are closed to who should reach them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    closed: Vec<Closed>,
}

#[derive(Serialize)]
struct Part {
    /// Where there are several, or another than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    component: String,
    user: Option<String>,
    container: String,
    state: State,
    since: Option<String>,
    image: String,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
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

impl Status {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let deployment = Deployment::open(directory)?;
        let engine = run::engine_of_here(&deployment, "dtaas status", None).await?;
        let interrupt = Interrupt::listen()?;
        let told_by = report::Report::new(false);
        let told = Told::by(&told_by);
        let how = How {
            engine,
            ..self.reaching.how()
        };
        let mut members = fleet::reach(
            &deployment,
            &deployment.sites,
            how,
            &told,
            interrupt.wanted(),
        )
        .await?;
        let desired: BTreeMap<&str, Desired> = deployment
            .sites
            .iter()
            .map(|site| Ok((site.name.as_str(), deployment.desired_to_look(site)?)))
            .collect::<anyhow::Result<_>>()?;
        let wish = |site: &Site| {
            Ok(Wish {
                desired: desired[site.name.as_str()].clone(),
                options: DiffOptions::default(),
                holder: None,
                answers: true,
            })
        };
        let looks = fleet::look(&mut members, wish, &told, interrupt.wanted()).await;
        if looks.iter().all(Option::is_none) {
            return fleet::result(members, Vec::new(), "dtaas status");
        }
        let mut report = Report {
            deployment: deployment.spec.name.to_string(),
            url: deployment.page(),
            steps_due: 0,
            parts: Vec::new(),
            notes: Vec::new(),
            closed: fleet::doors::closed(&mut members, &desired, &told, interrupt.wanted()).await,
        };
        let component = |container| naming::part(&deployment.spec.name, container);
        for (member, seen) in members.iter().zip(&looks) {
            let desired = &desired[member.site.name.as_str()];
            let owner = Owner::of(desired);
            match seen {
                Some(seen) => {
                    report.steps_due += seen.plan.steps.len();
                    report
                        .notes
                        .extend(seen.plan.space.iter().map(|note| match member.called {
                            Some(machine) => format!("{machine}: {note}"),
                            None => note.clone(),
                        }));
                    let parts = desired.containers.iter().zip(&seen.answers);
                    report.parts.extend(parts.map(|(container, answers)| {
                        part(
                            member.called,
                            component(container),
                            &owner,
                            container,
                            &seen.containers,
                            *answers,
                        )
                    }));
                }
                None => {
                    let parts = desired.containers.iter();
                    report
                        .parts
                        .extend(parts.map(|one| unknown(member.called, component(one), one)));
                }
            }
        }
        match self.json {
            true => ui::json(&report)?,
            false => ui::data(text(&report)),
        }
        for note in report.notes.iter().filter(|_| !self.json) {
            told_by.note(&format!("Note: {note}."));
        }
        run::say_own_notes(&deployment, &told_by);
        fleet::result(members, Vec::new(), "dtaas status")
    }
}

/// A part on a machine that cannot be looked at.
fn unknown(machine: Option<&str>, component: &str, container: &Container) -> Part {
    Part {
        machine: machine.map(str::to_owned),
        component: component.to_owned(),
        user: container.user.as_ref().map(ToString::to_string),
        container: container.name.clone(),
        state: State::Unknown,
        since: None,
        image: container.image.clone(),
    }
}

/// How a container of this deployment stands; one of somebody else's that has its name is not it.
fn part(
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
        image: found.map_or_else(|| container.image.clone(), |found| found.image.clone()),
    }
}

fn text(report: &Report) -> String {
    let several = report.parts.iter().any(|part| part.machine.is_some());
    let rows: Vec<[String; 6]> = report
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
                part.image.clone(),
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
    format!(
        "{} at {}\n\n{}{closed}{due}",
        report.deployment,
        report.url,
        match several {
            true => table(
                [
                    "MACHINE",
                    "COMPONENT",
                    "USER",
                    "STATE",
                    "SINCE (UTC)",
                    "IMAGE"
                ],
                &rows
            ),
            false => {
                let rows = rows.into_iter().map(|[_, rest @ ..]| rest);
                table(
                    ["COMPONENT", "USER", "STATE", "SINCE (UTC)", "IMAGE"],
                    &rows.collect::<Vec<[String; 5]>>(),
                )
            }
        }
    )
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
