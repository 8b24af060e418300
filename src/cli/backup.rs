//! `dtaas backup`: a deployment, its users' files and its services' data, kept elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::interrupt::Interrupt;
use super::patience::Patience;
use super::run;
use crate::backup::make::{self, Made};
use crate::backup::{Password, Restic};
use crate::deployment::Deployment;
use crate::error::Failure;
use crate::spec::backup::Repository;
use crate::ui;
use crate::ui::table::table;

/// Keep the deployment elsewhere: its files, users' files and the services' data, encrypted, as they are now. What is there already is not
/// stored again.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where: a directory, or sftp:user@host:/path; backup.repository of dtaas.yaml, unless given.
    #[arg(long, value_name = "REPO", global = true)]
    to: Option<Repository>,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the backups of this deployment.
    List {
        /// Give them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read the whole repository, and say whether it is whole.
    Check,
}

/// A repository as whoever types it means it.
pub fn absolute(repository: Repository) -> anyhow::Result<Repository> {
    Ok(match repository {
        Repository::Directory(path) => Repository::Directory(std::path::absolute(path)?),
        Repository::Sftp(place) => Repository::Sftp(place),
    })
}

impl Backup {
    /// Runs the command.
    ///
    /// # Errors
    /// When restic is missing, the repository is somebody else's or damaged, or something cannot be read.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self.command {
            None => self.make(directory).await,
            Some(Command::List { json }) => {
                let (deployment, restic) = self.look(directory).await?;
                let all = restic.backups_of(&deployment.spec.name).await?;
                if json {
                    let values: Vec<_> = all
                        .iter()
                        .map(|one| json!({ "snapshot": one.id, "time": one.when() }))
                        .collect();
                    return ui::json(&values);
                }
                let rows: Vec<[String; 2]> = all
                    .iter()
                    .map(|one| [one.short().to_owned(), one.when()])
                    .collect();
                ui::data(table(["SNAPSHOT", "TIME"], &rows));
                Ok(())
            }
            Some(Command::Check) => {
                let (deployment, restic) = self.look(directory).await?;
                let count = restic.backups_of(&deployment.spec.name).await?.len();
                restic.check().await?;
                ui::say(format!(
                    "{} is whole: all that is in it was read, and it holds {count} backups of {}.",
                    restic.repository(),
                    deployment.spec.name
                ));
                Ok(())
            }
        }
    }

    fn repository(&self, deployment: &Deployment) -> anyhow::Result<Repository> {
        match self.to.clone().or_else(|| deployment.spec.backup.clone()) {
            Some(repository) => absolute(repository),
            None => Err(Failure::usage("it is not said where backups are kept")
                .hint("give --to DIRECTORY, or write backup.repository in dtaas.yaml")
                .into()),
        }
    }

    async fn look(&self, directory: &Path) -> anyhow::Result<(Deployment, Restic)> {
        let deployment = Deployment::open(directory)?;
        let repository = self.repository(&deployment)?;
        let password = Password::File(deployment.known_backup_password()?);
        let restic = Restic::find(repository, password).await?;
        Ok((deployment, restic))
    }

    async fn make(&self, directory: &Path) -> anyhow::Result<()> {
        let open = Deployment::open(directory)?;
        let repository = self.repository(&open)?;
        make::require_apart(&open, &repository)?;
        make::notes_of_elsewhere(&open)?;
        // Before a password is made that would open nothing.
        let nothing = Password::File(PathBuf::new());
        Restic::find(repository.clone(), nothing).await?;
        let engine = run::engine_if_there(&open, "dtaas backup").await?;
        let interrupt = Interrupt::listen()?;
        let (deployment, lock) = self
            .patience
            .locked(directory, "dtaas backup", None, &interrupt)
            .await?;
        let (password, new) = deployment.backup_password()?;
        let restic = Restic::find(repository, Password::File(password.clone())).await?;
        let fresh = restic.prepare(new).await?;
        if fresh {
            ui::say(format!(
                "{} is a repository of backups now.",
                restic.repository()
            ));
        }
        // Whose it is.
        restic.backups_of(&deployment.spec.name).await?;
        let say = |text: &str| ui::say(format!("{text} …"));
        let made = tokio::select! {
            made = make::make(&deployment, &lock, engine.as_ref(), &restic, &say) => match made {
                Ok(made) => made,
                Err(error) => {
                    // What stood still goes on; what was wrong first is what is told.
                    if let Some(engine) = &engine {
                        let _ = make::let_go_on(&deployment, engine).await;
                    }
                    return Err(error);
                }
            },
            () = interrupt.comes() => return self.interrupted(&deployment, engine.as_ref()).await,
        };
        tell(&deployment, &restic, &made);
        if fresh {
            ui::say(format!(
                "Keep a copy of {} elsewhere: nobody can read a backup without it.",
                password.display()
            ));
        }
        Ok(())
    }

    /// Lets everything go on that stood still.
    async fn interrupted(
        &self,
        deployment: &Deployment,
        engine: Option<&crate::machine::docker::Engine>,
    ) -> anyhow::Result<()> {
        if let Some(engine) = engine {
            make::let_go_on(deployment, engine).await?;
        }
        Err(Failure::new("interrupted; no backup was made")
            .hint("run the same again: what is stored stays stored")
            .exit(crate::error::Exit::Interrupted)
            .into())
    }
}

fn tell(deployment: &Deployment, restic: &Restic, made: &Made) {
    for note in &made.notes {
        ui::say(format!("Note: {note}."));
    }
    ui::data(&made.snapshot);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    ui::say(format!(
        "{} is kept in {}: {:.1} MiB, of which {:.1} MiB were new.",
        deployment.spec.name,
        restic.repository(),
        mib(made.read),
        mib(made.added)
    ));
}
