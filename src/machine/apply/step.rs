//! One step, done.

use anyhow::{Context, Result};

use super::Run;
use crate::error::Failure;
use crate::machine::event::Event;
use crate::machine::files::Tree;
use crate::machine::plan::Step;
use crate::machine::{firewall, image, ports};
use crate::platform::desired::{Container, Directory};

impl Run<'_> {
    pub(super) async fn act(&self, index: usize, step: &Step) -> Result<()> {
        let engine = self.engine;
        match step {
            Step::MakeDirectory { path, .. } | Step::SetMode { path, .. } => {
                let directory = self
                    .desired
                    .directories
                    .iter()
                    .find(|directory| directory.path == *path);
                Tree::create(&self.desired.root)?
                    .make_dir(desired(directory, path.display())?)
                    .map(|_| ())
            }
            Step::WriteFile { path, .. } => {
                let file = desired(self.desired.file(path), path.display())?;
                let tree = Tree::create(&self.desired.root)?;
                make_parents(&tree, path)?;
                tree.write(path, file.mode, file.content.expose().as_bytes())
                    .map(|_| ())
            }
            Step::RemoveFile { path } => Tree::open(&self.desired.root)?.remove(path).map(|_| ()),
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
