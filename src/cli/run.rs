//! What `plan`, `up`, `down` and `user` have in common: showing a plan, and carrying it out with progress.

use std::collections::BTreeSet;

use console::style;
use tokio::sync::watch;

use crate::deployment::Deployment;
use crate::deployment::converge::{self, Difference};
use crate::error::{Exit, Failure};
use crate::machine::apply::Outcome;
use crate::machine::docker::Engine;
use crate::machine::files::is_root;
use crate::machine::plan::Plan;
use crate::ui;
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
pub fn say_held(plan: &Plan) {
    let mark = style("!").for_stderr().yellow();
    for held in plan.held.iter().take(NAMED) {
        ui::say(format!("{mark} {held}"));
    }
    if let Some(more @ 1..) = plan.held.len().checked_sub(NAMED) {
        ui::say(format!(
            "{mark} {more} more likewise; `dtaas plan` names them"
        ));
    }
}

/// Says what the operator should know, how to ask for what was left alone, and who cannot enter.
pub fn say_notes(deployment: &Deployment, plan: &Plan) -> anyhow::Result<()> {
    let users: BTreeSet<&str> = plan
        .held
        .iter()
        .filter_map(|held| held.user.as_ref().map(|user| user.as_str()))
        .collect();
    match users.len() {
        0 => {}
        1..=NAMED => ui::say(format!(
            "To do that nevertheless: `dtaas up --recreate {}`.",
            users.into_iter().collect::<Vec<_>>().join(",")
        )),
        _ => ui::say(
            "To do that nevertheless: `dtaas up --recreate`, or with some users' names behind it.",
        ),
    }
    for note in &plan.notes {
        ui::say(format!("Note: {note}."));
    }
    say_own_notes(deployment);
    let entries = deployment.entries()?;
    for damaged in &entries.damaged {
        ui::say(format!("Note: {damaged}; it counts as no password."));
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
        ui::say(format!(
            "Note: no password yet: {}{more}; `dtaas user passwd {first}` sets one.",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Says what came up while the deployment was read and its secrets and certificates were made.
pub fn say_own_notes(deployment: &Deployment) {
    for note in deployment.take_notes() {
        ui::say(format!("Note: {note}."));
    }
}

/// Carries a plan out and shows what happens. Interrupted once, it finishes the step in hand; interrupted twice, it stops at once.
pub async fn carry_out(engine: &Engine, difference: &Difference) -> anyhow::Result<Outcome> {
    let progress = Progress::new();
    let (stop, stopped) = watch::channel(false);
    let watcher = tokio::spawn(async move {
        let mut again = false;
        while tokio::signal::ctrl_c().await.is_ok() {
            if again {
                ui::say("Stopped. Run the command again to do the rest.");
                std::process::exit(Exit::Interrupted as i32);
            }
            again = true;
            ui::say("Interrupted: the step in hand is finished first; once more stops at once.");
            // Nobody listens any more when all is done.
            let _ = stop.send(true);
        }
    });
    let outcome = converge::apply(engine, difference, stopped, &|event| progress.show(event)).await;
    watcher.abort();
    outcome
}
