//! `dtaas user remove`.

use clap::Args;
use time::OffsetDateTime;

use super::{Entries, Names, Turn, converge};
use crate::cli::run;
use crate::deployment::Deployment;
use crate::ui;
use crate::ui::prompt;

/// Remove users; their files are set aside in the library's .removed.
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    names: Names,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Remove {
    /// Runs the command.
    pub async fn run(self, turn: Turn<'_>) -> anyhow::Result<()> {
        let open = Deployment::open(turn.directory)?;
        let names = self.names.known(&open)?;
        let what = match names.len() {
            1 => "the workspace with what was installed in it",
            _ => "their workspaces with what was installed in them",
        };
        let list: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        prompt::confirm(
            &format!(
                "Remove {} and {what}? (The files are set aside.)",
                list.join(", ")
            ),
            self.yes,
        )?;
        let engine = run::engine_if_there(&open, "dtaas user remove").await?;
        let (mut deployment, _lock, interrupt) = turn.locked("dtaas user remove").await?;
        self.names.known(&deployment)?;
        for name in &names {
            deployment.close_door(name)?;
        }
        converge(&deployment, engine, &names, Entries::Kept, &interrupt).await?;
        for name in &names {
            let files = match deployment.forget_user(name, OffsetDateTime::now_utc())? {
                Some(path) => format!(
                    "; the files are in {}",
                    deployment.library_root().join(path).display()
                ),
                None => String::new(),
            };
            ui::say(format!("{name} is removed{files}."));
        }
        Ok(())
    }
}
