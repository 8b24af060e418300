//! The digital twins of a folder.

use async_graphql::{Context, Enum, Object, SelectionField, SimpleObject};

use super::ask::{Asking, asked_for, below};
use super::blob::RepositoryBlob;
use super::told;
use crate::library::contain::Found;
use crate::library::details::Details;
use crate::library::escaped;
use crate::library::path::{self, Place};
use crate::library::refusal::{Reason, Refusal};
use crate::library::source::Listing;
use crate::library::twins::{DIGITAL_TWINS, LIFECYCLE, Phase, programs};

/// A digital twin: a directory among `digital twins`.
pub struct DigitalTwin {
    name: String,
    path: String,
    readme: Option<Result<RepositoryBlob, Refusal>>,
    phases: Vec<LifecyclePhase>,
}

/// A digital twin: a directory among `digital twins`.
#[Object]
impl DigitalTwin {
    async fn name(&self) -> &str {
        &self.name
    }

    /// Its path from the top of the library.
    async fn path(&self) -> &str {
        &self.path
    }

    /// Its `README.md`, in upper or lower case. Null when there is none.
    async fn readme(&self, ctx: &Context<'_>) -> Option<RepositoryBlob> {
        told(ctx, self.readme.clone().transpose()).flatten()
    }

    /// The phases of its life that it has a program for in `lifecycle`, in the order of a life.
    async fn phases(&self) -> &[LifecyclePhase] {
        &self.phases
    }
}

/// A phase that a digital twin has a program for.
#[derive(Debug, Clone, SimpleObject)]
pub struct LifecyclePhase {
    name: PhaseName,
    /// The path of its program from the top of the library.
    path: String,
    /// Whether the program may be executed by its owner. Null where the library cannot know.
    executable: Option<bool>,
}

/// A phase of a digital twin's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Phase", rename_items = "lowercase")]
pub enum PhaseName {
    /// Specifies its configuration.
    Create,
    /// Runs it.
    Execute,
    /// Looks at what it came to.
    Analyze,
    /// Keeps its state.
    Save,
    /// Changes its configuration.
    Evolve,
    /// Takes away what it left.
    Clean,
    /// Stops it.
    Terminate,
}

/// What is told of a twin, of its phases and its README, once for each time it is asked for.
const VALUES: &[&str] = &[
    "name",
    "path",
    "executable",
    "mediaType",
    "size",
    "modified",
    "sha256",
    "isText",
    "etag",
    "__typename",
];

/// What one such value counts for: its text, and what it takes while the answer is put together.
fn cost(path: &str) -> u64 {
    escaped::of_text(path) + 256
}

impl Asking<'_> {
    /// The twins of a folder, for `field`, which is a list of them.
    ///
    /// # Errors
    ///
    /// Why the folder cannot be listed. A user's folder without twins has none.
    pub async fn twins(
        &self,
        path: &str,
        field: SelectionField<'_>,
    ) -> Result<Vec<DigitalTwin>, Refusal> {
        let folders = match path::resolve(self.viewer, path)? {
            Place::Top(_) => self.names(path).await?.trees,
            Place::Inside(inside) => vec![inside.shown],
        };
        let times = asked_for(field, VALUES);
        let mut twins = Vec::new();
        for folder in folders {
            let (folder, names) = match folder.rsplit('/').next() {
                Some(DIGITAL_TWINS) => {
                    let names = self.names(&folder).await?;
                    (folder, names)
                }
                Some(_) | None => {
                    let names = self.names(&folder).await?;
                    if !names.trees.iter().any(|name| name == DIGITAL_TWINS) {
                        continue;
                    }
                    let folder = format!("{folder}/{DIGITAL_TWINS}");
                    let names = self.names(&folder).await?;
                    (folder, names)
                }
            };
            for name in names
                .trees
                .into_iter()
                .filter(|name| !name.starts_with('.'))
            {
                let path = format!("{folder}/{name}");
                self.allowance
                    .take(cost(&path).saturating_mul(times), &path)?;
                let twin = self.twin(name, path, field).await?;
                for phase in &twin.phases {
                    self.allowance
                        .take(cost(&phase.path).saturating_mul(times), &phase.path)?;
                }
                twins.push(twin);
            }
        }
        Ok(twins)
    }

    async fn twin(
        &self,
        name: String,
        path: String,
        field: SelectionField<'_>,
    ) -> Result<DigitalTwin, Refusal> {
        let readme = below(field, "readme");
        let phases = asked_for(field, &["phases"]) > 0;
        let listing = match !readme.is_empty() || phases {
            true => self.names(&path).await,
            false => Ok(Listing::default()),
        };
        // One that cannot be listed is there all the same.
        let listing = listing.or_else(passed_over)?;
        let phases = match phases && listing.trees.iter().any(|name| name == LIFECYCLE) {
            true => self.phases(&path).await?,
            false => Vec::new(),
        };
        let readme = match readme.is_empty() {
            true => None,
            false => {
                let names: Vec<Vec<u8>> =
                    listing.blobs.into_iter().map(String::into_bytes).collect();
                self.readme(&path, &names, &readme).await
            }
        };
        Ok(DigitalTwin {
            name,
            path,
            readme,
            phases,
        })
    }

    async fn phases(&self, twin: &str) -> Result<Vec<LifecyclePhase>, Refusal> {
        let lifecycle = format!("{twin}/{LIFECYCLE}");
        let listing = self.names(&lifecycle).await.or_else(passed_over)?;
        let mut phases = Vec::new();
        for (phase, candidates) in programs(&listing.blobs) {
            let paths = candidates.iter().map(|name| format!("{lifecycle}/{name}"));
            let program = self.program(paths.collect()).await?;
            phases.extend(program.map(|(path, executable)| LifecyclePhase {
                name: phase.into(),
                path,
                executable,
            }));
        }
        Ok(phases)
    }

    /// The first of these that is a file, and whether it may be executed.
    async fn program(&self, paths: Vec<String>) -> Result<Option<(String, Option<bool>)>, Refusal> {
        let Some(disk) = self.source.disk() else {
            return Ok(paths.into_iter().next().map(|path| (path, None)));
        };
        let viewer = self.viewer.clone();
        disk.off_thread(self.allowance.whose(), move |root| {
            paths.into_iter().find_map(|path| {
                let Ok(Place::Inside(place)) = path::resolve(&viewer, &path) else {
                    return None;
                };
                let Ok(Found::File(file, _)) = root.find(&place) else {
                    return None;
                };
                let stat = rustix::fs::fstat(&file).ok()?;
                Some((path, Some(Details::of(&stat).executable)))
            })
        })
        .await
        .ok_or_else(|| Refusal::new("", Reason::Unreadable))
    }
}

/// What cannot be listed holds nothing for this viewer. That a request has read enough, or that a source gives no answer,
/// is no such reason.
fn passed_over(refusal: Refusal) -> Result<Listing, Refusal> {
    match refusal.reason() {
        Reason::NotFound
        | Reason::NotADirectory
        | Reason::Forbidden
        | Reason::Unreadable
        | Reason::TooMany(_) => Ok(Listing::default()),
        _ => Err(refusal),
    }
}
