//! The base box, made as the platform's documentation has it: a machine of Ubuntu's own box is started, given a key of our own in
//! place of Vagrant's, which everybody knows, and the software that is wanted; then it is packed and added to Vagrant's boxes.
//!
//! Nothing is remembered between runs: each step finds out by looking whether it is done. So a run that was interrupted or killed
//! is simply run again.

mod answers;
mod authorized_keys;
mod guest;
mod key_pair;
mod package;
mod software;
mod step;

use std::path::{Path, PathBuf};
use std::time::Instant;

use guest::Guest;
use tokio::sync::OnceCell;

use super::machine::{Docker, MadeBy, Ports, Provider, VirtualBox, VirtualMachine, check};
use super::process::Watch;
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::machine::lock::Lock;
use crate::spec::names::NameError;
use crate::spec::quantity::Bytes;

pub use software::Part;
pub use step::Step;

/// Ubuntu's box that the base machine is made of, which is v0.2's.
pub const SOURCE: &str = "ubuntu/jammy64";
/// Vagrant's name for the base machine.
const MACHINE: &str = "base";

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Build {
    /// Where all of it lies: the key pair, the Vagrantfile, the machine's files, the packed box.
    pub directory: PathBuf,
    /// The box's name.
    pub name: String,
    /// What it holds.
    pub software: Vec<Part>,
    /// What the base machine is made of.
    pub source: Source,
}

/// What the base machine is made of.
#[derive(Debug, Clone)]
pub enum Source {
    /// A box of Vagrant's catalog, under VirtualBox.
    VirtualBox {
        /// The box, such as [`SOURCE`].
        base: String,
        /// The machine's memory.
        memory: Bytes,
        /// Its processors.
        cpus: u32,
    },
    /// An image with an SSH server. Vagrant cannot pack a container, so there is no box in the end.
    Docker(Docker),
}

/// What is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A step is done already, in words.
    Already(String),
    /// A step begins, in words.
    Begins(String),
    /// It is done, after so many milliseconds.
    Done(u64),
}

impl Build {
    /// Goes through the steps, and does those that are not done.
    ///
    /// # Errors
    /// The first step's that fails; [`crate::error::Exit::Interrupted`] when interrupted; [`crate::error::Exit::Locked`] when another
    /// run works in the directory.
    pub async fn run(&self, watch: &Watch<'_>, tell: &dyn Fn(Told)) -> anyhow::Result<()> {
        if !is_box_name(&self.name) {
            return Err(Failure::usage(
                NameError {
                    value: self.name.clone(),
                    kind: "name of a box",
                    rule: "write small letters, digits and hyphens, at most 24, such as dtaas"
                        .into(),
                }
                .to_string(),
            )
            .into());
        }
        check(&[self.machine()?])?;
        Tree::create(&self.directory)?;
        let directory = std::fs::canonicalize(&self.directory)?;
        let _lock = Lock::take(&directory, "dtaas box build")?;
        let at_work = AtWork {
            tree: Tree::open(&directory)?,
            directory,
            build: self,
            watch,
            guest: OnceCell::new(),
        };
        for step in Step::of(self.provider()) {
            watch.goes_on()?;
            let text = step.describe(self);
            if at_work.is_done(*step).await? {
                tell(Told::Already(text));
                continue;
            }
            let began = Instant::now();
            tell(Told::Begins(text));
            at_work.carry_out(*step).await?;
            tell(Told::Done(
                u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            ));
        }
        Ok(())
    }

    /// Who runs the base machine.
    pub fn provider(&self) -> Provider {
        match self.source {
            Source::VirtualBox { .. } => Provider::VirtualBox,
            Source::Docker(_) => Provider::Docker,
        }
    }

    /// The packed box, relative to the directory.
    pub fn package(&self) -> PathBuf {
        format!("{}.vagrant", self.name).into()
    }

    /// The base machine.
    pub fn machine(&self) -> anyhow::Result<VirtualMachine> {
        Ok(VirtualMachine {
            name: MACHINE.into(),
            hostname: format!("{}-base", self.name).parse()?,
            // Vagrant's own at first, then what lies in `.vagrant`.
            private_key: None,
            ports: Ports::default(),
            made_by: match &self.source {
                Source::VirtualBox { base, memory, cpus } => MadeBy::VirtualBox(VirtualBox {
                    base: base.clone(),
                    memory: *memory,
                    cpus: *cpus,
                    mac: None,
                    bridge: None,
                }),
                Source::Docker(docker) => MadeBy::Docker(docker.clone()),
            },
            software: software::words(&self.software),
        })
    }
}

/// It is part of a host name and of a file's.
fn is_box_name(name: &str) -> bool {
    (1..=24).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A run under way.
struct AtWork<'a> {
    build: &'a Build,
    /// Absolute, as Vagrant is told paths in it.
    directory: PathBuf,
    tree: Tree,
    watch: &'a Watch<'a>,
    /// How the base machine is reached, once it runs.
    guest: OnceCell<Guest>,
}

impl AtWork<'_> {
    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    /// The base machine, which must run.
    async fn guest(&self) -> anyhow::Result<&Guest> {
        self.guest
            .get_or_try_init(|| async {
                let config = super::ssh_config(&self.directory, MACHINE).await?;
                Guest::new(config, &self.path(key_pair::PRIVATE))
            })
            .await
    }
}
