//! What `plan`, `up`, `down` and `user` have in common: showing a plan, and carrying it out with progress.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

use console::style;

use super::interrupt::Interrupt;
use super::report::Report;
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::error::Failure;
use crate::fleet::{self, Looks, Member, Tell, Wish};
use crate::machine::apply::Outcome;
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::files::is_root;
use crate::machine::plan::Plan;
use crate::ui::progress::Progress;

/// Fails for anyone but root: the packet filter is root's, and so are the files that the platform's containers read.
pub fn require_root(command: &str) -> anyhow::Result<()> {
    match is_root() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{command} works on the packet filter and on docker, which takes root"
        ))
        .hint(format!("sudo {command}"))
        .into()),
    }
}

/// This machine's engine, where there is one, and users' workspaces are here. One that is there and does not answer is an error, before
/// anything is changed.
pub async fn engine_if_there(
    deployment: &Deployment,
    command: &str,
) -> anyhow::Result<Option<Engine>> {
    let here = deployment.users_site().is_some_and(Site::is_local);
    if !here || !Engine::is_there() {
        return Ok(None);
    }
    require_root(command)?;
    Engine::connect(None).await.map(Some)
}

/// The plan as text: a line a step, the differences of files below theirs.
pub fn text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for step in &plan.steps {
        lines.push(format!("+ {}", step.describe()));
        for line in step.detail() {
            let line = match line.chars().next() {
                Some('+') => style(line).green(),
                Some('-') => style(line).red(),
                _ => style(line).dim(),
            };
            lines.push(format!("    {line}"));
        }
    }
    for held in &plan.held {
        lines.push(format!("{} {held}", style("!").yellow()));
    }
    for refusal in &plan.refused {
        lines.push(format!(
            "{} {}; {}",
            style("✗").red(),
            refusal.message,
            refusal.hint
        ));
    }
    lines.push(match plan.steps.len() {
        _ if !plan.refused.is_empty() => {
            "Nothing is done while something is in the way.".to_owned()
        }
        0 => "Nothing to do.".to_owned(),
        1 => "1 step.".to_owned(),
        many => format!("{many} steps."),
    });
    lines.join("\n")
}

/// How many things of a kind are named one by one.
const NAMED: usize = 5;

/// Says what a plan leaves alone.
pub fn say_held(machine: Option<&str>, plan: &Plan, report: &Report) {
    let mark = style("!").for_stderr().yellow();
    for held in plan.held.iter().take(NAMED) {
        report.note_of(machine, &format!("{mark} {held}"));
    }
    if let Some(more @ 1..) = plan.held.len().checked_sub(NAMED) {
        report.note_of(
            machine,
            &format!("{mark} {more} more likewise; `dtaas plan` names them"),
        );
    }
}

/// Says how to ask for what was left alone.
pub fn say_how_to_recreate(plan: &Plan, report: &Report) {
    let users: BTreeSet<&str> = plan
        .held
        .iter()
        .filter_map(|held| held.user.as_ref().map(|user| user.as_str()))
        .collect();
    match users.len() {
        0 => {}
        1..=NAMED => report.note(&format!(
            "To do that nevertheless: `dtaas up --recreate {}`.",
            users.into_iter().collect::<Vec<_>>().join(",")
        )),
        _ => report.note(
            "To do that nevertheless: `dtaas up --recreate`, or with some users' names behind it.",
        ),
    }
}

/// Says what the operator should know of plans, how to ask for what was left alone, and who cannot enter.
pub fn say_notes<'a>(
    deployment: &Deployment,
    plans: impl IntoIterator<Item = (Option<&'a str>, &'a Plan)>,
    report: &Report,
) -> anyhow::Result<()> {
    for (machine, plan) in plans {
        say_how_to_recreate(plan, report);
        for note in plan.notes.iter().chain(&plan.space) {
            report.note_of(machine, &format!("Note: {note}."));
        }
    }
    say_own_notes(deployment, report);
    let entries = deployment.entries()?;
    for damaged in &entries.damaged {
        report.note(&format!("Note: {damaged}; it counts as no password."));
    }
    let without = deployment.without_password(&entries);
    if let Some(first) = without.first() {
        let names: Vec<&str> = without
            .iter()
            .take(NAMED)
            .map(|name| name.as_str())
            .collect();
        let more = match without.len().checked_sub(NAMED) {
            Some(more @ 1..) => format!(" and {more} more"),
            Some(0) | None => String::new(),
        };
        report.note(&format!(
            "Note: no password yet: {}{more}; `dtaas user passwd {first}` sets one.",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Says what came up while the deployment was read and its secrets and certificates were made.
pub fn say_own_notes(deployment: &Deployment, report: &Report) {
    for note in deployment.take_notes() {
        report.note(&format!("Note: {note}."));
    }
}

/// Who is told what happens on the machines: the report, with the progress that it shows.
pub struct Told<'a> {
    report: &'a Report,
    progress: Progress,
}

impl<'a> Told<'a> {
    /// Nothing so far.
    pub fn by(report: &'a Report) -> Self {
        Self {
            report,
            progress: Progress::new(),
        }
    }
}

impl Tell for Told<'_> {
    fn event(&self, machine: Option<&str>, event: Event) {
        self.report.event(machine, event, &self.progress);
    }

    fn note(&self, machine: Option<&str>, text: &str) {
        self.report.note_of(machine, text);
    }
}

/// Carries out what is due on the machines, side by side, and tells the report what happens. Interrupted once, it finishes the steps in
/// hand; interrupted twice, it stops at once.
pub async fn carry_out(
    members: &mut [Member<'_>],
    looks: &Looks,
    interrupt: &Interrupt,
    told: &Told<'_>,
) -> Vec<Option<Outcome>> {
    for (member, seen) in members.iter().zip(looks) {
        if let Some(seen) = seen {
            told.report.plan(member.called, &seen.plan);
        }
    }
    let says = async {
        interrupt.comes().await;
        told.progress.line(
            "Interrupted: the steps in hand are finished first; once more stops at once."
                .to_owned(),
        );
        std::future::pending::<Infallible>().await
    };
    let outcomes = tokio::select! {
        outcomes = fleet::apply(members, looks, told, interrupt.wanted()) => outcomes,
        never = says => match never {},
    };
    told.progress.clear();
    for (member, outcome) in members.iter().zip(&outcomes) {
        if let Some(outcome) = outcome {
            told.report.came(member.called, outcome);
        }
    }
    outcomes
}

/// Keeps the tokens that services made, and brings them where they are used: into workspaces, and to services that need them. What comes of
/// that is added to what came of the rest.
///
/// # Errors
/// When they cannot be kept.
pub async fn bring_tokens(
    deployment: &Deployment,
    members: &mut [Member<'_>],
    outcomes: &mut [Option<Outcome>],
    interrupt: &Interrupt,
    told: &Told<'_>,
) -> anyhow::Result<()> {
    let names = deployment.keep_tokens(outcomes.iter().flatten())?;
    if names.is_empty() || *interrupt.wanted().borrow() {
        return Ok(());
    }
    let wish = |site: &Site| {
        let (desired, options) = deployment.users_wish(site, &names)?;
        Ok(Wish {
            desired,
            options,
            holder: None,
            answers: false,
        })
    };
    let looks = fleet::look(members, wish, told, interrupt.wanted()).await;
    let more = carry_out(members, &looks, interrupt, told).await;
    for (outcome, more) in outcomes.iter_mut().zip(more) {
        match (outcome, more) {
            (Some(outcome), Some(more)) => outcome.add(more),
            (outcome, more) => *outcome = outcome.take().or(more),
        }
    }
    Ok(())
}

/// The engine of this machine, where the deployment has to do with it; another machine's is its own affair, and takes no root here.
pub async fn engine_of_here(
    deployment: &Deployment,
    command: &str,
    interrupt: Option<&Interrupt>,
) -> anyhow::Result<Option<Engine>> {
    if !deployment.sites.iter().any(Site::is_local) {
        return Ok(None);
    }
    require_root(command)?;
    match interrupt {
        Some(interrupt) => interrupt.or(Engine::connect(None)).await,
        None => Engine::connect(None).await,
    }
    .map(Some)
}

/// A command as it is typed for the deployment in this directory.
pub fn typed(directory: &Path, command: &str) -> String {
    match directory == Path::new(".") {
        true => format!("`dtaas {command}`"),
        false => format!("`dtaas -C {} {command}`", directory.display()),
    }
}
