//! What `plan`, `up`, `down` and `user` have in common: showing a plan, and carrying it out with progress.

use console::style;
use tokio::sync::watch;

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
        0 => "Nothing to do.".to_owned(),
        1 => "1 step.".to_owned(),
        many => format!("{many} steps."),
    });
    lines.join("\n")
}

/// Says what a plan leaves alone, and how to ask for it.
pub fn say_held(plan: &Plan) {
    for held in &plan.held {
        ui::say(format!("{} {held}", style("!").for_stderr().yellow()));
    }
    let users: Vec<&str> = plan
        .held
        .iter()
        .filter_map(|held| held.user.as_ref().map(|user| user.as_str()))
        .collect();
    if !users.is_empty() {
        ui::say(format!(
            "To do that nevertheless: `dtaas up --recreate {}`.",
            users.join(",")
        ));
    }
    for note in &plan.notes {
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
