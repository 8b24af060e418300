//! What `plan`, `up`, `down` and `user` have in common: showing a plan, and carrying it out with progress.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use console::style;

use super::interrupt::Interrupt;
use super::report::Report;
use crate::deployment::Deployment;
use crate::deployment::converge::{self, Difference};
use crate::error::Failure;
use crate::machine::apply::Outcome;
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::files::is_root;
use crate::machine::lock::Lock;
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

/// The engine, where there is one. One that is there and does not answer is an error, before anything is changed.
pub async fn engine_if_there(command: &str) -> anyhow::Result<Option<Engine>> {
    if !Engine::is_there() {
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
pub fn say_held(plan: &Plan, report: &Report) {
    let mark = style("!").for_stderr().yellow();
    for held in plan.held.iter().take(NAMED) {
        report.note(&format!("{mark} {held}"));
    }
    if let Some(more @ 1..) = plan.held.len().checked_sub(NAMED) {
        report.note(&format!(
            "{mark} {more} more likewise; `dtaas plan` names them"
        ));
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

/// Says what the operator should know, how to ask for what was left alone, and who cannot enter.
pub fn say_notes(deployment: &Deployment, plan: &Plan, report: &Report) -> anyhow::Result<()> {
    say_how_to_recreate(plan, report);
    for note in &plan.notes {
        report.note(&format!("Note: {note}."));
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

/// Carries a plan out and tells `report` what happens. Interrupted once, it finishes the steps in hand; interrupted twice, it stops at
/// once. `machine`, the machine's lock, is let go of when nothing is changed any more, only waited for.
pub async fn carry_out(
    engine: &Engine,
    difference: &Difference,
    interrupt: &Interrupt,
    report: &Report,
    machine: Option<Lock>,
) -> anyhow::Result<Outcome> {
    let progress = Progress::new();
    let machine = Mutex::new(machine);
    report.plan(&difference.plan);
    let events = |event: Event| {
        if let Event::Waiting { .. } = event {
            machine
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        report.event(event, &progress);
    };
    let says = async {
        interrupt.comes().await;
        progress.line(
            "Interrupted: the steps in hand are finished first; once more stops at once."
                .to_owned(),
        );
        std::future::pending::<Infallible>().await
    };
    let outcome = tokio::select! {
        outcome = converge::apply(engine, difference, interrupt.wanted(), &events) => outcome?,
        never = says => match never {},
    };
    progress.clear();
    report.came(&outcome);
    Ok(outcome)
}

/// A command as it is typed for the deployment in this directory.
pub fn typed(directory: &Path, command: &str) -> String {
    match directory == Path::new(".") {
        true => format!("`dtaas {command}`"),
        false => format!("`dtaas -C {} {command}`", directory.display()),
    }
}
