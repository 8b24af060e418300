//! What an agent does: looks, applies what it saw is due, and a few things besides.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::sync::watch;

use super::super::protocol::{Reply, Request, Tell};
use super::{Voice, docker_package};
use crate::error::Failure;
use crate::machine::apply;
use crate::machine::diff::{self, DiffOptions};
use crate::machine::docker::Engine;
use crate::machine::event::Event;
use crate::machine::files::Tree;
use crate::machine::lock::Lock;
use crate::machine::plan::Plan;
use crate::machine::{doors, observe, purge, wait};
use crate::platform::desired::Desired;
use crate::route;

/// How many versions of this executable are kept, this one included.
const KEPT: usize = 2;

/// What an agent keeps in mind between two requests.
pub(super) struct Work {
    voice: Voice,
    cancelled: watch::Receiver<bool>,
    engine: Option<Engine>,
    due: Option<(Desired, Plan)>,
    deployment: Option<Lock>,
    machine: Mutex<Option<Lock>>,
}

impl Work {
    pub(super) fn new(voice: Voice, cancelled: watch::Receiver<bool>) -> Self {
        sweep();
        Self {
            voice,
            cancelled,
            engine: None,
            due: None,
            deployment: None,
            machine: Mutex::default(),
        }
    }

    pub(super) async fn does(&mut self, request: Request) -> anyhow::Result<Reply> {
        match request {
            Request::Look {
                desired,
                options,
                lock,
                answers,
                pulling_within,
            } => {
                self.connect(Duration::from_secs(pulling_within)).await?;
                if let Some(holder) = &lock {
                    self.lock(&desired.root, holder).await?;
                }
                self.look(*desired, &options, answers).await
            }
            Request::Apply {} => self.apply().await,
            Request::Purge { library } => self.purge(&library),
            Request::Doors { doors } => Ok(Reply::Doors {
                closed: doors::closed(&doors).await,
            }),
            Request::InstallDocker {} => {
                docker_package::install(&|text| self.voice.note(text)).await?;
                Ok(Reply::Nothing)
            }
            Request::Route {} => {
                let voice = self.voice.clone();
                let report =
                    route::apply(&route::Options::default(), &mut |text| voice.note(text)).await?;
                Ok(Reply::Route { report })
            }
        }
    }

    async fn connect(&mut self, pulling_within: Duration) -> anyhow::Result<()> {
        if self.engine.is_none() {
            let engine = Engine::connect(None).await?;
            self.engine = Some(engine.pulling_within(pulling_within));
        }
        Ok(())
    }

    fn engine(&self) -> anyhow::Result<&Engine> {
        self.engine
            .as_ref()
            .ok_or_else(|| Failure::new("this machine was not looked at").into())
    }

    /// Holds the deployment and the machine, waiting for whoever has them; the one always before the other.
    async fn lock(&mut self, root: &Path, holder: &str) -> anyhow::Result<()> {
        let say = |text: &str| self.voice.note(text);
        if self.deployment.is_none() {
            Tree::create(root)?;
            self.deployment = Some(Lock::wait(root, holder, &say).await?);
        }
        let machine = Lock::machine(holder, &say).await?;
        *self.machine.lock().unwrap_or_else(PoisonError::into_inner) = Some(machine);
        Ok(())
    }

    async fn look(
        &mut self,
        desired: Desired,
        options: &DiffOptions,
        answers: bool,
    ) -> anyhow::Result<Reply> {
        let engine = self.engine()?;
        let observed = observe::observe(engine, &desired, &options.scope).await?;
        let plan = diff::diff(&desired, &observed, options);
        let is_up = observe::is_up(engine, &desired).await?;
        let answers = match answers {
            true => wait::answers_now(desired.containers.iter()).await,
            false => Vec::new(),
        };
        self.due = Some((desired, plan.clone()));
        Ok(Reply::Difference {
            plan,
            containers: observed.containers,
            is_up,
            answers,
        })
    }

    async fn apply(&mut self) -> anyhow::Result<Reply> {
        let (desired, plan) = self
            .due
            .take()
            .ok_or_else(|| Failure::new("this machine was not looked at"))?;
        let options = apply::Options::new(self.cancelled.clone());
        let events = |event: Event| {
            if let Event::Waiting { .. } = event {
                self.let_go_of_the_machine();
            }
            self.voice.tell(&Tell::Event { event });
        };
        let outcome = apply::apply(self.engine()?, &desired, &plan, &options, &events).await?;
        self.let_go_of_the_machine();
        // Kept in mind for a purge; nothing is due any more.
        self.due = Some((desired, Plan::default()));
        Ok(Reply::Outcome { outcome })
    }

    fn let_go_of_the_machine(&self) {
        self.machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn purge(&mut self, library: &Path) -> anyhow::Result<Reply> {
        let root = self
            .due
            .take()
            .map(|(desired, _)| desired.root)
            .context("this machine was not looked at")?;
        let lock = self
            .deployment
            .take()
            .context("the deployment there is not locked")?;
        purge::check(&root, library)?;
        purge::purge(&root, library, lock)?;
        Ok(Reply::Nothing)
    }
}

/// Removes versions of this executable that were brought here and are not used any more: all but the newest, beside this one. Where that
/// does not work they only take room.
fn sweep() {
    let Ok(here) = std::env::current_exe() else {
        return;
    };
    let Some(version) = here.parent() else {
        return;
    };
    let Some(all) = version.parent().filter(|all| all.ends_with("dtaas/agent")) else {
        return;
    };
    let mut others: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(all)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path() != version)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    others.sort();
    let many = others.len().saturating_sub(KEPT - 1);
    for (_, path) in others.drain(..many) {
        let _ = std::fs::remove_dir_all(path);
    }
}
