//! `dtaas export`: what a deployment is, for other tools.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::report::Report;
use super::run;
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::exchange::apart;
use crate::exchange::compose::{self, write};
use crate::machine::files::is_root;
use crate::ui;

/// Write a deployment down for other tools.
#[derive(Debug, Args)]
pub struct Export {
    #[command(subcommand)]
    to: To,
}

#[derive(Debug, Subcommand)]
enum To {
    /// For docker compose: a directory in which `docker compose up -d` runs the same platform.
    Compose(Compose),
}

#[derive(Debug, Args)]
struct Compose {
    /// Where to; NAME-compose here, unless given. An export that is there already is made anew, but for users' passwords, sessions and
    /// shares in it, and .env.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Export {
    /// Runs the command.
    ///
    /// # Errors
    /// When nothing of the platform is on this machine, or the directory cannot be written.
    pub fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self.to {
            To::Compose(command) => command.run(directory),
        }
    }
}

impl Compose {
    fn run(&self, directory: &Path) -> anyhow::Result<()> {
        let open = Deployment::open(directory)?;
        let output = match &self.output {
            Some(output) => output.clone(),
            None => format!("{}-compose", open.spec.name).into(),
        };
        let output = std::path::absolute(&output)
            .with_context(|| format!("cannot tell where {} is", output.display()))?;
        let library = open.library_root();
        if apart::overlapping(&output, &[open.root(), &library]).is_some() {
            return Err(Failure::usage(format!(
                "{} and the deployment in {} would lie in one another",
                output.display(),
                open.root().display()
            ))
            .hint("name another directory with --output; nothing was written")
            .into());
        }
        let site = open
            .sites
            .iter()
            .find(|site| site.is_local())
            .ok_or_else(|| {
                Failure::usage("nothing of the platform runs on this machine")
                    .hint("an export is of what runs on this one, not of others")
            })?;
        let elsewhere: Vec<&str> = open
            .sites
            .iter()
            .filter(|site| !site.is_local())
            .map(|site| site.name.as_str())
            .collect();
        write::refuse_others(&output)?;
        let (deployment, _lock) = Deployment::locked(directory, "dtaas export", None)?;
        let desired = deployment.desired_to_export(site)?;
        let export = compose::export(&desired)?;
        write::write(&output, &export)?;
        run::say_own_notes(&deployment, &Report::new(false));
        self.say(&output, &elsewhere, &compose::left_out(&desired));
        Ok(())
    }

    fn say(&self, output: &Path, elsewhere: &[&str], left_out: &[String]) {
        if !is_root() {
            ui::say(
                "Note: what is written here is yours, and the platform's containers read root's: export it as root.",
            );
        }
        if !elsewhere.is_empty() {
            ui::say(format!(
                "Note: what runs on other machines is not in it: {}.",
                elsewhere.join(", ")
            ));
        }
        ui::say("What compose does not do:");
        for line in left_out {
            ui::say(format!("  {line}"));
        }
        ui::say(format!(
            "The project is in {}. README.md there says how to run it; `dtaas down` first.",
            output.display()
        ));
    }
}
