//! One step, done.

use anyhow::{Context, Result};

use super::Run;
use crate::error::Failure;
use crate::machine::event::Event;
use crate::machine::files::Tree;
use crate::machine::plan::Step;
use crate::machine::{firewall, image, ports};
use crate::platform::desired::{Container, Desired, Directory};

/// Does a step that is about directories and files; answers whether it was one.
pub(super) fn act_on_paths(state: &Desired, step: &Step) -> Result<bool> {
    match step {
        Step::MakeDirectory { path, .. } | Step::SetMode { path, .. } => {
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
            let tree = Tree::create(&state.root)?;
            make_parents(&tree, path)?;
            tree.write_as(
                path,
                file.mode,
                file.owner,
                file.content.expose().as_bytes(),
            )?;
        }
        Step::RemoveFile { path } => {
            Tree::open(&state.root)?.remove(path)?;
        }
        Step::PullImage { .. }
        | Step::MakeImage { .. }
        | Step::RemoveImage { .. }
        | Step::CreateNetwork { .. }
        | Step::RemoveNetwork { .. }
        | Step::SetFirewall { .. }
        | Step::RemoveFirewall { .. }
        | Step::CreateContainer { .. }
        | Step::RecreateContainer { .. }
        | Step::StartContainer { .. }
        | Step::RestartContainer { .. }
        | Step::StopContainer { .. }
        | Step::UpdateLimits { .. }
        | Step::RemoveContainer { .. } => return Ok(false),
    }
    Ok(true)
}

impl Run<'_> {
    pub(super) async fn act(&self, index: usize, step: &Step) -> Result<()> {
        let engine = self.engine;
        match step {
            Step::MakeDirectory { .. }
            | Step::SetMode { .. }
            | Step::WriteFile { .. }
            | Step::RemoveFile { .. } => act_on_paths(self.desired, step).map(|_| ()),
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
            Step::MakeImage { reference } => {
                image::make(engine, &self.desired.deployment, reference).await
            }
            Step::RemoveImage { reference } => engine.remove_image(reference).await,
            Step::CreateNetwork { name, .. } => {
                let network = self
                    .desired
                    .networks
                    .iter()
                    .find(|network| network.name == *name);
                engine
                    .create_network(self.desired, desired(network, name)?)
                    .await
            }
            Step::RemoveNetwork { name, .. } => engine.remove_network(name).await,
            Step::SetFirewall { chain, .. } => {
                let wanted = desired(self.desired.firewall.as_ref(), chain)?;
                firewall::apply(self.desired, wanted).await
            }
            Step::RemoveFirewall { .. } => firewall::remove(self.desired).await,
            Step::CreateContainer { name } => {
                let container = desired(self.container(name), name)?;
                self.create(container, true).await
            }
            Step::RecreateContainer { name, start, .. } => {
                let container = desired(self.container(name), name)?;
                engine.remove_container(name).await?;
                self.create(container, *start).await
            }
            Step::StartContainer { name, .. } => engine.start_container(name).await,
            Step::RestartContainer { name, .. } => engine.restart_container(name).await,
            Step::StopContainer { name } => engine.stop_container(name).await,
            Step::UpdateLimits { name, limits, .. } => engine.update_limits(name, *limits).await,
            Step::RemoveContainer { name, .. } => engine.remove_container(name).await,
        }
    }

    async fn create(&self, container: &Container, start: bool) -> Result<()> {
        if let Some(taken) = container
            .listens
            .iter()
            .find_map(|address| ports::taken(*address, &container.name))
        {
            return Err(Failure::new(ports::message(&taken))
                .hint(ports::hint(&taken))
                .into());
        }
        self.engine
            .create_container(self.desired, container)
            .await?;
        if start {
            self.engine.start_container(&container.name).await?;
        }
        Ok(())
    }
}

/// What a step is about; a plan that was made for another desired state has steps that are about nothing.
fn desired<T>(found: Option<T>, what: impl std::fmt::Display) -> Result<T> {
    found.with_context(|| format!("the plan and the desired state do not fit: {what} is not in it"))
}

/// Makes the directories above a file that the desired state does not name.
fn make_parents(tree: &Tree, path: &std::path::Path) -> Result<()> {
    let mut above: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|parent| !parent.as_os_str().is_empty())
        .collect();
    above.reverse();
    for parent in above {
        tree.make_dir(&Directory {
            path: parent.to_owned(),
            mode: 0o755,
            owner: None,
            enforce: false,
            user: None,
        })?;
    }
    Ok(())
}
