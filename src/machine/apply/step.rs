//! One step, done.

use std::net::SocketAddrV4;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Run;
use crate::error::Failure;
use crate::machine::event::Event;
use crate::machine::files::Tree;
use crate::machine::observed::{ContainerState, Owner};
use crate::machine::step::Step;
use crate::machine::{accounts, docker, firewall, hash, image, ports, systemd, wait};
use crate::platform::desired::{Container, Desired, Directory, File, Network};
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// How long a container that the engine is still making may take to be seen.
const TO_APPEAR: Duration = Duration::from_secs(20);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Does a step that is about directories and files; answers whether it was one.
pub(super) fn act_on_paths(state: &Desired, step: &Step) -> Result<bool> {
    match step {
        Step::MakeDirectory { path, .. }
        | Step::SetMode { path, .. }
        | Step::SetOwner { path, .. } => {
            let directory = state
                .directories
                .iter()
                .find(|directory| directory.path == *path);
            let directory = desired(directory, path.display())?;
            let (base, below) = state.locate(path);
            let tree = Tree::create(base)?;
            make_parents(&tree, below)?;
            tree.make_dir(&Directory {
                path: below.to_owned(),
                ..directory.clone()
            })?;
        }
        Step::WriteFile { path, .. } => {
            let file = desired(state.file(path), path.display())?;
            write(&state.root, file)?;
        }
        Step::RemoveFile { path } => {
            Tree::open(&state.root)?.remove(path)?;
        }
        Step::SetAside { from, to, .. } => {
            let (base, below) = state.locate(from);
            let (_, to) = state.locate(to);
            let tree = Tree::open(base)?;
            if let Some(above) = to.parent() {
                tree.make_dir(&Directory {
                    mode: 0o700,
                    enforce: true,
                    ..Directory::plain(above)
                })?;
            }
            tree.rename(below, to)?;
        }
        Step::PullImage { .. }
        | Step::MakeImage { .. }
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
        | Step::RemoveContainer { .. } => return Ok(false),
    }
    Ok(true)
}

impl Run<'_> {
    pub(super) async fn act(&self, index: usize, step: &Step) -> Result<()> {
        let engine = self.engine;
        match step {
            Step::WriteFile { path, .. } => {
                let file = desired(self.desired.file(path), path.display())?.clone();
                let root = self.desired.root.clone();
                tokio::task::spawn_blocking(move || write(&root, &file))
                    .await
                    .context("writing a file broke off")?
            }
            Step::MakeDirectory { .. }
            | Step::SetMode { .. }
            | Step::SetOwner { .. }
            | Step::RemoveFile { .. }
            | Step::SetAside { .. } => act_on_paths(self.desired, step).map(|_| ()),
            Step::PullImage { reference } => {
                let progress = |done, total| {
                    (self.events)(Event::StepProgress {
                        step: index,
                        done,
                        total,
                    });
                };
                engine.pull(reference, progress).await
            }
            Step::MakeImage { reference } => image::make(engine, self.desired, reference).await,
            Step::RemoveImage { reference } => engine.remove_image(reference).await,
            Step::CreateNetwork { name, .. } => {
                let network = self
                    .desired
                    .networks
                    .iter()
                    .find(|network| network.name == *name);
                self.create_network(desired(network, name)?).await
            }
            Step::RemoveNetwork { name, .. } => engine.remove_network(name).await,
            Step::SetFirewall { chain, .. } => {
                let wanted = desired(self.desired.firewall.as_ref(), chain)?;
                firewall::apply(self.desired, wanted).await
            }
            Step::RemoveFirewall { .. } => firewall::remove(self.desired).await,
            Step::SetHealing { why } => {
                let wanted = desired(self.desired.healing.as_ref(), why)?;
                systemd::healing::install(self.desired, wanted).await
            }
            Step::RemoveHealing => systemd::healing::remove(self.desired).await,
            Step::CreateContainer { name } => {
                let container = desired(self.container(name), name)?;
                self.create(container, true).await
            }
            Step::RecreateContainer { name, start, .. } => {
                let container = desired(self.container(name), name)?;
                if *start {
                    // Before it is gone: what could not be made again is left running.
                    let state = engine.container(name, &self.desired.hash_key).await?;
                    let held = state.as_ref().map_or(&[][..], ContainerState::holds);
                    are_free(container, held)?;
                }
                engine.remove_container(name).await?;
                self.create(container, *start).await
            }
            Step::StartContainer { name, .. } => {
                let container = desired(self.container(name), name)?;
                let state = engine.container(name, &self.desired.hash_key).await?;
                // The engine would attach it at whichever address is free.
                if let Some(network) = container.network.network()
                    && state.is_some_and(|state| !state.networks.contains(network))
                {
                    engine.attach(container).await?;
                }
                engine.start_container(name).await
            }
            Step::RestartContainer { name, .. } => engine.restart_container(name).await,
            Step::AttachNetwork { name, .. } => {
                engine.attach(desired(self.container(name), name)?).await
            }
            Step::StopContainer { name } => engine.stop_container(name).await,
            Step::UpdateLimits { name, limits, .. } => engine.update_limits(name, *limits).await,
            Step::RemoveContainer { name, .. } => engine.remove_container(name).await,
            Step::Reload { name, path } => {
                let file = desired(self.desired.file(path), path.display())?;
                self.reload(name, file).await
            }
            Step::SetAccounts { name, .. } => {
                let mut all = self.desired.accounts.iter();
                let accounts = desired(all.find(|one| one.container == *name), name)?;
                wait::until_ready(engine, name, &accounts.ready).await?;
                let made = |user: &UserName, token: Secret| {
                    self.with_tokens(|tokens| tokens.insert(user.clone(), token));
                };
                accounts::settle(engine, accounts, step, &made).await
            }
        }
    }

    /// One that has just started reads it anew as soon as it answers, and not before.
    async fn reload(&self, name: &str, file: &File) -> Result<()> {
        if let Some(probe) = self.container(name).and_then(|one| one.ready.as_ref()) {
            wait::until_ready(self.engine, name, probe).await?;
        }
        self.engine.hang_up(name).await?;
        write(&self.desired.root, file)
    }

    async fn create(&self, container: &Container, start: bool) -> Result<()> {
        if start {
            are_free(container, &[])?;
        }
        self.create_stopped(container).await?;
        if start {
            self.engine.start_container(&container.name).await?;
        }
        Ok(())
    }

    /// The engine finishes what a killed run had asked of it, so what is to be made may come into being meanwhile: the same is
    /// taken as made, and another one of ours that never ran gives way.
    async fn create_stopped(&self, container: &Container) -> Result<()> {
        let name = &container.name;
        let begun = Instant::now();
        loop {
            let Err(error) = self.engine.create_container(self.desired, container).await else {
                return Ok(());
            };
            if !docker::is_conflict(&error) {
                return Err(error);
            }
            match self.engine.container(name, &self.desired.hash_key).await? {
                Some(state) if !self.is_ours(&state.owner) => return Err(error),
                Some(state)
                    if hash::differing(&self.desired.hash_key, container, &state.parts)
                        .is_empty() =>
                {
                    return Ok(());
                }
                Some(state) if state.started => return Err(error),
                Some(_) => self.engine.remove_container(name).await?,
                // Its name is taken already, and it is not there to be seen yet.
                None if begun.elapsed() < TO_APPEAR => tokio::time::sleep(LOOK).await,
                None => return Err(error),
            }
        }
    }

    async fn create_network(&self, network: &Network) -> Result<()> {
        let Err(error) = self.engine.create_network(self.desired, network).await else {
            return Ok(());
        };
        let same = self
            .engine
            .network(&network.name)
            .await?
            .is_some_and(|state| {
                self.is_ours(&state.owner)
                    && state.hash.as_deref()
                        == Some(&hash::network(&self.desired.hash_key, network))
            });
        if same { Ok(()) } else { Err(error) }
    }

    fn is_ours(&self, owner: &Owner) -> bool {
        *owner == Owner::of(self.desired)
    }
}

/// What a step is about; a plan that was made for another desired state has steps that are about nothing.
fn desired<T>(found: Option<T>, what: impl std::fmt::Display) -> Result<T> {
    found.with_context(|| format!("the plan and the desired state do not fit: {what} is not in it"))
}

/// Fails where an address that a container is to listen on is taken, other than by what is given up for it.
fn are_free(container: &Container, held: &[SocketAddrV4]) -> Result<()> {
    match ports::taken_from(container, held, &[], &mut Vec::new()).first() {
        None => Ok(()),
        Some(taken) => Err(Failure::new(ports::message(taken))
            .hint(ports::hint(taken))
            .into()),
    }
}

fn write(root: &Path, file: &File) -> Result<()> {
    let tree = Tree::create(root)?;
    make_parents(&tree, &file.path)?;
    tree.write_as(
        &file.path,
        file.mode,
        file.owner,
        file.content.expose().as_bytes(),
    )?;
    Ok(())
}

/// Makes the directories above a file that the desired state does not name.
fn make_parents(tree: &Tree, path: &Path) -> Result<()> {
    let mut above: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|parent| !parent.as_os_str().is_empty())
        .collect();
    above.reverse();
    for parent in above {
        tree.make_dir(&Directory::plain(parent))?;
    }
    Ok(())
}
