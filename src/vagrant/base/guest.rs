//! A machine of Vagrant's, reached by OpenSSH as `vagrant ssh` reaches it, but without the seconds that Ruby takes to start.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::key_pair::program;
use crate::error::Failure;
use crate::vagrant::SshConfig;
use crate::vagrant::process::{self, Answer};

/// A machine that runs.
pub(super) struct Guest {
    config: SshConfig,
    ssh: PathBuf,
    /// Our key, which it takes sooner or later.
    own: PathBuf,
}

impl Guest {
    pub(super) fn new(config: SshConfig, own: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            config,
            ssh: program("ssh")?,
            own: own.to_owned(),
        })
    }

    /// `ssh` with these keys and no others, whatever the caller's configuration says. The host key is one that nobody has seen
    /// before, at a port of this host: it is not asked for, as in `vagrant ssh`.
    fn command(&self, identities: &[&Path], options: &[&str], remote: &str) -> Command {
        let mut command = Command::new(&self.ssh);
        command.args(["-F", "none", "-T"]);
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=30",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
        ]
        .iter()
        .chain(options)
        {
            command.args(["-o", option]);
        }
        for identity in identities {
            command.arg("-i").arg(identity);
        }
        let port = self.config.port.to_string();
        command.args(["-p", &port, "-l", &self.config.user, "--"]);
        command.args([&self.config.address, remote]);
        command
    }

    /// Tries one key, and tells what `ssh` says of it in its own words.
    pub(super) async fn try_key(&self, identity: &Path) -> anyhow::Result<Answer> {
        process::ask(
            &mut self.command(&[identity], &["LogLevel=DEBUG1"], "true"),
            None,
        )
        .await
    }

    async fn run(&self, remote: &str, input: &str) -> anyhow::Result<Answer> {
        let mut identities = vec![self.own.as_path()];
        identities.extend(self.config.identity_files.iter().map(PathBuf::as_path));
        let mut command = self.command(&identities, &["LogLevel=ERROR"], remote);
        let answer = process::ask(&mut command, Some(input)).await?;
        // What ssh itself fails with, as opposed to what it ran (ssh(1), EXIT STATUS).
        if answer.status.code() == Some(255) {
            return Err(Failure::new(format!(
                "cannot log in to the machine {} at {} port {}: {}",
                self.config.host,
                self.config.address,
                self.config.port,
                answer.err.trim().replace('\n', ", ")
            ))
            .hint("run this again; if that does not help: `vagrant ssh` in the same directory shows more, `vagrant destroy` begins anew")
            .into());
        }
        Ok(answer)
    }

    /// Whether a command ends with 0, given `input`. Another end than 0 and 1 is an error.
    pub(super) async fn ends_well(&self, remote: &str, input: &str) -> anyhow::Result<bool> {
        let answer = self.run(remote, input).await?;
        match answer.status.code() {
            Some(0) => Ok(true),
            // What `provision.sh` says when something is missing; others that fail say why.
            Some(1) if answer.err.is_empty() || answer.err.starts_with("provision: missing") => {
                Ok(false)
            }
            Some(_) | None => Err(self.failed(remote, &answer).into()),
        }
    }

    /// Its `authorized_keys`; empty when there is none.
    pub(super) async fn keys(&self) -> anyhow::Result<String> {
        let remote = "test ! -e .ssh/authorized_keys || cat .ssh/authorized_keys";
        let answer = self.run(remote, "").await?;
        match answer.status.success() {
            true => Ok(answer.out),
            false => Err(self.failed(remote, &answer).into()),
        }
    }

    /// Writes its `authorized_keys`: whole or not at all, for half of it would lock us out.
    pub(super) async fn set_keys(&self, text: &str) -> anyhow::Result<()> {
        let remote = format!(
            "umask 077 && mkdir -p .ssh && cat >.ssh/authorized_keys.new && \
             test \"$(wc -c <.ssh/authorized_keys.new)\" -eq {} && mv .ssh/authorized_keys.new .ssh/authorized_keys",
            text.len()
        );
        let answer = self.run(&remote, text).await?;
        match answer.status.success() {
            true => Ok(()),
            false => Err(self.failed(&remote, &answer).into()),
        }
    }

    fn failed(&self, remote: &str, answer: &Answer) -> Failure {
        Failure::new(format!(
            "on the machine {}, `{remote}` failed: {}",
            self.config.host,
            answer.err.trim().replace('\n', ", ")
        ))
        .hint("`vagrant ssh` in the same directory shows what is wrong there; then run this again")
    }
}
