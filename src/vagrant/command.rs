//! The `vagrant` command, in one directory.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::process::{self, Watch};
use super::report;
use crate::error::Failure;

/// Vagrant as it works in one directory.
#[derive(Debug, Clone)]
pub(super) struct Vagrant {
    program: PathBuf,
    directory: PathBuf,
}

impl Vagrant {
    /// Looks for the program.
    ///
    /// # Errors
    /// When it is not installed.
    pub(super) fn in_directory(directory: &Path) -> Result<Self, Failure> {
        let program = which::which("vagrant").map_err(|_| {
            Failure::new("vagrant is not installed").hint(
                "install it with: apt-get install vagrant (Debian 12, Ubuntu 20.04 and 22.04), or take the package \
                 from developer.hashicorp.com/vagrant/install",
            )
        })?;
        Ok(Self {
            program,
            directory: directory.to_owned(),
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.directory)
            // It asks its makers whether there is a newer one otherwise.
            .env("VAGRANT_CHECKPOINT_DISABLE", "1");
        // The caller's are for a project of theirs; here the directory alone counts.
        for name in [
            "VAGRANT_CWD",
            "VAGRANT_DEFAULT_PROVIDER",
            "VAGRANT_DOTFILE_PATH",
            "VAGRANT_VAGRANTFILE",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command that takes its time, and tells its lines.
    ///
    /// # Errors
    /// With its last lines when it fails.
    pub(super) async fn follow(&self, arguments: &[&str], watch: &Watch<'_>) -> anyhow::Result<()> {
        let mut command = self.command(arguments);
        let ended = process::follow(command.arg("--no-color"), watch).await?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(self.failed(arguments, &ended.last.join("\n  ")).into()),
        }
    }

    /// Asks; answers with what it says.
    pub(super) async fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = process::ask(&mut self.command(arguments), None).await?;
        if answer.status.success() {
            return Ok(answer.out);
        }
        let why = report::error(&answer.out).unwrap_or(match answer.err.trim() {
            "" => answer.out,
            _ => answer.err,
        });
        Err(self
            .failed(arguments, &why.trim().replace('\n', "\n  "))
            .into())
    }

    fn failed(&self, arguments: &[&str], why: &str) -> Failure {
        let why = match why {
            "" => "it did not say why",
            said => said,
        };
        Failure::new(format!(
            "`vagrant {}` in {} failed:\n  {why}",
            arguments.join(" "),
            self.directory.display()
        ))
        .hint(self.remedy(why))
    }

    fn remedy(&self, why: &str) -> String {
        let known = [
            (
                "already executing an action",
                "another vagrant works on that machine: wait until it has ended, then run this again",
            ),
            (
                "could not detect VirtualBox",
                "install VirtualBox (virtualbox.org/wiki/Linux_Downloads), then run this again",
            ),
            (
                "VT-x is",
                "switch on virtualization (VT-x or AMD-V) in this host's firmware, then run this again",
            ),
            (
                "not a TTY",
                "Vagrant has a question that nobody here can answer, such as which interface to bridge to: `ip link` \
                 lists those of this host; name one that is up",
            ),
        ];
        known
            .iter()
            .find(|(said, _)| why.contains(said))
            .map_or_else(
                || {
                    format!(
                        "`vagrant status` in {} shows how the machines stand; what is above is Vagrant's own words",
                        self.directory.display()
                    )
                },
                |(_, remedy)| (*remedy).to_owned(),
            )
    }
}
