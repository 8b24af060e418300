//! `dtaas status`: what runs.

mod shown;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use time::OffsetDateTime;

use super::interrupt::Interrupt;
use super::parts;
use super::reaching::Reaching;
use super::report;
use super::run::{self, Told};
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::fleet::{self, How, Member, Wish};
use crate::machine::diff::DiffOptions;
use crate::machine::observed::Owner;
use crate::machine::usage::{Question, Usage};
use crate::platform::desired::{Component, Container, Desired};
use crate::platform::naming;
use crate::ui;
use shown::{Part, Report, part, text, unknown};

/// Show each part of the platform and whether it answers.
#[derive(Debug, Args)]
pub struct Status {
    /// Give it as JSON; with --watch a line each time.
    #[arg(long)]
    json: bool,
    /// Look again and again, until Ctrl-C: so many seconds after each other.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
    #[command(flatten)]
    reaching: Reaching,
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
        let desired = parts::desired(&deployment)?;
        let Some(seconds) = self.watch else {
            let Some(report) = look(&deployment, &mut members, &desired, &told, &interrupt).await?
            else {
                return fleet::result(members, Vec::new(), "dtaas status");
            };
            match self.json {
                true => ui::json(&report)?,
                false => ui::data(text(&report)),
            }
            for note in report.notes.iter().filter(|_| !self.json) {
                told_by.note(&format!("Note: {note}."));
            }
            run::say_own_notes(&deployment, &told_by);
            return fleet::result(members, Vec::new(), "dtaas status");
        };
        while let Some(report) =
            look(&deployment, &mut members, &desired, &told, &interrupt).await?
        {
            let read = match self.json {
                true => ui::is_read(&serde_json::to_string(&report)?),
                false => ui::screen(&text(&report)),
            };
            if !read {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
                () = interrupt.comes() => return Ok(()),
            }
        }
        fleet::result(members, Vec::new(), "dtaas status")
    }
}

/// Looks at all machines once; `None` when none of them can be looked at.
async fn look(
    deployment: &Deployment,
    members: &mut [Member<'_>],
    desired: &BTreeMap<String, Desired>,
    told: &Told<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Report>> {
    let wish = |site: &Site| {
        Ok(Wish {
            desired: desired[&site.name].clone(),
            options: DiffOptions::default(),
            holder: None,
            answers: true,
        })
    };
    let looks = fleet::look(members, wish, told, interrupt.wanted()).await;
    if looks.iter().all(Option::is_none) {
        return Ok(None);
    }
    let usages = usages(members, desired, interrupt).await;
    let now = OffsetDateTime::now_utc();
    let mut report = Report {
        deployment: deployment.spec.name.to_string(),
        url: deployment.page(),
        steps_due: 0,
        // What is wrong with one that cannot be read is told by `doctor` and `cert show`.
        certificate_days: deployment
            .certificate_as_it_is()
            .ok()
            .flatten()
            .map(|(_, facts)| facts.days_left(now)),
        parts: Vec::new(),
        notes: Vec::new(),
        closed: fleet::doors::closed(members, desired, told, interrupt.wanted()).await,
    };
    let component = |container| naming::part(&deployment.spec.name, container);
    for ((member, seen), usage) in members.iter().zip(&looks).zip(usages) {
        let desired = &desired[&member.site.name];
        let owner = Owner::of(desired);
        let Some(seen) = seen else {
            let parts = desired.containers.iter();
            report
                .parts
                .extend(parts.map(|one| unknown(member.called, component(one), one)));
            continue;
        };
        report.steps_due += seen.plan.steps.len();
        let notes = seen.plan.space.iter();
        report
            .notes
            .extend(notes.map(|note| ui::of(member.called, note)));
        for (container, answers) in desired.containers.iter().zip(&seen.answers) {
            let part = part(
                member.called,
                component(container),
                &owner,
                container,
                &seen.containers,
                *answers,
            );
            let user = container.user.as_ref();
            report.parts.push(Part {
                used: usage.containers.get(&container.name).copied(),
                files: user.and_then(|user| usage.files.get(user.as_str()).copied()),
                address: address(deployment, member.site, container),
                ..part
            });
        }
    }
    Ok(Some(report))
}

/// What is used on each machine; nothing where it does not say.
async fn usages(
    members: &mut [Member<'_>],
    desired: &BTreeMap<String, Desired>,
    interrupt: &Interrupt,
) -> Vec<Usage> {
    join_all(members.iter_mut().map(|member| {
        let desired = &desired[&member.site.name];
        let containers = desired.containers.iter();
        let users = containers.clone().filter_map(|one| one.user.as_ref());
        let question = Question {
            containers: containers.map(|one| one.name.clone()).collect(),
            library: desired.library.clone(),
            users: users.map(ToString::to_string).collect(),
        };
        let stop = interrupt.wanted();
        async move {
            match &mut member.hand {
                Ok(hand) => hand.usage(question, stop).await.unwrap_or_default(),
                Err(_) => Usage::default(),
            }
        }
    }))
    .await
}

/// Where people and programs reach a part; what listens on loopback alone is nobody's.
fn address(deployment: &Deployment, site: &Site, container: &Container) -> Option<String> {
    if let Some(user) = &container.user {
        return Some(deployment.workspace_page(user));
    }
    match container.component {
        Component::Gateway => Some(deployment.page()),
        Component::Workspace | Component::Auth | Component::Website | Component::Library => None,
        Component::RabbitMq
        | Component::Mosquitto
        | Component::InfluxDb
        | Component::Grafana
        | Component::Custom => {
            let open = container
                .listens
                .iter()
                .filter(|one| !one.ip().is_loopback());
            let ports: Vec<String> = open.map(|one| one.port().to_string()).collect();
            let first = ports.first()?;
            Some(match ports.len() {
                1 => format!("{}:{first}", site.hostname),
                _ => format!("{}:{}", site.hostname, ports.join(",")),
            })
        }
    }
}
