//! `dtaas history`: who did what when.

use std::path::Path;

use clap::Args;
use console::style;

use crate::deployment::runs::{self, Run};
use crate::error::Failure;
use crate::spec::load;
use crate::ui;
use crate::ui::printable::printable;
use crate::ui::table::table;

/// Show what was done with the deployment: when, by whom, and what came of it. What each run told is kept beside.
#[derive(Debug, Args)]
pub struct History {
    /// Show the last so many.
    #[arg(short = 'n', long, value_name = "RUNS", default_value_t = 20)]
    last: usize,
    /// Give it as JSON.
    #[arg(long)]
    json: bool,
}

impl History {
    /// Runs the command.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        if !directory.join(load::FILE).exists() {
            let failure =
                Failure::usage(format!("there is no deployment in {}", directory.display()));
            return Err(failure.hint("name its directory with -C").into());
        }
        let all = runs::list(directory).map_err(|error| {
            error.context(
                Failure::new("the history cannot be read")
                    .hint("it belongs to whoever made the deployment: run this as root"),
            )
        })?;
        let last = &all[all.len().saturating_sub(self.last)..];
        if self.json {
            return ui::json(&last);
        }
        if last.is_empty() {
            ui::say("Nothing was done yet.");
            return Ok(());
        }
        let rows: Vec<[String; 5]> = last.iter().map(row).collect();
        ui::data(table(
            ["BEGAN (UTC)", "WHO", "COMMAND", "RESULT", "TOLD"],
            &rows,
        ));
        Ok(())
    }
}

fn row(run: &Run) -> [String; 5] {
    let result = match run.exit {
        Some(0) => style("done".to_owned()).green(),
        Some(130) => style("interrupted".to_owned()).yellow(),
        Some(code) => style(format!("failed ({code})")).red(),
        None if run.runs => style("runs".to_owned()).dim(),
        None => style("broke off".to_owned()).red(),
    };
    let from = run.from.as_deref().map(|from| format!(" from {from}"));
    [
        run.began.chars().take(19).collect(),
        printable(&format!("{}{}", run.who, from.unwrap_or_default())).into_owned(),
        printable(&run.command).into_owned(),
        result.to_string(),
        run.transcript.display().to_string(),
    ]
}
