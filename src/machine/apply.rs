//! Applies a plan: the only part that changes a machine.
//!
//! Killed at any moment, it leaves what another run puts right: nothing is remembered but what is on the machine.

mod failed;
mod outcome;
mod step;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use futures_util::StreamExt;
use tokio::sync::watch;

use crate::machine::docker::Engine;
use crate::machine::event::{Event, StepFailure};
use crate::machine::plan::Plan;
use crate::machine::step::{Phase, Step};
use crate::machine::wait;
use crate::platform::desired::{Container, Desired};
use failed::Failed;

pub use outcome::{Outcome, Tokens};

/// How it is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Set to true, the steps in hand are finished and no other is begun. What is long and can be left, such as a pull, is broken off.
    pub cancel: watch::Receiver<bool>,
    /// How many pulls, and how many containers, side by side.
    pub side_by_side: usize,
    /// Whether to wait until the containers answer.
    pub wait: bool,
}

impl Options {
    /// Eight side by side, waiting until all answer, until `cancel` says stop.
    pub fn new(cancel: watch::Receiver<bool>) -> Self {
        Self {
            cancel,
            side_by_side: 8,
            wait: true,
        }
    }
}

impl Default for Options {
    /// Nothing interrupts it.
    fn default() -> Self {
        Self::new(watch::channel(false).1)
    }
}

/// Does the steps of a plan that are about directories and files, in their order, and no other: what `render` does, for
/// which no engine is needed. Answers how many there were.
///
/// # Errors
///
/// When something is in the way, or at the first step that fails.
pub fn paths(desired: &Desired, plan: &Plan) -> Result<usize> {
    if let Some(refusal) = plan.refusal() {
        return Err(refusal.into());
    }
    let mut done = 0;
    for step in &plan.steps {
        done += usize::from(step::act_on_paths(desired, step)?);
    }
    Ok(done)
}

/// Does what a plan says, phase by phase; within a phase side by side, and images beside networks. What fails is reported and the rest goes on, except
/// for what needs it.
///
/// # Errors
///
/// Only when the plan cannot be begun because something is in the way; nothing has been done then. All else is in the [`Outcome`].
pub async fn apply(
    engine: &Engine,
    desired: &Desired,
    plan: &Plan,
    options: &Options,
    events: &(dyn Fn(Event) + Sync),
) -> Result<Outcome> {
    if let Some(refusal) = plan.refusal() {
        return Err(refusal.into());
    }
    let run = Run {
        engine,
        desired,
        events,
        failed: Mutex::default(),
        tokens: Mutex::default(),
    };
    let mut outcome = Outcome::default();
    let mut next = 0;
    while next < plan.steps.len() {
        let phase = plan.steps[next].phase();
        let length = plan.steps[next..]
            .iter()
            .take_while(|step| together(step.phase()) == together(phase))
            .count();
        let steps = plan.steps[next..next + length].iter().enumerate();
        let run = &run;
        let mut results: Vec<(usize, Came)> =
            futures_util::stream::iter(steps.map(|(offset, step)| async move {
                let at = next + offset;
                (at, run.step(at, step, &options.cancel).await)
            }))
            .buffer_unordered(width(phase, options))
            .collect()
            .await;
        results.sort_by_key(|(at, _)| *at);
        for (at, came) in results {
            match came {
                Came::Done => outcome.done += 1,
                Came::Failed(failure) => outcome.failures.push(failure),
                Came::Skipped => outcome.skipped += 1,
                Came::Interrupted => {
                    outcome.interrupted = true;
                    outcome.left.push(plan.steps[at].describe());
                }
            }
        }
        next += length;
    }
    if options.wait && !outcome.interrupted {
        let containers = run.to_wait_for(plan);
        let mut cancel = options.cancel.clone();
        tokio::select! {
            silent = wait::ready(engine, &containers, events) => {
                outcome.failures.extend(silent.into_iter().map(|(_, failure)| failure));
            }
            () = interruption(&mut cancel) => outcome.interrupted = true,
        }
    }
    outcome.tokens = run.with_tokens(std::mem::take);
    Ok(outcome)
}

/// The phase whose turn it is as well: no network needs an image, and both take their time.
fn together(phase: Phase) -> Phase {
    match phase {
        Phase::Images | Phase::Networks => Phase::Images,
        Phase::RemoveFiles
        | Phase::RemoveContainers
        | Phase::RemoveNetworks
        | Phase::SetAside
        | Phase::RemoveFirewall
        | Phase::Directories
        | Phase::Files
        | Phase::Routes
        | Phase::Firewall
        | Phase::Containers
        | Phase::Tell
        | Phase::RemoveImages => phase,
    }
}

/// How many steps of a phase are done side by side.
fn width(phase: Phase, options: &Options) -> usize {
    match phase {
        // Parents before children, routes before all else.
        Phase::RemoveFiles | Phase::SetAside | Phase::Directories => 1,
        // Each waits for the disk twice, and the disk serves many at once.
        Phase::Files | Phase::Routes => 32,
        Phase::RemoveFirewall | Phase::Firewall => 1,
        Phase::RemoveContainers
        | Phase::RemoveNetworks
        | Phase::Images
        | Phase::Networks
        | Phase::Containers
        | Phase::Tell
        | Phase::RemoveImages => options.side_by_side.max(1),
    }
}

/// Whether a step may be broken off: the engine keeps what it has of an image, or nothing, and no image is half there.
fn can_be_left(step: &Step) -> bool {
    match step {
        Step::PullImage { .. } | Step::MakeImage { .. } => true,
        Step::MakeDirectory { .. }
        | Step::SetMode { .. }
        | Step::SetOwner { .. }
        | Step::WriteFile { .. }
        | Step::RemoveFile { .. }
        | Step::SetAside { .. }
        | Step::RemoveImage { .. }
        | Step::CreateNetwork { .. }
        | Step::RemoveNetwork { .. }
        | Step::SetFirewall { .. }
        | Step::RemoveFirewall { .. }
        | Step::SetHealing { .. }
        | Step::RemoveHealing
        | Step::CreateContainer { .. }
        | Step::RecreateContainer { .. }
        | Step::StartContainer { .. }
        | Step::RestartContainer { .. }
        | Step::AttachNetwork { .. }
        | Step::StopContainer { .. }
        | Step::UpdateLimits { .. }
        | Step::Reload { .. }
        | Step::SetAccounts { .. }
        | Step::RemoveContainer { .. } => false,
    }
}

/// Ends when the run is interrupted; never, when nobody can do that any more.
pub(super) async fn interruption(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

enum Came {
    Done,
    Failed(StepFailure),
    Skipped,
    Interrupted,
}

struct Run<'a> {
    engine: &'a Engine,
    desired: &'a Desired,
    events: &'a (dyn Fn(Event) + Sync),
    failed: Mutex<Failed>,
    tokens: Mutex<Tokens>,
}

impl Run<'_> {
    async fn step(&self, index: usize, step: &Step, cancel: &watch::Receiver<bool>) -> Came {
        if *cancel.borrow() {
            return Came::Interrupted;
        }
        if let Some(because) = self.missing(step) {
            self.note(step);
            (self.events)(Event::StepSkipped {
                step: index,
                because,
            });
            return Came::Skipped;
        }
        (self.events)(Event::StepStarted {
            step: index,
            text: step.describe(),
        });
        let begun = Instant::now();
        let act = self.act(index, step);
        let done = match can_be_left(step) {
            false => act.await,
            true => {
                let mut cancel = cancel.clone();
                tokio::select! {
                    done = act => done,
                    () = interruption(&mut cancel) => {
                        (self.events)(Event::StepDropped { step: index });
                        return Came::Interrupted;
                    }
                }
            }
        };
        match done {
            Ok(()) => {
                (self.events)(Event::StepDone {
                    step: index,
                    millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                });
                Came::Done
            }
            Err(error) => {
                self.note(step);
                let failure = StepFailure::of(&error);
                (self.events)(Event::StepFailed {
                    step: index,
                    failure: failure.clone(),
                });
                Came::Failed(failure)
            }
        }
    }

    fn with_failed<T>(&self, look: impl FnOnce(&mut Failed) -> T) -> T {
        look(&mut self.failed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_tokens<T>(&self, look: impl FnOnce(&mut Tokens) -> T) -> T {
        look(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why a step cannot be done, when one that it needs failed.
    fn missing(&self, step: &Step) -> Option<String> {
        self.with_failed(|failed| match step {
            Step::WriteFile { path, .. } if step.phase() == Phase::Routes => {
                let user = self.desired.file(path).and_then(|file| file.user.as_ref());
                failed
                    .lacks_file(user)
                    .then(|| "a file that it names is missing".to_owned())
            }
            Step::CreateContainer { name }
            | Step::RecreateContainer { name, .. }
            | Step::StartContainer { name, .. }
            | Step::AttachNetwork { name, .. }
            | Step::RestartContainer { name, .. } => {
                let container = self.container(name)?;
                if failed.lacks_file(container.user.as_ref()) {
                    Some("a file or directory is missing".to_owned())
                } else if failed.images.contains(&container.image) {
                    Some(format!("the image {} is missing", container.image))
                } else {
                    let network = container.network.network()?;
                    if failed.networks.contains(network) {
                        Some(format!("the network {network} is missing"))
                    } else if failed.firewall {
                        Some("the firewall rules are not in place".to_owned())
                    } else {
                        None
                    }
                }
            }
            Step::Reload { name, .. } | Step::SetAccounts { name, .. } => failed
                .containers
                .contains(name)
                .then(|| "it does not run".to_owned()),
            Step::CreateNetwork { name, .. } => failed
                .networks
                .contains(name)
                .then(|| "the old one is still there".to_owned()),
            Step::RemoveNetwork {
                user: Some(user), ..
            } => failed
                .users
                .contains(user)
                .then(|| "a container is still attached to it".to_owned()),
            Step::SetAside { user, .. } => failed
                .users
                .contains(user)
                .then(|| "the workspace still runs".to_owned()),
            Step::RemoveFirewall { .. } => {
                (!failed.users.is_empty()).then(|| "a workspace still runs".to_owned())
            }
            Step::RemoveNetwork { user: None, .. }
            | Step::MakeDirectory { .. }
            | Step::SetMode { .. }
            | Step::SetOwner { .. }
            | Step::WriteFile { .. }
            | Step::RemoveFile { .. }
            | Step::PullImage { .. }
            | Step::MakeImage { .. }
            | Step::RemoveImage { .. }
            | Step::SetFirewall { .. }
            | Step::SetHealing { .. }
            | Step::RemoveHealing
            | Step::StopContainer { .. }
            | Step::UpdateLimits { .. }
            | Step::RemoveContainer { .. } => None,
        })
    }

    /// Keeps in mind that a step was not done.
    fn note(&self, step: &Step) {
        self.with_failed(|failed| match step {
            Step::MakeDirectory { path, .. }
            | Step::SetMode { path, .. }
            | Step::SetOwner { path, .. } => {
                let mut directories = self.desired.directories.iter();
                match directories.find(|directory| directory.path == *path) {
                    Some(directory) if directory.yielding => {}
                    found => failed.file(found.and_then(|directory| directory.user.as_ref())),
                }
            }
            Step::WriteFile { path, .. } => {
                let file = self.desired.file(path);
                failed.file(file.and_then(|file| file.user.as_ref()));
            }
            Step::PullImage { reference } | Step::MakeImage { reference } => {
                failed.images.insert(reference.clone());
            }
            Step::CreateNetwork { name, .. } | Step::RemoveNetwork { name, .. } => {
                failed.networks.insert(name.clone());
            }
            Step::SetFirewall { .. } => failed.firewall = true,
            Step::RemoveContainer { name, user, .. } => {
                failed.containers.insert(name.clone());
                failed.users.extend(user.clone());
            }
            Step::CreateContainer { name }
            | Step::RecreateContainer { name, .. }
            | Step::StartContainer { name, .. }
            | Step::AttachNetwork { name, .. }
            | Step::RestartContainer { name, .. } => {
                failed.containers.insert(name.clone());
            }
            Step::RemoveFile { .. }
            | Step::SetAside { .. }
            | Step::RemoveImage { .. }
            | Step::RemoveFirewall { .. }
            | Step::SetHealing { .. }
            | Step::RemoveHealing
            | Step::StopContainer { .. }
            | Step::Reload { .. }
            | Step::SetAccounts { .. }
            | Step::UpdateLimits { .. } => {}
        });
    }

    fn container(&self, name: &str) -> Option<&Container> {
        self.desired
            .containers
            .iter()
            .find(|container| container.name == name)
    }

    /// The containers to probe: those that were not found missing already.
    fn to_wait_for(&self, plan: &Plan) -> Vec<&Container> {
        let failed = self.with_failed(|failed| failed.containers.clone());
        plan.ready
            .iter()
            .filter(|name| !failed.contains(*name))
            .filter_map(|name| self.container(name))
            .collect()
    }
}
