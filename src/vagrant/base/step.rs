//! The steps of making the base box, in order.

use std::path::{Path, PathBuf};

use super::software::words;
use super::{AtWork, Build, MACHINE, answers, authorized_keys, key_pair};
use crate::error::Failure;
use crate::machine::files::Written;
use crate::vagrant::command::Vagrant;
use crate::vagrant::machine::Provider;
use crate::vagrant::render::PROVISION;
use crate::vagrant::{State, halt, start, status, write};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The key pair that the box answers to.
    KeyPair,
    /// What Vagrant reads.
    Files,
    /// The base machine runs.
    Start,
    /// It takes our key.
    OwnKey,
    /// Vagrant uses our key.
    UseOwnKey,
    /// `vagrant ssh` works with it.
    LogIn,
    /// It takes none of Vagrant's keys, which everybody has.
    InsecureKeys,
    /// It holds the software.
    Software,
    /// It is asked about all of these keys.
    Answers,
    /// What must differ from machine to machine is not in it.
    Seal,
    /// It is shut down.
    Halt,
    /// It is packed.
    Package,
    /// Vagrant has the box.
    Add,
    /// A machine is made of the box, asked, and taken away.
    Check,
}

impl Step {
    /// The steps with a provider, in order. Our key is in, and was seen to work, before any other goes.
    pub fn of(provider: Provider) -> &'static [Step] {
        use Step::{
            Add, Answers, Check, Files, Halt, InsecureKeys, KeyPair, LogIn, OwnKey, Package, Seal,
            Software, Start, UseOwnKey,
        };
        match provider {
            Provider::VirtualBox => &[
                KeyPair,
                Files,
                Start,
                OwnKey,
                UseOwnKey,
                LogIn,
                InsecureKeys,
                Software,
                Answers,
                Seal,
                Halt,
                Package,
                Add,
                Check,
            ],
            Provider::Docker => &[
                KeyPair,
                Files,
                Start,
                OwnKey,
                UseOwnKey,
                LogIn,
                InsecureKeys,
                Software,
                Answers,
                Halt,
            ],
        }
    }

    /// What it does, in words.
    pub fn describe(self, build: &Build) -> String {
        let package = build.package();
        let package = package.display();
        match self {
            Step::KeyPair => format!(
                "make the key pair {} and {}",
                key_pair::PRIVATE,
                key_pair::PUBLIC
            ),
            Step::Files => "write Vagrantfile, boxes.json and provision.sh".to_owned(),
            Step::Start => "start the base machine".to_owned(),
            Step::OwnKey => format!("let {} in", key_pair::PUBLIC),
            Step::UseOwnKey => format!("have Vagrant use {}", key_pair::PRIVATE),
            Step::LogIn => "log in with it".to_owned(),
            Step::InsecureKeys => "lock out Vagrant's insecure keys".to_owned(),
            Step::Software => format!("install {}", words(&build.software).join(", ")),
            Step::Answers => {
                "see that the machine answers to our key and not to the insecure ones".to_owned()
            }
            Step::Seal => "take machine-id and host keys out".to_owned(),
            Step::Halt => "shut the base machine down".to_owned(),
            Step::Package => format!("pack it as {package}"),
            Step::Add => format!("add {package} to Vagrant's boxes as {}", build.name),
            Step::Check => {
                "see that a machine of the box answers to our key and not to the insecure ones"
                    .to_owned()
            }
        }
    }

    /// Whether it is only there for what is packed, and so done when that is.
    fn leads_to_package(self) -> bool {
        match self {
            Step::KeyPair | Step::Files | Step::Package | Step::Add | Step::Check => false,
            Step::Start
            | Step::OwnKey
            | Step::UseOwnKey
            | Step::LogIn
            | Step::InsecureKeys
            | Step::Software
            | Step::Answers
            | Step::Seal
            | Step::Halt => true,
        }
    }
}

impl AtWork<'_> {
    /// Finds out by looking whether a step is done.
    pub(super) async fn is_done(&self, step: Step) -> anyhow::Result<bool> {
        if step.leads_to_package() && self.is_packed()? {
            return Ok(true);
        }
        match step {
            Step::KeyPair => Ok(key_pair::read(&self.tree).await?.is_some()),
            // Whether there is something to write is found out best by writing it.
            Step::Files => {
                let machine = self.build.machine()?;
                Ok(!write(&self.directory, &[machine])?)
            }
            Step::Start => Ok(self.state().await? == State::Running),
            Step::OwnKey => {
                let own = self.own_key().await?;
                Ok(authorized_keys::holds(
                    &self.guest().await?.keys().await?,
                    &own.body,
                ))
            }
            Step::UseOwnKey => {
                let used = self.tree.read(&self.used_key())?;
                Ok(used.is_some() && used == self.tree.read(Path::new(key_pair::PRIVATE))?)
            }
            Step::InsecureKeys => {
                let keys = self.guest().await?.keys().await?;
                Ok(!authorized_keys::INSECURE
                    .iter()
                    .any(|insecure| authorized_keys::holds(&keys, insecure.body)))
            }
            Step::Software => {
                let mut arguments = vec!["--check".to_owned()];
                arguments.extend(words(&self.build.software));
                self.guest().await?.provision(&arguments).await
            }
            Step::Seal => {
                let arguments = ["--check", "--seal"].map(str::to_owned);
                self.guest().await?.provision(&arguments).await
            }
            Step::Halt => Ok(self.state().await? != State::Running),
            Step::Package => self.is_packed(),
            Step::Add => self.is_added().await,
            // These are looks themselves.
            Step::LogIn | Step::Answers | Step::Check => Ok(false),
        }
    }

    /// Does a step.
    pub(super) async fn carry_out(&self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::KeyPair => key_pair::make(&self.tree).await,
            // Done by looking.
            Step::Files => Ok(()),
            Step::Start => {
                let machine = self.build.machine()?;
                start(&self.directory, &[machine], &["--no-provision"], self.watch).await
            }
            Step::OwnKey => {
                let own = self.own_key().await?;
                let guest = self.guest().await?;
                let keys = authorized_keys::with(&guest.keys().await?, &own.line);
                guest.set_keys(&keys).await
            }
            Step::UseOwnKey => {
                let key = self.tree.read(Path::new(key_pair::PRIVATE))?;
                let written = self
                    .tree
                    .write(&self.used_key(), 0o600, &key.unwrap_or_default())?;
                match written {
                    Written::Created | Written::Changed | Written::Unchanged => Ok(()),
                }
            }
            Step::LogIn => self
                .vagrant()?
                .ask(&["ssh", MACHINE, "-c", "true"])
                .await
                .map(|_| ()),
            Step::InsecureKeys => {
                let guest = self.guest().await?;
                let keys = authorized_keys::without_insecure(&guest.keys().await?);
                guest.set_keys(&keys).await
            }
            Step::Software => {
                self.vagrant()?
                    .follow(&["provision", MACHINE], self.watch)
                    .await
            }
            Step::Answers => {
                let own = self.path(key_pair::PRIVATE);
                let mended = ", then run this again";
                answers::verify(self.guest().await?, &own, &self.tree, mended).await
            }
            Step::Seal => {
                match self.guest().await?.provision(&["--seal".to_owned()]).await? {
                    true => Ok(()),
                    false => Err(Failure::new("the base machine cannot be sealed")
                        .hint("`vagrant ssh` in the same directory, then look at /etc/ssh and /etc/machine-id")
                        .into()),
                }
            }
            Step::Halt => halt(&self.directory, self.watch).await.map(|_| ()),
            Step::Package => self.pack().await,
            Step::Add => self.add().await,
            Step::Check => self.check().await,
        }
    }

    pub(super) fn vagrant(&self) -> anyhow::Result<Vagrant> {
        Ok(Vagrant::in_directory(&self.directory)?)
    }

    pub(super) async fn own_key(&self) -> anyhow::Result<authorized_keys::PublicKey> {
        key_pair::read(&self.tree).await?.ok_or_else(|| {
            Failure::new("the key pair went away while the box was built")
                .hint("run the same command again; it begins with a new one")
                .into()
        })
    }

    async fn state(&self) -> anyhow::Result<State> {
        let found = status(&self.directory).await?;
        Ok(found
            .into_iter()
            .find(|status| status.name == MACHINE)
            .map_or(State::NotCreated, |status| status.state))
    }

    /// The key that Vagrant uses, instead of its own, when it lies there.
    fn used_key(&self) -> PathBuf {
        Path::new(".vagrant/machines")
            .join(MACHINE)
            .join(self.build.provider().as_str())
            .join("private_key")
    }
}

impl super::guest::Guest {
    /// Runs `provision.sh` there as root; answers whether it ended well.
    async fn provision(&self, arguments: &[String]) -> anyhow::Result<bool> {
        // Words of ours and names of images, which hold nothing that a shell would read otherwise.
        let command = format!("sudo -n bash -s -- {}", arguments.join(" "));
        self.ends_well(&command, PROVISION).await
    }
}
