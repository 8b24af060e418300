//! `dtaas restore`: a deployment out of a backup, on this machine or another.

use std::path::{Path, PathBuf};

use clap::Args;

use super::backup::absolute;
use super::run::typed;
use crate::backup::{Password, Restic, restore};
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::backup::Repository;
use crate::ui;
use crate::ui::prompt;

/// Make a deployment out of a backup, in a directory that is empty or not there; `dtaas up` starts it then. Nothing is written before the whole
/// repository was read and found whole.
#[derive(Debug, Args)]
pub struct Restore {
    /// Where backups are: a directory, or sftp:user@host:/path.
    #[arg(long, value_name = "REPO")]
    from: Repository,
    /// Which one, by the beginning of its name; the newest, unless given.
    #[arg(value_name = "SNAPSHOT")]
    snapshot: Option<String>,
    /// The file that holds the repository's password; it is asked for, unless given.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Restore {
    /// Runs the command.
    ///
    /// # Errors
    /// When something is in the way, the password is wrong, or the repository is damaged or not ours: then nothing was written.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        restore::require_free(directory, None)?;
        let password = self.password()?;
        let restic = Restic::find(absolute(self.from)?, password).await?;
        let snapshot = restic.backup(self.snapshot.as_deref()).await?;
        restore::require_free(directory, Some(&snapshot))?;
        let say = |text: &str| ui::say(format!("{text} …"));
        say("reading the whole repository");
        restic.check().await?;
        let manifest = restic.manifest(&snapshot).await?;
        let root = restore::restore(&restic, &snapshot, &manifest, directory, &say).await?;
        for note in &manifest.notes {
            ui::say(format!("Note of {}: {note}.", snapshot.when()));
        }
        ui::say(
            "What was taken back since then is as it was: look at shares (`dtaas share list`), at who is disabled (`dtaas user list`), and at \
             passwords that were changed.",
        );
        ui::say(format!(
            "{} of {} is in {}. Run {} to start it.",
            manifest.deployment,
            snapshot.when(),
            root.display(),
            typed(directory, "up")
        ));
        Ok(())
    }

    fn password(&self) -> anyhow::Result<Password> {
        match &self.password_file {
            Some(file) => match file.metadata() {
                Ok(found) if found.is_file() => Ok(Password::File(std::path::absolute(file)?)),
                Ok(_) => Err(Failure::usage(format!("{} is no file", file.display()))
                    .hint("name a copy of secrets/backup-password; nothing was changed")
                    .into()),
                Err(error) => Err(anyhow::Error::new(error).context(
                    Failure::usage(format!("cannot read {}", file.display()))
                        .hint("name a copy of secrets/backup-password; nothing was changed"),
                )),
            },
            None if prompt::can_ask() => Ok(Password::Given(Secret::new(prompt::ask_password(
                "Password of the repository",
            )?))),
            None => Err(Failure::usage(
                "the repository's password is not given, and nobody can be asked",
            )
            .hint(
                "give --password-file FILE: a copy of secrets/backup-password; nothing was changed",
            )
            .into()),
        }
    }
}
